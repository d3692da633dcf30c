"""What every agent is made of besides its sensors: clock, outbox, power, link, commands, updates.

    works = Works(given, restart, report)
    works.outbox, works.link, …

Made in one place and in this order, because each needs the ones before it. Nothing here decides
anything: the loop is in `agent.agent`.
"""

import sys

from agent import config as settings
from agent.alarms import Alarms
from agent.clock import Clock
from agent.compat import const
from agent.keep.boots import BootNumber
from agent.keep.log import Log
from agent.keep.outbox import Outbox
from agent.link import actions
from agent.link.budget import Budget
from agent.link.commands import Commands
from agent.link.downlink import Downlink
from agent.link.supervisor import RAISING, Supervisor
from agent.power import Power
from agent.proof import Proof
from agent.update.session import Update
from agent.version import BUILT
from agent.watch import Watch
from agent.wire import codes, messages

_ABI = const(0xFF)  # of sys.implementation._mpy: the version of .mpy files
_WEAK = (codes.RESET_POWER_ON, codes.RESET_BROWN_OUT)
_ALARMS_KEPT = const(8)  # bytes of what a wake goes on with
_LINK_LIMIT_MS = const(60000)  # a name lookup blocks on every port (reference B4)


class Works:
    """`given` is main.Start; `restart(intent, now_ms)` and `report(arguments, now_ms)` the agent's."""

    def __init__(self, given, restart, report):
        hal = given.hal
        config = given.config
        identity = given.identity
        files = hal.files()
        cause = hal.reset_cause()
        self.clock = Clock(BUILT, files, hal.rtc())
        self.log = Log(files, self.clock)
        resumed = given.memo.resume(cause)
        if self.clock.source is None:
            resumed = None  # an undated record of a boot that slept could not be dated
        store_a, store_b = hal.boot_stores()
        self.boot = BootNumber(store_a, store_b, hal.random, resumed and resumed[0])
        self.resumed = resumed is not None and self.boot.value == resumed[0]
        self.seq = 0
        if resumed is not None and self.resumed:
            self.seq = resumed[1]
            self.clock.advance(resumed[2] * 1000)
        self.outbox = Outbox(
            config["outbox_ram_bytes"],
            hal.random,
            files if config["outbox_flash_bytes"] else None,
            config["outbox_flash_bytes"],
            config["gather_s"],
        )
        limits = [config["battery." + name] for name in ("on_mv", "low_mv", "off_mv", "last_mv")]
        kept = given.memo.kept if self.resumed else None
        self.more = given.memo.more if self.resumed else b""  # of the profile
        self.alarms = Alarms(int.from_bytes(self.more[:_ALARMS_KEPT], "little"))
        self.more = self.more[_ALARMS_KEPT:]
        self.power = Power(hal.adc("batt_mv"), limits, cause in _WEAK, kept)
        self.budget = Budget(self.clock, files, config["data.budget_mib"])
        self.files = files
        profile = given.make_profile(hal, config, given.errors, self)
        self.profile = profile
        self.update = Update(
            files,
            hal.slot,
            given.guard,
            identity.release,
            (hal.name.encode(), profile.code, _abi()),
            config["confirm_s"] * 1000,
        )
        self.commands = Commands(
            files,
            identity.device,
            identity.key,
            self.clock,
            hal.random,
            self._actions(given, files, restart, report),
        )
        self.downlink = Downlink(self.boot, self.outbox, self.clock, self.commands, self.update)
        self.link = Supervisor(
            hal,
            identity.device,
            given.access,
            config["keepalive_s"],
            self.boot.value,
            self.outbox,
            self.downlink,
            self.clock,
        )
        self.proof = Proof(given, self.link)
        servers = (config["ntp.a"], config["ntp.b"])
        self.ntp = None
        if any(servers):
            self.ntp = self._ntp(given, servers)
        self.fallback = None
        if config["beidou.card"] and hal.fitted("rdss"):
            self.fallback = _fallback(hal, config, identity, self)
        self._watch(given)

    def kept(self):
        """Return what the profile and the alarms go on with after a deep sleep."""
        return self.alarms.kept().to_bytes(_ALARMS_KEPT, "little") + self.profile.kept()

    def _ntp(self, given, servers):
        """Return the network's time; only piles, which have no GNSS, have its module."""
        try:
            from agent.link.ntp import NTP
        except ImportError:
            given.errors.append("settings: ntp: this profile has its time from GNSS")
            return None
        return NTP(given.hal, self.clock, servers, lambda now_ms: self.link.state > RAISING)

    def _watch(self, given):
        """Put all parts under the watchdog: `parts` are (place, part)."""
        self.watch = Watch(given.dog, given.memo.running)
        named = list(self.profile.parts)
        named.append((b"clock", self.clock))
        named.append((b"power", self.power))
        named.append((b"outbox", self.outbox))
        named.append((b"update", self.update))
        named.append((b"downlink", self.downlink))
        named.append((b"link", self.link))
        named.append((b"slots", self.proof))
        if self.ntp is not None:
            named.append((b"ntp", self.ntp))
        named.append((b"budget", self.budget))
        if self.fallback is not None:
            named.append((b"beidou", self.fallback))
        slow = {b"link": _LINK_LIMIT_MS, b"ntp": _LINK_LIMIT_MS}
        self.parts = tuple(
            [
                (self.watch.add(name, slow[name]) if name in slow else self.watch.add(name), part)
                for name, part in named
            ]
        )
        self.gathering = self.watch.add(b"profile")

    def _actions(self, given, files, restart, report):
        """Return what commands do, by verb."""

        def staging(name, slots):
            def wrong(text):
                return "; ".join(settings.refusals(name, text))

            def then(now_ms):
                restart(codes.INTENT_SETTINGS, now_ms)

            return actions.stage(slots, wrong, then)

        def reboot(now_ms):
            given.guard.retry()  # from the safe agent it leads to the application, once
            restart(codes.INTENT_COMMAND, now_ms)

        out = dict(self.profile.actions)
        out[messages.REPORT] = report
        out[messages.SETTINGS] = staging("settings", given.settings_slots)
        out[messages.ACCESS] = staging("access", given.access_slots)
        out[messages.LOG] = actions.fetch(files, "log", self.log.save)
        out[messages.POST_MORTEM] = actions.fetch(files, "crash")
        out[messages.UPDATE] = actions.arm(self.update)
        out[messages.REBOOT] = actions.restart(reboot)
        return out


def _fallback(hal, config, identity, works):
    """Return the BeiDou part; only boards with a terminal have its modules."""
    from agent.link.fallback import Fallback
    from agent.link.rdss import Terminal

    return Fallback(
        Terminal(hal.uart("rdss", 115200, None)),
        works.outbox,
        works.downlink,
        works.clock,
        identity,
        config["beidou.card"],
        (config["beidou.after_s"], config["beidou.alarm_after_s"], config["beidou.status_s"]),
    )


def _abi():
    return getattr(sys.implementation, "_mpy", 0) & _ABI
