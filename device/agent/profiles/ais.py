"""What a navaid has of AIS: a receiver, an eye on the aids around, and a unit that speaks for it.

ais = AISPart(hal, config, errors, alarms, also)
ais.gather(agent, now_ms)       sends on what was heard
ais.values(now_ms)              its part of the `rx` record
ais.speak(hal, config, state, weather)      from then on its unit sends message 21, 6 and 8
"""

from agent.compat import const
from agent.sense.ais import AIS
from agent.sense.ais_aids import Aids
from agent.sense.ais_health import Health
from agent.sense.receiver import Receiver
from agent.sense.targets import Targets
from agent.wire import schema

_BUFFER = const(256)  # bytes read from the line at once
_REPORTS_MAX = const(8)  # records made in one step

_FORMS = ("bbm", "vdm", "vdo")  # as ais_write numbers them
_TOKENS = const(4)
_REFILL_S = const(30)
_FASTER_S = const(60)  # message 21 of an aid that is off position
_STATUS_S = const(3600)
_WEATHER_S = const(600)
_GNSS = const(1)  # type of position-fixing device: GPS; a receiver of several says the same
_SURVEYED = const(7)

_FRESH_MS = const(2000)  # a position whose second is still what its receiver said
_ACCURATE_E2 = const(200)  # HDOP: a position that AIS calls better than 10 m

# Of sense.ais_compose, which only aids with an AIS unit load.
_UNMONITORED = const(0)
_LIGHT_ON = const(1)
_LIGHT_OFF = const(2)
_FAILED = const(3)


class AISPart:
    """`also` are consumers of sentences that may come on the same line."""

    def __init__(self, hal, config, errors, alarms, also):
        self.ais = ais = AIS()
        self._uart = hal.uart("ais", config["ais.baud"], None)
        self.line = Receiver(self._uart, (ais,) + also, bytearray(_BUFFER))
        self.targets = Targets(config["ais.interval_s"], config["ais.still_s"])
        self._health = Health(ais, self.line, alarms)
        self._aids = Aids(
            config["ais.own_mmsi"],
            _numbers(config["ais.neighbours"], errors),
            alarms,
            self._health,
            config["ais.aton_s"],
        )
        self.unit = None
        self.parts = [(b"ais", self.line), (b"ais", self._health), (b"ais", self._aids)]

    def speak(self, config, state, weather):
        """Let the unit on the line send, if the settings name one.

        `state(now_ms)` as `sense.ais_compose` wants it, `weather(now_ms)` as a `weather` record.
        """
        form = config["ais.unit"]
        if form == "none" or not config["ais.own_mmsi"]:
            return
        # Most aids have none: its modules are loaded where it is.
        from agent.sense.ais_unit import Unit

        aid = (
            config["ais.own_mmsi"],
            config["ais.type"],
            config["ais.name"],
            _GNSS if config["station.chain_dm"] else _SURVEYED,
            0,  # it is really there
            0,
            0,
            0,
            0,
        )
        dest = config["ais.dest_mmsi"]
        aton_s = config["ais.aton_s"]
        plan = (
            _FORMS.index(form),
            0,
            dest,
            config["ais.dac"],
            config["ais.application"],
            aton_s,
            _FASTER_S,
            _STATUS_S,
            _WEATHER_S,
            _TOKENS,
            _REFILL_S,
        )
        self.unit = Unit(self._uart.write, aid, plan, state, weather)
        self.parts.append((b"ais", self.unit))

    def state(self, now_ms, t, gnss, place, off, light, supply_mv, low):
        """Return what `sense.ais_compose` says of the aid; health is not about batteries."""
        fixed = gnss.fix_ms is not None and now_ms - gnss.fix_ms <= _FRESH_MS
        accurate = gnss.hdop_e2 is not None and gnss.hdop_e2 <= _ACCURATE_E2
        fault, lit = light.fault(), light.lit(now_ms)
        shown = _UNMONITORED
        if fault:
            shown = _FAILED
        elif lit is not None:
            shown = _LIGHT_ON if lit else _LIGHT_OFF
        second = t % 60 if fixed and t >= 0 else None
        health = bool(fault or off)
        return (t, place[0], place[1], accurate, second, off, shown, _UNMONITORED, health) + (
            supply_mv,
            None,
            low,
            0,
            None,
            None,
        )

    def gather(self, agent, now_ms):
        """Hand on what is worth it of what was heard."""
        ais = self.ais
        for _ in range(_REPORTS_MAX):
            heard = ais.next_report()
            if heard is None:
                break
            kind, values = heard
            if kind == schema.AIS_ATON:
                self._aids.heard(values, now_ms)
                mmsi = values[0]
            else:
                mmsi = values[1]
            if not ais.own:
                self._health.heard(mmsi)
                if self.targets.wanted(kind, values, now_ms):
                    agent.emit(kind, values)

    def values(self, now_ms):
        """Return the fields of `rx` from ais_health to ais_held."""
        unit = self.unit
        sent = (None, None) if unit is None else (unit.sent, unit.held)
        return self._health.values(now_ms) + self._aids.values(now_ms) + sent


def _numbers(text, errors):
    """Return the MMSIs of a setting; what is no number is named and left out."""
    numbers = []
    for word in text.split(","):
        word = word.strip()
        if word:
            try:
                numbers.append(int(word))
            except ValueError:
                errors.append("settings: ais.neighbours: %s is no MMSI" % word)
    return numbers
