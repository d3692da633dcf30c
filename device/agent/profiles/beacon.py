"""A navaid: is its light right, is it where it belongs, does its battery last, who is around."""

from agent.compat import const
from agent.profiles.ais import AISPart
from agent.profiles.flags import flag
from agent.profiles.light import LightPart
from agent.sense.analogue import Analogue
from agent.sense.contacts import Contacts
from agent.sense.energy import Energy
from agent.sense.gnss import GNSS
from agent.sense.motion import Motion
from agent.sense.receiver import Receiver
from agent.sense.station import Station
from agent.sense.weather import Weather
from agent.wire import codes, schema

_BUFFER = const(256)  # bytes read from a line at once
_SLOW_BUFFER = const(64)
_CHARGING_MA = const(20)  # less is the battery monitor's noise

# A sentence comes up to half a second after the second it names, at 9,600 Bd behind a full GSV cycle.
_GNSS_UNCERTAINTY_MS = const(500)

_NO_LEVEL_CM = const(100000)
_STATION_KEPT = const(24)  # bytes, of a wake's


class Beacon:
    """The parts of a navaid and what they report. `works` has the clock, the alarms and `more`."""

    code = codes.PROFILE_BEACON

    def __init__(self, hal, config, errors, works):
        self._clock = clock = works.clock
        self._alarms = alarms = works.alarms
        self._power = works.power
        self._sinker = (config["station.lat_e6"], config["station.lon_e6"])
        self._stands = self._sinker != (0, 0) and not config["station.chain_dm"]
        self.gnss = GNSS()
        self._weather = _weather(hal, config, alarms)
        also = (self._weather,) if config["weather.line"] == "shared" else ()
        self._gnss_line = _receiver(hal, "gnss", config["gnss.baud"], (self.gnss,) + also, _BUFFER)
        self.ais = AISPart(hal, config, errors, alarms, also)
        self._weather_line = None
        if config["weather.line"] == "own" and hal.fitted("weather"):
            self._weather_line = _receiver(
                hal, "weather", config["weather.baud"], (self._weather,), _SLOW_BUFFER
            )
        self._lamp = LightPart(hal, config, errors, alarms, clock, self._place)
        self._light = self._lamp.light
        self._station = self._watch_station(config, works.more[:_STATION_KEPT])
        self._energy = Energy(
            hal.adc("batt_mv"),
            hal.adc("batt_ma"),
            alarms,
            config["battery.chemistry"],
            config["battery.cells"],
            config["battery.capacity_ah"],
            config["battery.warn_days"],
            config["battery.alarm_days"],
            clock.t,
            works.more[_STATION_KEPT:],
        )
        self._motion = None
        if config["motion.sensor"] != "none":
            self._motion = Motion(
                hal.i2c("motion"),
                alarms,
                config["motion.shock_mg"],
                config["motion.tilt_deg"] * 10,
                _up(config["motion.up"], errors),
            )
        self._contacts = Contacts(hal.digital("hatch"), hal.digital("water"), alarms)
        self._batt_mv = Analogue(hal.adc("batt_mv"))
        self._batt_ma = Analogue(hal.adc("batt_ma"))
        self._solar_mv = Analogue(hal.adc("solar_mv"))
        self._temp_dc = Analogue(hal.adc("temp_dc"))
        self.actions = self._lamp.actions
        self.ais.speak(config, self._said, None if self._weather is None else self._last_weather)
        self._told_weather = None
        self._told = (None, None)  # conditions of light and station, as reported last
        self.parts = self._parts()

    def _parts(self):
        parts = [(b"gnss", self._gnss_line)]
        parts += self.ais.parts
        if self._weather_line is not None:
            parts.append((b"weather", self._weather_line))
        parts += self._lamp.parts
        if self._station is not None:
            parts.append((b"station", self._station))
        parts.append((b"energy", self._energy))
        if self._motion is not None:
            parts.append((b"motion", self._motion))
        for part in (self._contacts, self._batt_mv, self._batt_ma, self._solar_mv, self._temp_dc):
            parts.append((b"inputs", part))
        return tuple(parts)

    def _watch_station(self, config, kept):
        if self._sinker == (0, 0):
            return None
        weather = self._weather
        clock = self._clock
        return Station(
            self.gnss,
            self._alarms,
            self._sinker,
            config["station.chain_dm"],
            config["station.depth_cm"],
            config["station.error_dm"],
            lambda: None if weather is None else weather.level_cm(clock.now_ms),
            clock.day,
            config["station.delay_s"] * 1000,
            config["station.flow"] == "river",
            kept or None,
        )

    @property
    def stretch(self):
        """The report interval is so many times longer, because the battery is low."""
        return self._energy.stretch

    @property
    def hurry(self):
        """Whether faster reports are wanted: it is, or may be, off station."""
        return self._station is not None and self._station.hurry

    def kept(self):
        """Return what a wake goes on with."""
        station = self._station
        return (bytes(_STATION_KEPT) if station is None else station.kept()) + self._energy.kept()

    def gather(self, agent, now_ms):
        """Hand on what does not wait for a report: the time, ships heard, a light that changed."""
        time = self.gnss.take_time()
        if time is not None:
            t, ms, at_ms = time
            agent.clock.offer(codes.CLOCK_GNSS, t, ms, at_ms, _GNSS_UNCERTAINTY_MS)
        self.ais.gather(agent, now_ms)
        told = (self._light.fault(), None if self._station is None else self._station.state)
        if told != self._told:
            if told[0] is not None and told[0] != self._told[0]:
                agent.emit(schema.LIGHT, self._light.values(now_ms))
            if told[1] != self._told[1]:
                agent.emit(schema.STATION, self._station.values(now_ms))
            self._told = (self._told[0] if told[0] is None else told[0], told[1])

    def report(self, agent, now_ms):
        """Make the every-report record, and those of what changes as fast."""
        gnss = self.gnss
        batt_ma = self._batt_ma.take_mean()
        agent.emit(
            schema.BEACON,
            (
                self._flags(batt_ma, now_ms),
                gnss.lat_e6,
                gnss.lon_e6,
                gnss.sats,
                self._light.take_peak_ma(),
                self._batt_mv.take_mean(),
                batt_ma,
                self._solar_mv.take_mean(),
                self._temp_dc.take_mean(),
            ),
        )
        if self.hurry:
            agent.emit(schema.STATION, self._station.values(now_ms))
        if self._weather is not None:
            self._told_weather = self._weather.values(now_ms)
            agent.emit(schema.WEATHER, self._told_weather)

    def detail(self, agent, now_ms):
        """Make the records of what changes slowly, and of how well the receivers hear."""
        gnss = self.gnss
        fix_age_ms = gnss.fix_age_ms(now_ms)
        agent.emit(
            schema.GNSS,
            (
                gnss.quality,
                gnss.mode,
                gnss.hdop_e2,
                gnss.alt_dm,
                gnss.sog_e2,
                gnss.cog_cd,
                None if fix_age_ms is None else fix_age_ms // 1000,
            )
            + tuple(gnss.used)
            + tuple(gnss.view)
            + (gnss.cn0_db,),
        )
        agent.emit(schema.RX, self._reception(agent, now_ms))
        agent.emit(schema.LIGHT, self._light.values(now_ms))
        if self._station is not None:
            agent.emit(schema.STATION, self._station.values(now_ms))
        agent.emit(schema.ENERGY, self._energy.values(now_ms))
        if self._motion is not None:
            agent.emit(schema.MOTION, self._motion.values(now_ms))

    def busy(self):
        """Return whether a sleep would cut something off."""
        return self._lamp.lantern.held or (self._station is not None and self._station.busy)

    def release(self):
        """Let go of everything that is held, because the agent stops."""
        self._lamp.lantern.release()

    def refused(self):
        """Return how many values were left out before the encoder saw them."""
        return 0 if self._weather is None else self._weather.malformed

    def _flags(self, batt_ma, now_ms):
        contacts = self._contacts
        station = self._station
        return (
            self._lamp.flags(now_ms)
            | flag(codes.CHARGING, None if batt_ma is None else batt_ma > _CHARGING_MA)
            | flag(codes.OFF_STATION, None if station is None else station.off)
            | flag(codes.HATCH_OPEN, contacts.hatch_open)
            | flag(codes.WATER_INSIDE, contacts.water_inside)
        )

    def _reception(self, agent, now_ms):
        ais = self.ais.ais
        weather = self._weather
        unknown = self._gnss_line.unknown + self.ais.line.unknown
        return (
            _line_health(self._gnss_line, self.gnss.malformed, now_ms)
            + _line_health(self.ais.line, ais.bad, now_ms)
            + (
                ais.ships,
                ais.statics,
                ais.bases,
                ais.atons,
                ais.others,
                ais.torn,
                ais.dropped,
                self.ais.targets.thinned,
                None,
                None,
                None,
                ais.owns,
                unknown,
                self.gnss.old_dates + agent.clock.refused,
            )
            + self.ais.values(now_ms)
            + (
                (None, None)
                if weather is None
                else (weather.lines, weather.silent_ms(now_ms) // 1000)
            )
        )

    def _place(self):
        """Return where it is, or else where it belongs; None while neither is known."""
        if self.gnss.lat_e6 is not None:
            return self.gnss.lat_e6, self.gnss.lon_e6
        return None if self._sinker == (0, 0) else self._sinker

    def _said(self, now_ms):
        gnss = self.gnss
        return self.ais.state(
            now_ms,
            self._clock.t(),
            gnss,
            self._sinker if self._stands else (gnss.lat_e6, gnss.lon_e6),
            None if self._station is None else self._station.off,
            self._light,
            self._power.mv,
            self._alarms.level(codes.ALARM_BATTERY_VOLTAGE) > 0,
        )

    def _last_weather(self, now_ms):
        return self._told_weather


def _weather(hal, config, alarms):
    if config["weather.line"] == "none":
        return None
    low_cm, high_cm = config["weather.low_cm"], config["weather.high_cm"]
    return Weather(
        alarms,
        config["weather.visibility_m"] or None,
        low_cm if low_cm > -_NO_LEVEL_CM else None,
        high_cm if high_cm < _NO_LEVEL_CM else None,
    )


def _up(text, errors):
    """Return the three numbers of "x,y,z"."""
    if text:
        words = text.split(",")
        try:
            return int(words[0]), int(words[1]), int(words[2])
        except (ValueError, IndexError):
            errors.append("settings: motion.up: not three numbers")
    return 0, 0, 1000


def _receiver(hal, port, baud, consumers, size):
    return Receiver(hal.uart(port, baud, None), consumers, bytearray(size))


def _line_health(receiver, refused, now_ms):
    assembler = receiver.assembler
    return (assembler.lines, assembler.bad + refused, receiver.silent_ms(now_ms) // 1000)
