"""What is missing is asked for and comes, or is told as gone: device, broker, gateway, centre.

The gateway waits for two minutes before it asks, and for an hour before it asks again; here for
seconds.
"""

import json
import struct
import sys

from agent.keep import window
from agent.keep.outbox import Outbox
from tests.chain import fleet
from tests.chain.fleet import Burst, Device, Fleet
from tests.chain.processes import (
    GATEWAY_ENV,
    broker,
    centre,
    gateway_config,
    get,
    process,
    wait_for,
)

GONE = {3, 4, 5, *range(20, 31)}  # a power cut took them from RAM, say
LATE = {18, 19, *range(31, 34)}  # sent, forgotten by the broker, and not due again for an hour
MADE = 60

IMPATIENT = """
import sys
from gateway.journal import gaps
from toolkit.cli import main
gaps.PATIENCE_MS = 5_000
gaps.AGAIN_MS = 6_000
sys.argv = ["fairway", "gateway", "--config", sys.argv[1]]
sys.exit(main())
"""


class Forgetful(Outbox):
    """Loses some records at once, and believes of others that they were sent."""

    def put(self, record, n, boot, seq, lane):
        if seq in GONE:
            return
        super().put(record, n, boot, seq, lane)
        if seq in LATE:
            pos = next(p for p in self._of(window.ALL) if self._identity(p) == (boot, seq))
            self._buf[pos + 1] = 1
            struct.pack_into("<I", self._buf, pos + 14, 3600)
            self._unsent -= 1


def explained(account):
    """Nothing is missing. How much was filled is told some seconds later."""
    return (account["missing"], account["told"], account["filled"]) == (0, len(GONE), len(LATE))


def test_what_is_missing_is_asked_for(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(fleet, "Outbox", Forgetful)
    series = f"sqlite:{tmp_path / 'series'}"
    with (
        broker("mosquitto", tmp_path, ["dev-0"]) as (port, _),
        centre(tmp_path, series) as (url, _),
    ):
        config = gateway_config(tmp_path, port, series, url)
        log = tmp_path / "gateway.log"
        command = [sys.executable, "-c", IMPATIENT, str(config)]
        with process(command, log, GATEWAY_ENV):
            wait_for("the gateway", lambda: b"connected" in log.read_bytes())
            device = Device("dev-0", tmp_path / "dev-0", port, Burst(40))
            with Fleet([device]):
                wait_for("records", lambda: device.agent.seq > MADE)
                device.profile.paused = True
                wait_for("all but the late", lambda: device.agent.outbox.kept <= len(LATE))
                device.profile.rate, device.profile.paused = 2, False  # so that it is heard

                def account():
                    told = json.loads(get(f"{url}/api/devices/dev-0/account"))
                    return told[0] if told else {"records": 0}

                wait_for("a gap at the centre", lambda: account()["records"] > MADE // 2, 20)
                before = account()
                wait_for("everything explained", lambda: explained(account()), 90)
                after = account()
    with capsys.disabled():
        print(f"\nmissing at first {before['missing']}: {before['gaps']}")
        print(f"then came {after['filled']}, told as gone {after['told']}")
    assert before["missing"] >= len(LATE)
    assert after["records"] == after["highest"] + 1 - len(GONE)
    assert after["gaps"] == []
