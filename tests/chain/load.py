"""Simulated devices in a process of their own, which keep every record until it is acked.

    with Load(folder, port, rate=2000) as load:      messages a second, of all devices together
        …
        load.pause()
        load.wait_acked(60)
    ledger = checker.read(load.ledgers)

What the devices are like is in crowd.py. 2,000 messages a second take a tenth of a core.
"""

import json
import subprocess
import sys
import time

from tests.chain.crowd import EPOCH_2020, HABITS, RESEND_S


class Load:
    """A running crowd. `rate` are messages a second of all `devices` together."""

    def __init__(
        self, folder, port, *, rate=2000.0, devices=50, seed=1, name="load", habits=HABITS,
        group=0, limit=None, past_s=None, boot=1, resend_s=RESEND_S,
    ):  # fmt: skip
        self.names = names(devices, name)
        self._status = folder / f"{name}.status"
        self._status.unlink(missing_ok=True)
        ledger = folder / f"{name}.ledger"
        self.ledgers = [ledger]
        self._commands = 0
        spec = {
            "names": self.names, "devices": devices, "rate": rate, "port": port, "seed": seed,
            "habits": habits, "group": group, "limit": limit and limit // devices,
            "past_t": past_s and int(time.time()) - EPOCH_2020 - past_s, "boot": boot,
            "resend_s": resend_s,
            "ledger": str(ledger), "status": str(self._status),
        }  # fmt: skip
        self._spec = folder / f"{name}.json"
        self._spec.write_text(json.dumps(spec))
        self._log = folder / f"{name}.log"

    def __enter__(self):
        with self._log.open("ab") as log:
            self._child = subprocess.Popen(
                [sys.executable, "-m", "tests.chain.crowd", str(self._spec)],
                stdin=subprocess.PIPE, stdout=log, stderr=log,
            )  # fmt: skip
        return self

    def __exit__(self, *_):
        if self._child.poll() is None:
            self._child.stdin.close()
            self._child.wait(10)

    def status(self):
        """Return what the devices say: counts since the start."""
        assert self._child.poll() is None, self._log.read_text()
        try:
            return json.loads(self._status.read_text())
        except FileNotFoundError:
            return dict.fromkeys(("made", "sent", "acked", "waiting", "commands"), 0)

    def pause(self):
        """Let no device make more records."""
        self._tell("pause")

    def resume(self):
        self._tell("resume")

    def mark(self):
        """Forget the longest wait for an ack so far."""
        self._tell("mark")

    def wait_acked(self, timeout_s):
        """Wait until every record is acked; return how long it took."""
        begun = time.monotonic()
        while self.status()["waiting"]:
            if time.monotonic() - begun > timeout_s:
                raise AssertionError(f"not acked after {timeout_s} s: {self.status()}")
            time.sleep(0.05)
        return time.monotonic() - begun

    def wait_made(self, records, timeout_s):
        """Wait until so many records are made."""
        end = time.monotonic() + timeout_s
        while self.status()["made"] < records:
            assert time.monotonic() < end, f"waited {timeout_s} s for {records}: {self.status()}"
            time.sleep(0.05)

    def _tell(self, word):
        self.status()  # fails, with what the devices said, if they have ended
        self._child.stdin.write(f"{word}\n".encode())
        self._child.stdin.flush()
        self._commands += 1
        end = time.monotonic() + 10
        while self.status().get("commands", 0) < self._commands:
            assert time.monotonic() < end, "the devices do not answer"
            time.sleep(0.02)


def names(devices, name="load"):
    """Return the devices' names."""
    return [f"{name}-{n}" for n in range(devices)]
