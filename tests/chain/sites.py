"""A running `fairway run`, as a user starts it."""

import json
import os
import signal
import sys
from pathlib import Path

from tests.chain.processes import Process, free_port, get, wait_for


class Site:
    """A running `fairway run`."""

    def __init__(self, folder: Path, *args: str) -> None:
        self.data = folder / "data"
        self.port = free_port()
        self.log = folder / f"run-{self.port}.log"
        self.command = [
            *(sys.executable, "-m", "toolkit", "run", "--data", str(self.data)),
            *("--port", str(self.port), "--broker-port", str(free_port()), *args),
        ]
        self.process = Process(self.command, self.log)

    def ask(self, path: str):
        return json.loads(get(f"http://127.0.0.1:{self.port}{path}"))

    def wait_up(self) -> None:
        wait_for("the site", lambda: "Open http" in self.said() or not self.process.running, 120)
        assert self.process.running, self.said()

    def said(self) -> str:
        return self.log.read_text("utf-8")

    def stop(self) -> None:
        """Ctrl-C."""
        os.kill(self.process._child.pid, signal.SIGINT)
        wait_for("the site's end", lambda: not self.process.running, 60)
        assert self.process._child.returncode == 0, self.said()

    def gateway_pid(self) -> int:
        for proc in Path("/proc").iterdir():
            if not proc.name.isdecimal():
                continue
            try:
                words = (proc / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"gateway" in words and str(self.data / "gateway").encode() in words:
                return int(proc.name)
        raise AssertionError("no gateway runs")
