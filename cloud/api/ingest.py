"""POST /api/ingest: gateways deliver here (docs/wire.md, "Gateway to centre")."""

import hmac
from typing import Annotated

from fastapi import APIRouter, Header, HTTPException, Request, status
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel

from agent.wire import body
from cloud.api.common import TheCentre
from cloud.centre import Centre
from cloud.ingest import ingest

router = APIRouter(tags=["gateways"])


class Refused(BaseModel):
    """An entry that is no record. It is kept apart; the others were taken."""

    entry: int
    device: str
    code: str
    detail: str


class Taken(BaseModel):
    """What came of a delivery: every entry is counted once."""

    taken: int
    duplicates: int
    conflicts: int
    refused: list[Refused]


@router.post(
    "/api/ingest",
    responses={400: {"description": "not a body"}, 401: {"description": "wrong token"}},
)
async def post_ingest(
    centre: TheCentre,
    request: Request,
    authorization: Annotated[str | None, Header()] = None,
) -> Taken:
    """Store a delivery. 200 means that everything in it is safe."""
    _authorize(centre, authorization)
    raw = await _read(request)
    try:
        delivery = body.decode(raw)
    except body.BodyError as error:
        raise HTTPException(status.HTTP_400_BAD_REQUEST, str(error)) from error
    outcome = await run_in_threadpool(ingest, centre.live, delivery)
    return Taken(
        taken=outcome.taken,
        duplicates=outcome.duplicates,
        conflicts=outcome.conflicts,
        refused=[
            Refused(entry=r.entry, device=r.device, code=r.code, detail=r.detail)
            for r in outcome.refused
        ],
    )


def _authorize(centre: Centre, authorization: str | None) -> None:
    expected = f"Bearer {centre.config.token}"
    if not hmac.compare_digest((authorization or "").encode(), expected.encode()):
        raise HTTPException(
            status.HTTP_401_UNAUTHORIZED,
            "the token is missing or wrong",
            {"WWW-Authenticate": "Bearer"},
        )


async def _read(request: Request) -> bytes:
    """Read a body that is not longer than the contract allows."""
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > body.BODY_MAX:
            raise HTTPException(
                status.HTTP_413_CONTENT_TOO_LARGE, f"more than {body.BODY_MAX} bytes"
            )
    return bytes(raw)
