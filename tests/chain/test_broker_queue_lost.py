"""The broker dies with everything it had queued for the gateway: the devices send it again."""

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
)
from tests.chain.readiness import wait_ready, watch
from tests.chain.test_chaos import settle

DEVICES = 50


@pytest.mark.parametrize(
    ("rate", "away_s"),
    [
        pytest.param(500, 1, id="short"),
        pytest.param(2000, 20, id="long", marks=pytest.mark.prove),
    ],
)
def test_a_queue_that_is_lost_is_sent_again(rate, away_s, tmp_path, capsys):
    with ExitStack() as stack:
        port, mosquitto = stack.enter_context(broker("mosquitto", tmp_path, load.names(DEVICES)))
        series, _ = stack.enter_context(victoria_metrics(tmp_path))
        config = gateway_config(tmp_path, port, series)
        ready = watch(config)
        log = tmp_path / "gateway.log"
        gateway = stack.enter_context(process(gateway_command(config), log, GATEWAY_ENV))
        wait_ready(ready)
        devices = stack.enter_context(
            load.Load(tmp_path, port, rate=rate, devices=DEVICES, resend_s=1.0)
        )
        devices.wait_made(rate // 4, 20)
        gateway.kill()
        before = devices.status()
        time.sleep(away_s)
        queued = devices.status()
        mosquitto.kill()
        (tmp_path / "broker" / "mosquitto.db").unlink(missing_ok=True)
        mosquitto.start()
        gateway.start()
        time.sleep(1)
        devices.pause()
        acked_s = devices.wait_acked(60)
        said = devices.status()
        ledger = checker.read(devices.ledgers)
        verdict, stored_s = settle(ledger, series, None, 60)
        assert gateway.stop() == 0
    with capsys.disabled():
        print(
            f"\nbroker's queue of {queued['sent'] - before['sent']} messages lost:"
            f" {said['resent']} records sent again, all {checker.size(ledger)} acked {acked_s:.1f} s"
            f" and stored {stored_s:.1f} s after the last;"
            f" lost {verdict.lost}, doubled {verdict.doubled}, altered {verdict.altered}"
        )
    assert queued["sent"] > before["sent"], "nothing was queued"
    assert said["resent"] > 0, "nothing was sent again"
    assert said["strange"] == 0
    assert verdict.clean, verdict
