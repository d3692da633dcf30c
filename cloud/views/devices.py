"""Devices as they are now: those of the registry, and those that only made themselves heard."""

from collections.abc import Iterable
from dataclasses import dataclass, fields

from sqlalchemy import Connection, select

from agent.wire import schema
from cloud import times, values
from cloud.registry import Registry
from cloud.store.tables import device_latest
from cloud.store.tables import devices as devices_table
from cloud.views import parts
from cloud.views.accounts import account, flaws
from cloud.views.alarms import alarms
from cloud.views.models import Alarm, Device, DeviceDetail, Presence


@dataclass(slots=True)
class _Now:
    """What the tables say of some devices at one moment; `dated` by (device, schema)."""

    registry: Registry
    t: int
    heard: dict[str, parts.Row]
    presences: dict[str, Presence]
    alarms: dict[str, list[Alarm]]
    dated: dict[tuple[str, int], parts.Row]
    undated_ms: dict[str, int]
    flaws: dict[str, tuple[int, int]]


def devices(
    connection: Connection, registry: Registry, now_t: int, ids: Iterable[str] | None = None
) -> list[Device]:
    """Return some devices (those nobody ever heard of are left out), or all of them, by id."""
    wanted = None if ids is None else set(ids)
    now = _Now(
        registry,
        now_t,
        {row["device"]: row for row in parts.rows_of(connection, devices_table.c.device, wanted)},
        parts.presences(connection, wanted),
        alarms(connection, wanted),
        {},
        {},
        flaws(connection, wanted),
    )
    shown = device_latest.c.schema.in_((*parts.REPORTS, schema.HEALTH)) | device_latest.c.undated
    for row in parts.rows_of(connection, device_latest.c.device, wanted, shown):
        device = row["device"]
        if row["undated"]:
            now.undated_ms[device] = max(row["received_ms"], now.undated_ms.get(device, 0))
        else:
            now.dated[device, row["schema"]] = row
    known = registry.devices.keys() | now.heard.keys() | now.presences.keys()
    return [_device(now, device) for device in sorted(known if wanted is None else wanted & known)]


def unassigned(connection: Connection, registry: Registry, now_t: int) -> list[Device]:
    """Return the devices that serve nothing now, known or not."""
    heard = connection.scalars(select(devices_table.c.device))
    ids = {*registry.devices, *heard}
    free = {device for device in ids if registry.service_of(device, now_t) is None}
    return devices(connection, registry, now_t, free)


def detail(
    connection: Connection, registry: Registry, now_t: int, device: str
) -> DeviceDetail | None:
    """Return a device with everything known of it; None if nobody ever heard of it."""
    found = devices(connection, registry, now_t, [device])
    if not found:
        return None
    rows = connection.execute(select(device_latest).where(device_latest.c.device == device))
    return DeviceDetail(
        **{field.name: getattr(found[0], field.name) for field in fields(Device)},
        readings=parts.readings(rows.mappings(), now_t),
        account=account(connection, device),
    )


def _device(now: _Now, device: str) -> Device:
    entry = now.registry.devices.get(device)
    state = now.registry.state_of(device, now.t)
    service = now.registry.service_of(device, now.t)
    heard = now.heard.get(device)
    reports = [row for key in parts.REPORTS if (row := now.dated.get((device, key)))]
    health = now.dated.get((device, schema.HEALTH))
    undated_ms = now.undated_ms.get(device)
    missing, conflicts = now.flaws.get(device, (0, 0))
    return Device(
        id=device,
        known=entry is not None,
        profile=entry.profile if entry else None,
        state=state.state if state else None,
        state_since=times.moment_of_t(state.since) if state else None,
        service=parts.service(device, service) if service else None,
        presence=now.presences.get(device),
        first_heard=times.moment_of_ms(heard["first_ms"]) if heard else None,
        last_heard=times.moment_of_ms(heard["last_ms"]) if heard else None,
        freshness=parts.freshness(max(reports, key=lambda r: r["t"], default=None), now.t),
        alarms=now.alarms.get(device, []),
        position=parts.measured_position(now.dated.get((device, schema.BEACON))),
        undated=None if undated_ms is None else times.moment_of_ms(undated_ms),
        missing=missing,
        conflicts=conflicts,
        health=values.read(health["record"]) if health else {},
    )
