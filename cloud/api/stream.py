"""GET /api/stream: the live view as server-sent events.

event: snapshot   everything, at the start and whenever too much was missed
event: asset      one asset, device or target as it is now (the same as in /api/assets …)
event: device
event: target
event: tick       every ten seconds, the time here: a stream without it is dead
"""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated, Final

from fastapi import APIRouter, Header
from fastapi.concurrency import run_in_threadpool
from fastapi.sse import EventSourceResponse, ServerSentEvent

from cloud import times
from cloud.api.common import TheCentre
from cloud.centre import Centre

router = APIRouter(tags=["view"])

_TICK_S: Final = 10.0
_RETRY_MS: Final = 2_000  # how soon a browser comes back


@router.get("/api/stream", response_class=EventSourceResponse)
async def get_stream(
    centre: TheCentre, last_event_id: Annotated[str | None, Header()] = None
) -> AsyncIterator[ServerSentEvent]:
    """Stream what changes; `Last-Event-ID` says what was seen before."""
    hub = centre.hub
    listener = hub.listen()
    try:
        yield ServerSentEvent(event="tick", raw_data=_tick(), retry=_RETRY_MS)
        missed = hub.since(last_event_id)
        seen = 0
        if missed is None:
            seen, snapshot = await _snapshot(centre)
            yield snapshot
        for event in missed or ():
            seen = event.number
            yield ServerSentEvent(event=event.kind, raw_data=event.data, id=hub.id_of(seen))
        while True:
            try:
                next_event = await asyncio.wait_for(listener.get(), _TICK_S)
            except TimeoutError:
                yield ServerSentEvent(event="tick", raw_data=_tick())
                continue
            if next_event is None:
                return
            if next_event.number <= seen:
                continue
            if next_event.kind == "reload":
                seen, snapshot = await _snapshot(centre)
                yield snapshot
                continue
            seen = next_event.number
            yield ServerSentEvent(
                event=next_event.kind, raw_data=next_event.data, id=hub.id_of(seen)
            )
    finally:
        hub.leave(listener)


async def _snapshot(centre: Centre) -> tuple[int, ServerSentEvent]:
    number, everything = await run_in_threadpool(centre.live.snapshot)
    event = ServerSentEvent(event="snapshot", raw_data=everything, id=centre.hub.id_of(number))
    return number, event


def _tick() -> str:
    return json.dumps({"now": times.moment_of_ms(times.now_ms()).isoformat()})
