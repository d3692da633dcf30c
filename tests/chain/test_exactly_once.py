"""Devices, a real broker, the gateway killed in mid-stream, real stores: each record exactly once.

An independent count: what the devices' own ledgers say was produced, against what lies in the stores.
"""

import random
import time
from collections import Counter
from contextlib import ExitStack

import pytest

from agent.wire import decode, schema
from tests.chain import stores
from tests.chain.fleet import Burst, Device, Fleet
from tests.chain.processes import (
    GATEWAY_ENV,
    broker,
    centre,
    gateway_command,
    gateway_config,
    process,
    victoria_metrics,
    wait_for,
)

DEVICES = [f"dev-{n}" for n in range(8)]
RATE = 40  # records a second from each
KILLS = 10
SEED = 20261122


@pytest.mark.parametrize(
    ("kind", "store", "runs"),
    [
        # test_chaos.py kills these two, and more.
        pytest.param("mosquitto", "victoria", 2, marks=pytest.mark.prove),
        ("mosquitto", "sqlite", 2),
        # It loses messages, which are sent again after half a minute: one run is long enough.
        ("amqtt", "sqlite", 1),
    ],
)
def test_kill_nine_of_the_gateway_ten_times_and_a_second_run(kind, store, runs, tmp_path, capsys):
    ledger: Counter[stores.Identity] = Counter()
    kinds: dict[stores.Identity, int] = {}
    rng = random.Random(SEED)
    for run in range(runs):
        with ExitStack() as stack:
            port, _ = stack.enter_context(broker(kind, tmp_path, DEVICES))
            if store == "victoria":
                series, _ = stack.enter_context(victoria_metrics(tmp_path))
            else:
                series = f"sqlite:{tmp_path / 'series'}"
            url, _ = stack.enter_context(centre(tmp_path, series))
            config = gateway_config(tmp_path, port, series, url)
            log = tmp_path / "gateway.log"
            gateway = stack.enter_context(process(gateway_command(config), log, GATEWAY_ENV))
            wait_for("the gateway", lambda log=log: b"connected" in log.read_bytes())
            devices = [Device(name, tmp_path / name, port, Burst(RATE)) for name in DEVICES]
            fleet = stack.enter_context(Fleet(devices))
            for _ in range(KILLS if run == 0 else 1):
                time.sleep(rng.uniform(0.3, 1.6))
                gateway.kill()
                time.sleep(rng.uniform(0.0, 0.3))
                gateway.start()
            time.sleep(1)
            fleet.settle(150)
            for device in devices:
                for (boot, seq), raw in device.ledger.items():
                    ledger[device.name, boot, seq] += 1
                    kinds[device.name, boot, seq] = schema.SCHEMAS[decode.one(raw).schema][2]
            expected = {i for i, kind_ in kinds.items() if kind_ == schema.SERIES}
            events = set(kinds) - expected

            def stored(series=series):
                if store == "victoria":
                    return stores.victoria_series(series)
                return stores.sqlite_series(tmp_path / "series")

            wait_for("the series", lambda e=expected: len(stored()) >= len(e), 60)
            wait_for(
                "the centre's events",
                lambda e=events: len(stores.centre_events(tmp_path / "centre")) >= len(e),
                60,
            )
            assert set(ledger.values()) == {1}, "the devices used an identity twice"
            assert stored() == Counter(expected)
            assert stores.centre_events(tmp_path / "centre") == Counter(events)
            resent = sum(d.agent.outbox.resent for d in devices)
    with capsys.disabled():
        print(
            f"\n{kind}, {store}: {len(ledger)} records, gateway killed {KILLS + runs - 1} times, "
            f"each in the store exactly once ({resent} sent again in the last run)"
        )
