"""Aids heard by AIS, tied to devices: what messages 21, 6 and 8 say of one becomes its own records.

    aids = Aids({994131405: Aid("c1-ais", floating=True)}, starts, interval_s=600)
    aids.aton(values, at_ms)              a message 21, as `ais-aton` values
    aids.application(asm.decode(…), at_ms)
    deliver(aids.take(now_ms))

An AIS unit on an aid is a device like any other, only that it speaks by radio: the table in the
configuration gives its MMSI a device id, and the centre's registry says which aid that device serves
and from when to when. What it says becomes `beacon`, `weather` and `alarm` records in its name, whichever
station hears it; so the aid's page, its light and its alarms need nothing new.

    message 21           position, light on, off or failed, off position
    6 or 8, DAC 235 …    voltage, light, off position        (reference/navaid.md §2.4)
    6, DAC 0, FI 0       voltage, light, off position, battery low
    8, DAC 1, FI 31      weather and water

What a report does not say is filled from the one before it for a while, so that a voltage does not take
the position away. Whether "off position" means anything depends on the aid (fixed ones send it too,
reference/navaid.md §2.4), and only the table knows that.
"""

import threading
from collections.abc import Mapping, Sequence
from typing import Final

from agent.wire import body, codes, schema
from gateway.accept import Message
from gateway.config_inputs import Aid
from gateway.inputs.counts import Counts
from gateway.inputs.records import Records, Value
from gateway.inputs.starts import Starts
from gateway.inputs.station import asm

_MIN_MS: Final = 10_000  # nothing is said sooner again, however it changes
_PLACE_MS: Final = 900_000  # message 21 comes every three minutes
_STATUS_MS: Final = 3 * 3_600_000  # messages 6 come every hour, or when something changes
_SECOND_MAX: Final = 59  # a time stamp beyond it says that the position is not measured
_STATUS_USED: Final = 7  # the page of the status bits that means lights
_ON, _OFF, _FAILED = 1, 2, 3  # of a light, in status bits and in DAC 235
_KNOTS: Final = 1852, 3600  # metres, seconds


class _State:
    """What an aid said lately: values of a `beacon` record with the time of each."""

    def __init__(self, records: Records, *, floating: bool) -> None:
        self.records = records
        self.floating = floating
        self.flags: dict[int, tuple[bool, int]] = {}  # bit -> state, when
        self.place: tuple[int, int, int] | None = None
        self.supply: tuple[int, int] | None = None
        self.low: bool | None = None
        self.told: tuple[int, int] | None = None  # flags, when
        self.told_weather_ms: int | None = None

    def say(self, bit: int, state: bool | None, at_ms: int) -> None:
        """Note a state; None is not known and changes nothing."""
        if state is not None:
            self.flags[bit] = (state, at_ms)

    def word(self, now_ms: int) -> int:
        """Return the flags of a `beacon` record."""
        out = 0
        for bit, (state, ms) in self.flags.items():
            if now_ms - ms <= _STATUS_MS:
                out |= bit << codes.KNOWN_SHIFT | (bit if state else 0)
        return out


