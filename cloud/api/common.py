"""What the routes share."""

from typing import Annotated

from fastapi import Depends, Request

from cloud.centre import Centre


def _centre(request: Request) -> Centre:
    centre: Centre = request.app.state.centre
    return centre


TheCentre = Annotated[Centre, Depends(_centre)]
