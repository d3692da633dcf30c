"""Whether a device is connected: the newest of its states by (boot, connection)."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, select

from agent.wire.body import State
from cloud.store import database
from cloud.store.tables import presence


def fold(connection: Connection, states: Sequence[State]) -> set[str]:
    """Take states in; return the devices whose presence changed.

    A lower (boot, connection) is ignored. Within one connection "lost" comes after "up", and a
    state that only repeats what is known keeps its first time: that is since when it holds.
    """
    known: dict[str, dict[str, Any]] = {}
    for some in database.chunks(sorted({state.device for state in states})):
        query = select(presence).where(presence.c.device.in_(some))
        for found in connection.execute(query).mappings():
            known[found["device"]] = dict(found)
    changed = {}
    for state in states:
        row = known.get(state.device)
        if row is None or _order(state) > (row["boot"], row["connection"], not row["up"]):
            new = {**state._asdict(), "up": state.up == 1}
            known[state.device] = changed[state.device] = new
    database.upsert(connection, presence, list(changed.values()))
    return set(changed)


def _order(state: State) -> tuple[int, int, bool]:
    return state.boot, state.connection, state.up == 0
