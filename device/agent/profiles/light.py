"""What a navaid has of a light: the lantern seen from outside, whether it should be lit, and asking it.

part = LightPart(hal, config, errors, alarms, clock, place)
part.light, part.daylight, part.lantern
part.flags(now_ms)          its bits of the `beacon` record
"""

from agent.profiles.flags import flag
from agent.sense import character
from agent.sense.daylight import Daylight
from agent.sense.lantern import Lantern
from agent.sense.light import Light
from agent.wire import codes, messages


class LightPart:
    """`place()` returns (lat_e6, lon_e6) or None."""

    def __init__(self, hal, config, errors, alarms, clock, place):
        lamp = hal.adc("lamp_ma")
        self.lantern = Lantern(
            hal.output("lantern"), hal.output("lamp_test"), lamp, hal.adc("solar_mv")
        )
        self.daylight = Daylight(
            hal.adc("lux"),
            place,
            clock.t,
            config["light.on_lux"],
            config["light.off_lux"],
            config["light.always"] == "yes",
            alarms,
            config["light.delay_s"] * 1000,
        )
        contact = config["light.sensor"] == "contact"
        if contact and lamp is not None:
            lamp = _Contact(lamp, config["lamp.on_ma"])
        self.light = Light(
            lamp,
            _character(config["light.character"], errors),
            self.daylight,
            alarms,
            clock.gnss_day_ms,
            config["lamp.on_ma"],
            config["light.reduced_ma"],
            contact,
            config["light.sync"] == "yes",
            self.lantern.asking,
            config["lamp.dark_s"],
        )
        self.actions = {
            messages.LAMP_TEST: self.lantern.test,
            messages.LAMP_MODE: self.lantern.mode,
        }
        self.parts = (
            (b"lamp", self.light),
            (b"light", self.daylight),
            (b"lantern", self.lantern),
        )

    def flags(self, now_ms):
        """Return what is known: lit, should be lit, light fault, lantern held."""
        should = self.daylight.should(now_ms)
        if should == codes.SHOULD_EITHER:
            should = None
        return (
            flag(codes.LIT, self.light.lit(now_ms))
            | flag(codes.SHOULD_BE_LIT, should)
            | flag(codes.LIGHT_FAULT, self.light.fault())
            | flag(codes.LANTERN_HELD, self.lantern.held)
        )


class _Contact:
    """A lantern's bare contact at the lamp input: 0 or 1."""

    def __init__(self, reader, on):
        self._reader = reader
        self._on = on

    def read(self):
        return int(self._reader.read() >= self._on)


def _character(text, errors):
    """Return the light's character; None where none is set, or none that can be read."""
    if not text:
        return None
    try:
        return character.read(text)
    except ValueError as error:
        errors.append("settings: light.character: %s" % error)
        return None
