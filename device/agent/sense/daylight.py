"""Should the light be lit? What the photocell says, and what the sun says to that.

    daylight = Daylight(cell, place, clock.t, 100, 200, False, alarms)
    daylight.poll(now_ms)
    daylight.should(now_ms)     codes.SHOULD, SHOULD_NOT, SHOULD_EITHER, or None: not known

The photocell decides, because a thunderstorm is dark enough to light up. The sun decides where there
is no photocell, and where it contradicts the sun for so long that it must be broken or covered: that
is an alarm, until it has been seen to change.
"""

from agent.alarms import Limit
from agent.compat import const
from agent.sense.sun import altitude_dd
from agent.wire import codes

_SAMPLE_MS = const(1000)
_SUN_MS = const(60000)
_HOLD_MS = const(10000)  # headlights, lightning and birds are shorter
_CHANGE_MS = const(60000)

# Tenths of a degree. Between dusk and day the sun has no opinion.
_DUSK_DD = const(-60)
_DAY_DD = const(30)
_NIGHT_DD = const(-120)

# So long a photocell may say bright by night, dark by day (a thunderstorm lasts), nothing at all.
_BRIGHT_MAX_S = const(3600)
_DARK_MAX_S = const(10800)
_NOTHING_MAX_S = const(600)

_CLEARLY = const(10)  # times `off_lux`: what no lantern takes for dusk


class Daylight:
    """`photocell` reads lux (or None) and is None where there is none.

    `place()` gives (lat_e6, lon_e6) or None, `clock_t()` seconds since 2020, negative while unset.
    It is dark below `on_lux` and day above `off_lux`. `always`: the light is lit by day too. The
    lantern has a photocell of its own, which follows ours within `delay_ms`.

    `lux` is the last reading, `sun_dd` the sun's altitude in tenths of a degree; None: not known.
    """

    def __init__(
        self, photocell, place, clock_t, on_lux, off_lux, always, alarms, delay_ms=_CHANGE_MS
    ):
        self.lux = None
        self.sun_dd = None
        self._photocell = photocell
        self._place = place
        self._clock_t = clock_t
        self._off_lux = off_lux = max(off_lux, on_lux + 1)
        self._always = always
        self._alarms = alarms
        self._dark = Limit(on_lux, off_lux, _HOLD_MS, _HOLD_MS)
        self._doubted = False
        self._state = None  # which one is contradicted, or doubted
        self._since_ms = 0
        self._delay_ms = delay_ms
        self._changed_ms = -delay_ms
        self._next_ms = self._sun_ms = 0

    @property
    def dark_now(self):
        """Whether the photocell measures darkness; None without one that can be believed."""
        return None if self._doubted else self._dark.state

    @property
    def bright(self):
        """Whether it is day beyond doubt, by photocell and sun; None where one of them is silent."""
        if self.lux is None or self.sun_dd is None or self._doubted:
            return None
        return self.lux >= _CLEARLY * self._off_lux and self.sun_dd > _DAY_DD

    def poll(self, now_ms):
        """Read the photocell when it is due; return the milliseconds until the next time."""
        if now_ms >= self._next_ms:
            self._next_ms = now_ms + _SAMPLE_MS
            if self._photocell is not None:
                self.lux = self._photocell.read()
                before = self._dark.state
                if self._dark.look(self.lux, now_ms) != before and before is not None:
                    self._changed_ms = now_ms
            if now_ms >= self._sun_ms:
                self._sun_ms = now_ms + _SUN_MS
                self._compare(now_ms)
        return self._next_ms - now_ms

    def should(self, now_ms):
        """Return codes.SHOULD_NOT, SHOULD, SHOULD_EITHER, or None while nothing is known."""
        if self._always:
            return codes.SHOULD
        sun = self._sun_says()
        if self.lux is None or self.dark_now is None:
            return sun
        cell = codes.SHOULD if self.dark_now else codes.SHOULD_NOT
        # The lantern's thresholds are others than ours. By night they are no excuse: lamps of a
        # quay that keep it near them for hours would hide a light that has failed.
        near = self._dark.on <= 2 * self.lux and self.lux <= 2 * self._off_lux
        if (near and sun != cell) or now_ms - self._changed_ms < self._delay_ms:
            return codes.SHOULD_EITHER
        return cell

    def _sun_says(self):
        if self.sun_dd is None:
            return None
        if _DUSK_DD <= self.sun_dd <= _DAY_DD:
            return codes.SHOULD_EITHER
        return codes.SHOULD if self.sun_dd < _DUSK_DD else codes.SHOULD_NOT

    def _compare(self, now_ms):
        place = self._place()
        t = self._clock_t()
        self.sun_dd = sun = None
        if place is not None and t >= 0:
            self.sun_dd = sun = altitude_dd(t, place[0], place[1])
        if self._photocell is None:
            return
        # Does the photocell say what cannot be, and for how long?
        state = None if self.lux is None else self._dark.state
        if self._doubted:
            self._doubted = state is None or state == self._state
        else:
            wrong_s = 0
            if self.lux is None:
                wrong_s = _NOTHING_MAX_S
            elif state is not None and sun is not None:
                if state and sun > _DAY_DD:
                    wrong_s = _DARK_MAX_S
                elif not state and sun < _NIGHT_DD:
                    wrong_s = _BRIGHT_MAX_S
            if not wrong_s or state != self._state:
                self._since_ms = now_ms
            self._state = state
            self._doubted = now_ms - self._since_ms >= wrong_s * 1000 > 0
        if self._doubted or state is not None:
            self._alarms.set(
                codes.ALARM_SENSOR,
                codes.LEVEL_WARNING if self._doubted else 0,
                (now_ms - self._since_ms) // 1000,
                None,
                codes.SENSOR_PHOTOCELL,
            )
