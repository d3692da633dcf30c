"""A shore-power pile: the meter on RS-485, plug, breaker and safety loop, and the session they make."""

from agent.compat import const
from agent.meter.reader import MeterReader
from agent.meter.relay import Relay
from agent.meter.session import IDLE, Session
from agent.meter.supply import Supply
from agent.meter.use import Use
from agent.profiles.flags import flag
from agent.sense.utc import date, end_of_day
from agent.wire import codes, messages, schema

_PARITY = {"none": None, "even": 0, "odd": 1}
_STEP_MA = {"dtsd1352": 10, "adw300": 10}  # last digit of the current, where it is not 1 mA
_RX_METER_AT = const(14)  # the meter's place in the `rx` schema
_LOOK_MS = const(1000)
_DAY_S = const(86400)
_PHASES = const(3)

# Places in the values of a `meter` record, its flags left out.
_I_A = const(3)
_P = const(6)
_VALUES = const(11)


class ShorePower:
    """The parts of a pile and what they report. `works` has clock, alarms, boot number and files."""

    code = codes.PROFILE_SHOREPOWER
    stretch = 1
    hurry = False

    def __init__(self, hal, config, errors, works):
        self._plug = hal.digital("plug")
        self._breaker = hal.digital("breaker")
        self._values = [None] * _VALUES
        self._rx = [None] * (_RX_METER_AT + 3)
        self._in_use = None
        self._next_ms = 0
        self._meter = meter = _meter(hal, config, errors, works.clock)
        volt, rated_a = config["supply.nominal_v"], config["supply.rated_a"]
        self._supply = Supply(
            meter,
            works.alarms,
            volt,
            rated_a,
            config["supply.residual_ma"],
            (
                hal.adc("residual_ma"),
                hal.adc("plug_dc"),
                hal.digital("loop"),
                self._breaker,
                self._plug,
            ),
        )
        pt = config["meter.pt"]
        self._use = Use(
            works.alarms,
            config["meter.ct"],
            pt,
            config["meter.nominal_ma"],
            config["meter.start_pm"],
            _STEP_MA.get(config["meter.protocol"], 1),
            volt // pt or 1,
        )
        self._session = Session(
            works.files,
            works.boot.value,
            works.clock,
            works.alarms,
            _PHASES * volt * rated_a,
            _certified(config["meter.certified_until"], errors),
            config["session.interim_s"],
            wait_s=max(30, 2 * config["meter.period_s"] + 5),
        )
        relay = Relay(meter)
        self.actions = {
            messages.RELAY_TRIP: relay.trip,
            messages.RELAY_PERMIT: relay.permit,
            messages.SHIP: self._session.ship,
        }
        self.parts = ((b"meter", meter), (b"supply", self._supply), (b"session", self))

    def poll(self, now_ms):
        """Look once a second at who takes power, and what that is to the session."""
        if now_ms < self._next_ms:
            return self._next_ms - now_ms
        self._next_ms = now_ms + _LOOK_MS
        meter, use, session = self._meter, self._use, self._session
        values = self._values
        meter.meter_values(now_ms, values)
        p_w = values[_P]
        counts = meter.energy(now_ms)
        self._in_use = use.look(
            p_w,
            values[_I_A],
            values[_I_A + 1],
            values[_I_A + 2],
            session.imported,
            now_ms,
        )
        plug = _read(self._plug)
        closed = self._closed(now_ms)
        session.look(plug, closed, self._in_use, counts, meter.energy_ms(now_ms), now_ms)
        use.judge(plug, self._in_use, session.state != IDLE, p_w, now_ms)
        return _LOOK_MS

    def gather(self, agent, now_ms):
        """Hand on what happens to the session."""
        event = self._session.next_record()
        if event is not None:
            agent.emit(schema.SESSION, event)

    def report(self, agent, now_ms):
        """Make the every-report record, and the counts that money is settled by."""
        flags = (
            flag(codes.PLUG, _read(self._plug))
            | flag(codes.BREAKER, _read(self._breaker))
            | flag(codes.RELAY, self._meter.relay_closed(now_ms))
            | flag(codes.SAFETY_LOOP, self._supply.loop_closed)
            | flag(codes.IN_USE, self._in_use)
            | flag(codes.IN_SESSION, self._session.state != IDLE)
        )
        self._meter.meter_values(now_ms, self._values)
        agent.emit(schema.METER, [flags] + self._values)
        counts = self._meter.energy(now_ms)
        if counts is not None:
            agent.emit(schema.ENERGY_COUNT, counts)

    def detail(self, agent, now_ms):
        """Make the records that say how good the supply is, and how well the meter answers."""
        agent.emit(schema.SUPPLY, self._supply.values(now_ms))
        self._rx[_RX_METER_AT:] = (self._meter.frames, self._meter.bad, self._meter.silent)
        agent.emit(schema.RX, self._rx)

    def busy(self):
        """Return whether a sleep would cut something off: always, a pile has mains."""
        return True

    def kept(self):
        """Return what a wake goes on with: nothing, a pile does not sleep."""
        return b""

    def release(self):
        """Let the session's journal know when it was last watched."""
        self._session.release()

    def refused(self):
        """Return how many values were left out before the encoder saw them."""
        return self._meter.refused

    def _closed(self, now_ms):
        """Return whether the ship can take power: breaker and relay, as far as they are known."""
        breaker = _read(self._breaker)
        relay = self._meter.relay_closed(now_ms)
        if breaker is None or relay is None:
            return relay if breaker is None else breaker
        return breaker and relay


def _read(contact):
    return None if contact is None else bool(contact.read())


def _certified(text, errors):
    """Return when a certificate runs out, or None where none is set, or none that can be read."""
    t = end_of_day(text)
    if text and t is None:
        errors.append("settings: meter.certified_until: %s is no date YYYY-MM-DD" % text)
    return t


def _local(clock, utc_min):
    """Return what tells the meter the time: year to second, local; None while it is not sure."""

    def time(now_ms):
        # A clock that only went on by itself over a restart may be minutes off.
        if clock.source is None or clock.source >= codes.CLOCK_RTC:
            return None
        t = clock.t() + 60 * utc_min
        s = t % _DAY_S
        return date(t) + (s // 3600, s // 60 % 60, s % 60)

    return time


def meter_of(line, config, time=None):
    """Return the reader of the meter that settings name; raise ValueError where they do not fit."""
    address = config["meter.address"]
    return MeterReader(
        line,
        protocol=config["meter.protocol"],
        address="" if address == "aaaaaaaaaaaa" else address,
        unit=config["meter.unit"],
        baud=config["meter.baud"],
        pt=config["meter.pt"],
        ct=config["meter.ct"],
        period_ms=config["meter.period_s"] * 1000,
        password=config["meter.password"],
        operator=config["meter.operator"],
        time=time,
    )


def _meter(hal, config, errors, clock):
    line = hal.uart("rs485", config["meter.baud"], _PARITY[config["meter.parity"]])
    told = config["meter.tell_time"] == "yes"
    try:
        return meter_of(line, config, _local(clock, config["meter.utc_min"]) if told else None)
    except ValueError as error:
        # The settings are good one by one but not together; a pile must not be silent for that.
        errors.append("settings: meter.%s; defaults are used" % error)
        return MeterReader(line, protocol=config["meter.protocol"])
