"""The smallest application that can be updated: link, downlink, commands and updates, on a real hal.

It lies in a slot as agent/main.mpy. What its version is called decides how well it works.
"""

import json

from agent.clock import Clock
from agent.hal import open_board
from agent.keep.boots import BootNumber
from agent.link.commands import Commands
from agent.link.downlink import Downlink
from agent.link.supervisor import Supervisor
from agent.update.session import Update
from agent.version import BUILT, VERSION
from agent.wire import messages
from agent.wire.codes import PROFILE_BEACON
from agent.wire.read import Reader

_WATCHDOG_MS = 20000


class NoOutbox:
    """An outbox that has nothing to say."""

    kept = 0

    def ack(self, boot, first, last):
        return 0

    def due(self, now_s):
        return False

    def broken(self, now_s):
        """Nothing was on its way."""

    def arrived(self, message_id):
        """Nothing was sent."""


class Application:
    """Polls its parts, and resets when the update says so."""

    def __init__(self, hal, who):
        self._hal = hal
        self._dog = hal.watchdog(_WATCHDOG_MS)
        self._ticks = hal.ticks_ms()
        self._clock = Clock(BUILT)
        files = hal.files()
        boot = BootNumber(*hal.boot_stores(), hal.random)
        self._update = Update(
            files,
            hal.slot,
            hal.guard(),
            bytes.fromhex(who["release"]),
            (hal.name.encode(), PROFILE_BEACON, 6),
            who["confirm_ms"],
        )
        actions = {messages.UPDATE: self._arm}
        device = who["device"]
        key = bytes.fromhex(who["key"])
        commands = Commands(files, device, key, self._clock, hal.random, actions)
        outbox = NoOutbox()
        downlink = Downlink(boot, outbox, self._clock, commands, self._update)
        self._link = Supervisor(
            hal, device, who["access"], 30, boot.value, outbox, downlink, self._clock
        )
        self._parts = (self._update, downlink, self._link)

    def step(self, ticks_ms):
        now_ms = self._clock.advance(self._hal.ticks_diff(ticks_ms, self._ticks))
        self._ticks = ticks_ms
        self._dog.feed()
        if VERSION == b"deaf":
            self._update.poll(now_ms)  # it starts, and never says a word
            wait_ms = 100
        else:
            wait_ms = min([part.poll(now_ms) for part in self._parts])
        if self._link.heard_ms is not None:
            self._update.prove()
            self._hal.guard().good()
        if self._update.reset:
            self._hal.reset(self._update.reset)
        return wait_ms

    def stop(self):
        self._link.close()

    def _arm(self, arguments, now_ms):
        reader = Reader(arguments, 0, len(arguments))
        reader.array(1, 1)
        return self._update.arm(reader.uint())


def start():
    if VERSION == b"crashes":
        raise ValueError("a bad image")
    with open("/data/who.json") as file:  # noqa: PTH123  (a board)
        who = json.load(file)
    hal = open_board("virtual")
    application = Application(hal, who)
    print("application", VERSION)
    hal.run(application.step, application.stop)