class Aids:
    """The aids of one gateway, for all its stations' threads.

    Counts `aids.reports`, and `aids.unknown`: telemetry of MMSIs that the table does not have.
    """

    def __init__(self, table: Mapping[int, Aid], starts: Starts, interval_s: int) -> None:
        self._lock = threading.Lock()
        self._counts = Counts("aids.")
        self._interval_ms = interval_s * 1000
        self._changed: set[_State] = set()  # has records to be taken
        self._states = {
            mmsi: _State(
                Records(aid.device, body.LINK_STATION, starts, b"ais-aid"), floating=aid.floating
            )
            for mmsi, aid in table.items()
        }

    def aton(self, values: Sequence[Value], at_ms: int) -> None:
        """Take a message 21: values of an `ais-aton` record."""
        mmsi, lat, lon, off = values[0], values[4], values[5], values[7]
        status, virtual, second = values[8], values[9], values[10]
        state = self._states.get(mmsi) if isinstance(mmsi, int) else None
        if state is None:
            return
        with self._lock:
            measured = isinstance(second, int) and second <= _SECOND_MAX
            if isinstance(lat, int) and isinstance(lon, int) and not virtual:
                state.place = (lat, lon, at_ms)
            if state.floating and measured:
                state.say(codes.OFF_STATION, bool(off), at_ms)
            if isinstance(status, int) and status >> 5 == _STATUS_USED:
                _light(state, status >> 1 & 3, at_ms)
            self._tell(state, at_ms)

    def application(self, heard: asm.Application, at_ms: int) -> None:
        """Take a message 6 or 8."""
        content = heard.content
        if content is None:
            return
        state = self._states.get(heard.mmsi)
        if state is None:
            self._counts.add("unknown")
            return
        with self._lock:
            if isinstance(content, asm.Weather):
                self._weather(state, content, at_ms)
                return
            if isinstance(content, asm.BuoyPosition):
                if content.lat_e6 is not None and content.lon_e6 is not None:
                    state.place = (content.lat_e6, content.lon_e6, at_ms)
            elif content.supply_mv:
                state.supply = (content.supply_mv, at_ms)
            if isinstance(content, asm.AidReport):
                _light(state, content.light, at_ms)
            elif isinstance(content, asm.SupplyReport):
                # Of a light that is off nobody says whether it should be on.
                state.say(codes.LIT, content.light_on, at_ms)
                self._battery(state, content.battery_low, at_ms)
            if state.floating:
                state.say(codes.OFF_STATION, content.off_position, at_ms)
            self._tell(state, at_ms)

    def take_counts(self) -> dict[str, int]:
        """Return what was counted since the last call."""
        return self._counts.take()

    def take(self, now_ms: int) -> list[Message]:
        """Return messages with what was made since the last call."""
        out: list[Message] = []
        with self._lock:
            for state in self._changed:
                self._counts.add("refused", state.records.take_refused())
                out += state.records.take(now_ms)
            self._changed.clear()
        return out

    def _tell(self, state: _State, at_ms: int) -> None:
        """Make a `beacon` record, if it is time or something changed."""
        flags = state.word(at_ms)
        if state.told is not None:
            before, ms = state.told
            age_ms = abs(at_ms - ms)  # the clock may be set back
            if age_ms < _MIN_MS or (before == flags and age_ms < self._interval_ms):
                return
        state.told = (flags, at_ms)
        lat = lon = supply = None
        if state.place and at_ms - state.place[2] <= _PLACE_MS:
            lat, lon, _ = state.place
        if state.supply and at_ms - state.supply[1] <= _STATUS_MS:
            supply, _ = state.supply
        self._counts.add("reports")
        self._add(state, schema.BEACON, [flags, lat, lon, None, None, supply], at_ms)

    def _battery(self, state: _State, low: bool, at_ms: int) -> None:
        if low == state.low or (state.low is None and not low):
            state.low = low
            return
        state.low = low
        mv = state.supply[0] if state.supply else None
        level = codes.LEVEL_WARNING if low else None
        values = [codes.ALARM_BATTERY_LOW, int(low), mv, None, level]
        self._add(state, schema.ALARM, values, at_ms)

    def _weather(self, state: _State, w: asm.Weather, at_ms: int) -> None:
        told_ms = state.told_weather_ms
        if told_ms is not None and abs(at_ms - told_ms) < _MIN_MS:
            return  # heard by two stations
        state.told_weather_ms = at_ms
        current = w.currents[0]
        values: list[Value] = [
            _metres(w.wind_kn, 10),
            _times(w.wind_deg, 10),
            _metres(w.gust_kn, 10),
            w.air_dc,
            _times(w.humidity, 10),
            w.dew_dc,
            _times(w.pressure_hpa, 10),
            None if w.visibility_dnm is None else (w.visibility_dnm * 1852 + 5) // 10,
            w.water_dc,
            w.level_cm,
            _metres(current.speed_dkn, 10),  # tenths of a knot to cm/s
            _times(current.direction_deg, 10),
        ]
        self._counts.add("reports")
        self._add(state, schema.WEATHER, values, at_ms)

    def _add(self, state: _State, schema_id: int, values: Sequence[Value], at_ms: int) -> None:
        self._changed.add(state)
        state.records.add(schema_id, values, at_ms)


def _light(state: _State, light: int, at_ms: int) -> None:
    """Note a light's two bits; 0 is none or not monitored."""
    if light in {_ON, _OFF}:
        state.say(codes.LIT, light == _ON, at_ms)
        state.say(codes.LIGHT_FAULT, False, at_ms)
    elif light == _FAILED:
        # Failed or of reduced range: whether anything is lit is not known.
        state.flags.pop(codes.LIT, None)
        state.say(codes.LIGHT_FAULT, True, at_ms)


def _metres(knots: int | None, factor: int) -> int | None:
    metres, seconds = _KNOTS
    return None if knots is None else (knots * metres * factor + seconds // 2) // seconds


def _times(value: int | None, factor: int) -> int | None:
    return None if value is None else value * factor
