"""How the aid moves: tilt, rolling, and blows.

    motion = Motion(hal.i2c("motion"), alarms, shock_mg=2500, tilt_dd=450, up=(0, 0, 1000))
    motion.values(now_ms)       values of a `motion` record
    motion.upright()            the mean acceleration in mg: what `up` has to be, while it stands upright

An accelerometer feels gravity and the waves together, so three views of its samples are kept: a mean
over ten seconds, which is how the aid lies; one over a third of a second, which is how it rolls; and
each sample against that, which is what strikes it. A sea lifts a buoy by ±1 g within seconds; a ship
that strikes it does so within a hundredth of one. A collision is therefore a sample `shock_mg` beside
the fast mean, with a change of a quarter of that from one sample to the next nearby.

A chip that does not answer is asked again every few seconds, and missed after a minute; what it does
not say is not known, and ends no alarm.
"""

from array import array

from agent.compat import const
from agent.sense.lis3dh import LIS3DH
from agent.wire.codes import (
    ALARM_COLLISION,
    ALARM_SENSOR,
    ALARM_TILT,
    LEVEL_ALARM,
    LEVEL_WARNING,
    SENSOR_MOTION,
)

_POLL_MS = const(60)
_CHUNKS_MAX = const(4)  # of a poll: a full FIFO
_RETRY_MS = const(5000)
_SILENT_MS = const(2000)  # the chip answers and measures nothing: it was reset, and is set up anew
_MISSED_MS = const(60000)

_UNIT_MG = const(12)  # samples are taken as twelve bits
_BYTES = const(48)  # of a chunk: lis3dh.CHUNK samples
_SETTLED = const(250)  # chunks until the slow mean is one: ten seconds
_SECOND = const(25)  # chunks
_LOOK = const(8)  # chunks from one fast tilt to the next
_SWAY = const(40)  # 60 mg, 3.4 degrees, in an eighth of a unit: less is no rolling
_ROLLS_MIN = const(5)

_BLOW_CHUNKS = const(25)  # chunks that belong to one blow, with its ringing,
_PEAK_LEFT = const(22)  # and how many are left when its peak has been
_QUIET_S = const(600)

_TILTED_S = const(60)  # a squall or a tow lays a buoy down for less
_UPRIGHT_S = const(300)
_TILT_BACK_DD = const(100)
_G_MIN = const(3700)  # 0.7 and 1.3 g: a mean beyond is no gravity, and the chip is not believed
_G_MAX = const(6900)
_ONE = const(8192)  # length of a vector when angles are taken: sums of squares stay small integers

# Places in the state. Vectors take three.
_SLOW = const(0)  # mean over 10 s, × 4096
_FAST = const(3)  # mean over 0.3 s, × 8
_LAST = const(6)  # the sample before
_SIDE = const(9)  # of the slow mean that the fast one was on
_SWING = const(12)  # how far it swung, summed up,
_ROLLS = const(15)  # and how often it came over
_QUIET = const(18)  # seconds since the last blow
_TURN = const(19)  # seconds that the tilt has been otherwise than told
_TILTS = const(20)  # sum of the slow tilts since the last record
_SECONDS = const(21)  # and their number
_SUM = const(22)  # of the present chunk
_UP = const(25)  # upwards when the aid is upright
_PEAK = const(28)  # square of the greatest acceleration besides gravity, since the last record,
_NEAR = const(29)  # of the chunk before,
_JERK = const(30)  # with that of its greatest change,
_BLOW = const(31)  # of the present blow,
_LEFT = const(32)  # which lasts for so many chunks more
_BLOW_MG = const(33)  # the last blow, while it is told
_TILT_MAX = const(34)
_SIZE = const(35)


