"""Two devices change places while both hold three days of backlog.

Every record belongs to the aid that its device stood on at the record's time, however late it comes:
the history asks by dated bindings, and so does the live view.
"""

import json
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

import pytest

from agent.wire import codes, schema
from agent.wire.series import EPOCH_2020
from tests.chain.fleet import Device, Fleet
from tests.chain.processes import (
    GATEWAY_ENV,
    broker,
    centre,
    gateway_command,
    gateway_config,
    get,
    process,
    victoria_metrics,
    wait_for,
)

REPORT_S = 600
DAYS = 3
AIDS = ("a1", "a2")
LATS = {"a1": 31.1, "a2": 31.3}
NAVAID = """
[[navaid]]
id = "{id}"
name = {{ zh = "{id}", en = "{id}" }}
kind = "port"
floating = true
[[navaid.station]]
from = 2026-01-01T00:00:00Z
lat = {lat}
lon = 122.2
light = "Fl R 4s"
notice = "1"
"""
DEVICE = """
[[device]]
id = "{id}"
profile = "beacon"
[[device.service]]
asset = "{first}"
from = 2026-01-01T00:00:00Z
to = {swap}
[[device.service]]
asset = "{second}"
from = {swap}
[[device.state]]
state = "station"
from = 2026-01-01T00:00:00Z
"""


class Standing:
    """A profile that reports where the device stands: first one aid, later the other."""

    code = codes.PROFILE_BEACON
    parts = ()
    stretch = 1
    hurry = False
    actions = MappingProxyType({})

    def __init__(self, first, second, swap_t):
        self.first, self.second, self.swap_t = first, second, swap_t
        self.made = {"a1": [], "a2": []}

    def gather(self, agent, now_ms):
        pass

    def report(self, agent, now_ms):
        t = agent.clock.t()
        aid = self.first if t < self.swap_t else self.second
        self.made[aid].append(t)
        agent.emit(
            schema.BEACON, (0, int(LATS[aid] * 1e6), 122_200_000, 12, 0, len(self.made[aid]))
        )

    def detail(self, agent, now_ms):
        pass

    def kept(self):
        return b""

    def busy(self):
        return True

    def release(self):
        pass

    def refused(self):
        return 0


def live_through(device, start_t, end_t):
    """Let simulated time pass for a device that has GNSS but no link."""
    agent, board = device.agent, device.board
    now_s = [0.0]
    board.clock = lambda: now_s[0]
    agent._ticks = 0
    board.network_up = lambda: False
    agent.clock._built = 0  # this firmware is younger than the days it is to live through
    for n in range(3):
        agent.clock.offer(codes.CLOCK_GNSS, start_t + n, 0, n * 1000, 500)
    assert agent.clock.t() >= start_t
    while agent.clock.t() < end_t:
        now_s[0] += 30
        agent.step(board.ticks_ms())
    # From here on in real time, with a network.
    began = time.monotonic()
    passed = now_s[0]
    board.clock = lambda: passed + time.monotonic() - began
    board.network_up = lambda: True


@pytest.mark.parametrize("store", ["sqlite", "victoria"])
def test_every_record_belongs_to_the_aid_its_device_stood_on(store, tmp_path):
    now = datetime.now(UTC).replace(microsecond=0)
    start, swap = now - timedelta(days=DAYS), now - timedelta(days=DAYS / 2)
    start_t, swap_t, now_t = (int(m.timestamp()) - EPOCH_2020 for m in (start, swap, now))
    registry = "".join(NAVAID.format(id=aid, lat=LATS[aid]) for aid in AIDS)
    services = {"dev-0": ("a1", "a2"), "dev-1": ("a2", "a1")}
    for device, (first, second) in services.items():
        registry += DEVICE.format(id=device, first=first, second=second, swap=swap.isoformat())
    with ExitStack() as stack:
        port, _ = stack.enter_context(broker("mosquitto", tmp_path, list(services)))
        if store == "victoria":
            series, _ = stack.enter_context(victoria_metrics(tmp_path))
        else:
            series = f"sqlite:{tmp_path / 'series'}"
        url, _ = stack.enter_context(centre(tmp_path, series, registry))
        config = gateway_config(tmp_path, port, series, url)
        log = tmp_path / "gateway.log"
        stack.enter_context(process(gateway_command(config), log, GATEWAY_ENV))
        wait_for("the gateway", lambda: b"connected" in log.read_bytes())
        devices = []
        for name, (first, second) in services.items():
            profile = Standing(first, second, swap_t)
            device = Device(name, tmp_path / name, port, profile, report_s=REPORT_S)
            live_through(device, start_t, now_t)
            devices.append(device)
        assert all(device.agent.outbox.kept > DAYS * 140 for device in devices)
        fleet = stack.enter_context(Fleet(devices))
        wait_for("the backlog to drain", lambda: not fleet.waiting, 60)

        def history(aid):
            period = (
                f"from={start:%Y-%m-%dT%H:%M:%SZ}&to={now + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
            )
            path = f"/api/assets/{aid}/history?field=beacon.lat_e6&points=2000&{period}"
            if store == "victoria":
                get(f"{series}/internal/force_flush")
            told = json.loads(get(url + path))
            return [
                (t, last)
                for t, last in zip(told["t"], told["last"], strict=True)
                if last is not None
            ]

        for aid in AIDS:
            made = sorted(t for device in devices for t in device.profile.made[aid])
            wait_for(f"the history of {aid}", lambda a=aid, m=made: len(history(a)) >= len(m), 30)
            points = history(aid)
            assert {round(lat, 6) for _, lat in points} == {LATS[aid]}
            assert [int(t) - EPOCH_2020 for t, _ in points] == made
            assert len(made) > DAYS * 140
            asset = json.loads(get(f"{url}/api/assets/{aid}"))
            assert round(asset["position"]["lat"], 6) == LATS[aid]
