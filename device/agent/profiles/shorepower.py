"""A shore-power pile: the meter on RS-485, the plug and the breaker."""

from agent.compat import const
from agent.meter.reader import MeterReader
from agent.meter.relay import Relay
from agent.wire import codes, messages, schema

_PARITY = {"none": None, "even": 0, "odd": 1}
_RX_METER_AT = const(14)  # the meter's place in the `rx` schema


class ShorePower:
    """The parts of a pile and what they report."""

    code = codes.PROFILE_SHOREPOWER

    def __init__(self, hal, config, errors):
        self._plug = hal.digital("plug")
        self._breaker = hal.digital("breaker")
        self._values = [None] * len(schema.SCHEMAS[schema.METER][3])
        self._rx = [None] * (_RX_METER_AT + 3)
        self._meter = _meter(hal, config, errors)
        relay = Relay(self._meter)
        self.actions = {messages.RELAY_TRIP: relay.trip, messages.RELAY_PERMIT: relay.permit}
        self.parts = ((b"meter", self._meter),)

    def gather(self, agent, now_ms):
        """Do nothing: a pile has nothing to tell between reports."""

    def report(self, agent, now_ms):
        """Make the every-report record, and the counts that money is settled by."""
        values = self._values
        values[0] = (
            _flag(codes.PLUG, self._plug and self._plug.read())
            | _flag(codes.BREAKER, self._breaker and self._breaker.read())
            | _flag(codes.RELAY, self._meter.relay_closed(now_ms))
        )
        self._meter.meter_values(now_ms, values, 1)
        agent.emit(schema.METER, values)
        counts = self._meter.energy(now_ms)
        if counts is not None:
            agent.emit(schema.ENERGY_COUNT, counts)

    def detail(self, agent, now_ms):
        """Make the record that says how well the meter answers."""
        self._rx[_RX_METER_AT:] = (self._meter.frames, self._meter.bad, self._meter.silent)
        agent.emit(schema.RX, self._rx)

    def busy(self):
        """Return whether a sleep would cut something off: always, a pile has mains."""
        return True

    def release(self):
        """Do nothing: nothing is held."""

    def refused(self):
        """Return how many values were left out before the encoder saw them."""
        return self._meter.refused


def _meter(hal, config, errors):
    parity = _PARITY[config["meter.parity"]]
    line = hal.uart("rs485", config["meter.baud"], parity)
    address = config["meter.address"]
    try:
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
        )
    except ValueError as error:
        # The settings are good one by one but not together; a pile must not be silent for that.
        errors.append("settings: meter.%s; defaults are used" % error)
        return MeterReader(line, protocol=config["meter.protocol"])


def _flag(bit, value):
    """Return a state and the bit that says it is known; nothing when it is not."""
    if value is None:
        return 0
    return bit << codes.KNOWN_SHIFT | (bit if value else 0)
