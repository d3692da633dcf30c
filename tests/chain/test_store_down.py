"""A time-series store that is down: devices notice nothing, and afterwards nothing is missing.

A real VictoriaMetrics is stopped, or was never there while ten minutes of records came; the journal
keeps them, acknowledgements go on, and the drain is timed.
"""

import time
from contextlib import ExitStack

import pytest

from tests.chain import checker, load
from tests.chain.processes import (
    GATEWAY_ENV,
    broker,
    gateway_command,
    gateway_config,
    process,
    victoria_metrics,
    wait_for,
)
from tests.chain.readiness import wait_ready, watch

DEVICES = 50
STEADY = ("plain", "groups", "twice", "undated")  # who breaks off loses acks by that alone
LATE_S = 2.0  # longest wait for an ack that a device may see while the store is down


@pytest.mark.parametrize(
    ("down_s", "rate", "queue"),
    [
        pytest.param(1.5, 2000, 0, id="1.5-s"),
        pytest.param(30, 2000, 0, id="30-s", marks=pytest.mark.prove),
        # As if the store had been away ten minutes at 2,000 records a second.
        pytest.param(0, 1000, 20_000, id="queue"),
        pytest.param(0, 1000, 1_200_000, id="10-min-queue", marks=pytest.mark.prove),
    ],
)
def test_store_down(down_s, rate, queue, tmp_path, capsys):
    name = "queue" if queue else "load"
    with ExitStack() as stack:
        port, _ = stack.enter_context(broker("mosquitto", tmp_path, load.names(DEVICES, name)))
        series, victoria = stack.enter_context(victoria_metrics(tmp_path))
        config = gateway_config(tmp_path, port, series)
        ready = watch(config)
        log = tmp_path / "gateway.log"
        gateway = stack.enter_context(process(gateway_command(config), log, GATEWAY_ENV))
        wait_ready(ready)
        victoria.stop()
        devices = stack.enter_context(
            load.Load(
                tmp_path, port, name=name, devices=DEVICES, rate=rate,
                habits=("plain",) if queue else STEADY,
                group=20 if queue else 0, limit=queue or None, past_s=600 if queue else None,
            )
        )  # fmt: skip
        if queue:
            devices.wait_made(queue, 60 + queue / 1000)
        else:
            devices.wait_made(1, 20)
            devices.mark()
        time.sleep(down_s)
        during = devices.status()
        if not queue:
            assert during["late_s"] < LATE_S, "the devices notice that the store is down"
            assert during["waiting"] < rate * LATE_S
        devices.pause()
        acked_s = devices.wait_acked(60 + queue / 2000)
        said = devices.status()
        ledger = checker.read(devices.ledgers)
        points = sum(map(checker.is_series, (r for d in ledger.values() for r in d.values())))
        begun = time.monotonic()
        victoria.start()
        wait_for("every point", lambda: checker.count(series, points), 60 + queue / 1000)
        drain_s = time.monotonic() - begun
        verdict = checker.compare(ledger, series)
        assert gateway.stop() == 0
    with capsys.disabled():
        print(
            f"\nstore down while {checker.size(ledger)} records came: devices waited"
            f" {said['late_s']:.1f} s at most, all acked {acked_s:.1f} s after the last;"
            f" {points} points drained {drain_s:.1f} s after its start"
            f" ({points / drain_s:.0f}/s, its start included);"
            f" lost {verdict.lost}, doubled {verdict.doubled}, altered {verdict.altered}"
        )
    assert verdict.clean, verdict
    assert verdict.series == points