class Motion:
    """`bus` (hal.i2c) is None where no chip is fitted; `up` points upwards when the aid is upright.

    `errors` counts what failed on the bus; `chip.overruns` how often samples were lost.
    """

    def __init__(self, bus, alarms, shock_mg=2500, tilt_dd=450, up=(0, 0, 1000)):
        self.chip: LIS3DH = None if bus is None else LIS3DH(bus)  # type: ignore[assignment]
        self.errors = 0
        self.shocks = 0
        self._alarms = alarms
        self._shock_mg = shock_mg
        self._tilt_dd = tilt_dd
        self._state = s = array("i", bytes(4 * _SIZE))
        n = isqrt(up[0] * up[0] + up[1] * up[1] + up[2] * up[2]) or 1
        for k in range(3):
            s[_UP + k] = up[k] * _ONE // n
        s[_PEAK] = s[_TILT_MAX] = -1
        self._chunks = 0  # since the chip was started, 0: it is not
        self._next_ms = 0
        self._heard_ms = None  # when it last gave samples,
        self._silent_ms = 0  # and since when it has not, or not since it was started
        self._record_ms = 0

    def poll(self, now_ms):
        """Take what the chip has measured; return the milliseconds until the next look."""
        if self.chip is None:
            return _MISSED_MS
        if self._heard_ms is None:
            self._heard_ms = self._record_ms = now_ms
        if now_ms < self._next_ms:
            return self._next_ms - now_ms
        self._next_ms = now_ms + _POLL_MS
        try:
            if not self._chunks:
                self.chip.start()
                self._chunks = 1
                self._silent_ms = now_ms
            for _ in range(_CHUNKS_MAX):
                if not self.chip.take():
                    break
                self._heard_ms = self._silent_ms = now_ms
                self._take()
            if now_ms - self._silent_ms >= _SILENT_MS:
                self._fail(now_ms)
        except OSError:
            self._fail(now_ms)
        return self._next_ms - now_ms

    def values(self, now_ms):
        """Return the values of a `motion` record, and begin the next one's."""
        s = self._state
        tilt_dd = tilt_max_dd = roll_ds = peak_mg = None
        if s[_SECONDS]:
            tilt_dd = s[_TILTS] // s[_SECONDS]
        if s[_TILT_MAX] >= 0:
            tilt_max_dd = s[_TILT_MAX]
        if s[_PEAK] >= 0:
            peak_mg = min(isqrt(s[_PEAK]) * _UNIT_MG, 32767)
            axis = -1
            for k in range(3):
                # What points upwards heaves; the others roll.
                if s[_UP + k] * s[_UP + k] < _ONE * _ONE // 2:
                    if axis < 0 or s[_SWING + k] > s[_SWING + axis]:
                        axis = k
            if s[_ROLLS + axis] >= _ROLLS_MIN:
                roll_ds = min((now_ms - self._record_ms) // 100 // s[_ROLLS + axis], 9999)
        values = (tilt_dd, tilt_max_dd, roll_ds, peak_mg, self.shocks)
        for i in range(_SWING, _QUIET):
            s[i] = 0
        s[_TILTS] = s[_SECONDS] = 0
        self._record_ms = now_ms
        s[_PEAK] = s[_TILT_MAX] = -1
        return values if self.chip is not None else (None,) * 5

    def upright(self):
        """Return the mean acceleration (x, y, z) in mg, None while it is not known."""
        if self._chunks < _SETTLED:
            return None
        s = self._state
        return (s[0] * _UNIT_MG >> 12, s[1] * _UNIT_MG >> 12, s[2] * _UNIT_MG >> 12)

    def _fail(self, now_ms):
        self.errors += 1
        self._chunks = self._state[_LEFT] = 0
        self._next_ms = now_ms + _RETRY_MS
        silent_ms = now_ms - self._heard_ms
        if silent_ms >= _MISSED_MS:
            self._alarms.set(
                ALARM_SENSOR, LEVEL_WARNING, silent_ms // 1000, _MISSED_MS // 1000, SENSOR_MOTION
            )

    def _take(self):
        """Take the samples in the chip's buffer."""
        s = self._state
        data = self.chip.data
        far = jerk = away = step = 0
        for i in range(0, _BYTES, 2):
            k = i % 6 >> 1
            value = ((data[i + 1] ^ 128) - 128) << 4 | data[i] >> 4
            s[_SUM + k] += value
            change = value - (s[_FAST + k] >> 3)
            away += change * change
            change = value - s[_LAST + k]
            step += change * change
            s[_LAST + k] = value
            if k == 2:
                far = max(far, away)
                jerk = max(jerk, step)
                away = step = 0
        first = self._chunks == 1
        fresh = first or self.chip.overrun  # there is nothing to hold these samples against
        for k in range(3):
            total = s[_SUM + k]
            s[_SUM + k] = 0
            if fresh:
                s[_FAST + k] = total
            if first:
                s[_SLOW + k] = total << 9
            s[_FAST + k] += (total - s[_FAST + k]) >> 3
            s[_SLOW + k] += ((total << 9) - s[_SLOW + k]) >> 8
            away = s[_FAST + k] - (s[_SLOW + k] >> 9)
            s[_SWING + k] += abs(away) >> 3
            if abs(away) > _SWAY:
                side = 1 if away > 0 else -1
                if side > s[_SIDE + k] and s[_SIDE + k]:
                    s[_ROLLS + k] += 1
                s[_SIDE + k] = side
        if fresh:
            s[_NEAR] = s[_JERK] = 0
        else:
            self._strike(far, jerk)
        self._chunks += 1
        if self._chunks % _LOOK == 0:
            s[_TILT_MAX] = max(s[_TILT_MAX], self._tilt(_FAST, 0))
        if self._chunks % _SECOND == 0:
            self._second()

    def _strike(self, far, jerk):
        """Take the squares of a chunk's farthest sample and greatest change."""
        s = self._state
        s[_PEAK] = max(s[_PEAK], far)
        if s[_LEFT]:
            s[_LEFT] -= 1
            s[_BLOW] = max(s[_BLOW], far)
            if s[_LEFT] == _PEAK_LEFT:
                s[_BLOW_MG] = isqrt(s[_BLOW]) * _UNIT_MG
                s[_QUIET] = 0
        else:
            # Both may lie on either side of where two chunks meet.
            limit = self._shock_mg // _UNIT_MG
            limit *= limit
            blow = max(far, s[_NEAR])
            if blow >= limit and max(jerk, s[_JERK]) >= limit >> 4:
                self.shocks += 1
                s[_BLOW] = blow
                s[_LEFT] = _BLOW_CHUNKS
        s[_NEAR] = far
        s[_JERK] = jerk

    def _second(self):
        """Judge how the aid lies, and tell."""
        s = self._state
        alarms = self._alarms
        alarms.set(ALARM_SENSOR, 0, None, None, SENSOR_MOTION)
        s[_QUIET] += 1
        if s[_QUIET] >= _QUIET_S:
            s[_QUIET] = _QUIET_S
            s[_BLOW_MG] = 0
            alarms.set(ALARM_COLLISION, 0)
        elif s[_BLOW_MG]:
            alarms.set(ALARM_COLLISION, LEVEL_ALARM, s[_BLOW_MG], self._shock_mg)
        tilt_dd = self._tilt(_SLOW, 6) if self._chunks >= _SETTLED else None
        if tilt_dd is None:
            s[_TURN] = 0
            return
        s[_TILTS] += tilt_dd
        s[_SECONDS] += 1
        told = alarms.level(ALARM_TILT)
        beyond = tilt_dd >= self._tilt_dd
        if told and not beyond:
            beyond = tilt_dd >= self._tilt_dd - _TILT_BACK_DD
        s[_TURN] = s[_TURN] + 1 if beyond != (told > 0) else 0
        if s[_TURN] >= (_UPRIGHT_S if told else _TILTED_S):
            alarms.set(ALARM_TILT, LEVEL_ALARM if beyond else 0, tilt_dd, self._tilt_dd)

    def _tilt(self, at, shift):
        """Return the angle between a mean and `up`, None where the slow one is no gravity.

        By the half angle: of two vectors of one length, difference and sum are as its sine and cosine.
        """
        s = self._state
        x, y, z = s[at] >> shift, s[at + 1] >> shift, s[at + 2] >> shift
        n = isqrt(x * x + y * y + z * z) or 1
        if shift and not _G_MIN <= n <= _G_MAX:
            return None
        sine = cosine = 0
        for k in range(3):
            x = (s[at + k] >> shift) * _ONE // n
            sine += (x - s[_UP + k]) * (x - s[_UP + k])
            cosine += (x + s[_UP + k]) * (x + s[_UP + k])
        sine = isqrt(sine)
        cosine = isqrt(cosine)
        if sine > cosine:
            return 1800 - _twice_arctan(cosine, sine)
        return _twice_arctan(sine, cosine)


def _twice_arctan(a, b):
    """Return 2·arctan(a / b) in 0.1 degrees for 0 <= a <= b, within 0.2 degrees.

    π/4·z + z·(1 - z)·(0.2447 + 0.0663·z): Rajan and others, IEEE Signal Processing Magazine, May 2006.
    """
    z = (a << 10) // (b or 1)
    return (900 * z + (z * (1024 - z) >> 10) * (280 + (76 * z >> 10))) >> 10


def isqrt(n):
    """Return the integer part of the square root, by Newton's steps."""
    root = 1 << 15 if n < 1 << 30 else n
    while n:
        step = (root + n // root) >> 1
        if step >= root:
            return root
        root = step
    return 0
