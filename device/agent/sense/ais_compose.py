"""What an aid says of itself by AIS: messages 21, 6 and 8.

Each function appends to `bits` (ais_write.Bits). `state` is a tuple:

    t                   seconds since 2020-01-01 UTC, negative while the clock is unset
    lat_e6, lon_e6      the position, None: not known
    accuracy            True: better than 10 m
    second              UTC second of the position, None: not known
    off                 off position; None: not known
    light, racon        UNMONITORED … FAILED
    health              True: an alarm, the aid does not serve; not for a low battery or failed telemetry
    supply_mv, lamp_ma  None: not measured
    low                 the battery is low
    inputs              a byte of digital inputs, the first in its top bit
    first_mv, second_mv further voltages (solar panel …), None: nothing connected

What is beyond a field's range becomes its end. Sources: message 21, ITU-R M.1371-5, Annex 8; status
bits, IALA A-126; 6/235/10 and 6/0/0, IALA's collection of application-specific messages; 8/1/31, IMO
SN.1/Circ.289.
"""

from agent.compat import const
from agent.sense.utc import date

# Light and racon, in message 21 as in 6/235/10.
UNMONITORED = 0  # none, or nobody knows
LIGHT_ON = 1  # RACON: there is one, not monitored
LIGHT_OFF = 2  # as it should be, by day; RACON: works
FAILED = 3  # or a reduced range

_FLOATING = const(20)  # this type of aid and those above float
_SURVEYED = const(7)  # position-fixing device: none, the position was surveyed
_NAME = const(20)
_EXTENSION_MAX = const(14)
_NO_LAT = const(91000000)
_NO_LON = const(181000000)


def head(bits, kind, mmsi, dest, sequence):
    """Begin a whole message 6 or 8; ABM and BBM go without it."""
    if kind == 6:
        bits.put(b"\x06\x02\x1e\x02\x1e\x02", (6, 0, mmsi, sequence, dest, 0))
    else:
        bits.put(b"\x06\x02\x1e\x02", (8, 0, mmsi, 0))


def aton(bits, aid, state):
    """Compose message 21.

    `aid` is (MMSI, type 0 to 31, name of up to 34 characters, position-fixing device, virtual, and
    the four dimensions in metres). Off position is said of floating aids only, and with a second
    that lets a receiver believe it.
    """
    mmsi, kind, name, epfd, virtual, bow, stern, port, starboard = aid
    _, lat, lon, accuracy, second, off, light, racon, health = state[:9]
    if lat is None:
        second = None
        lat = _NO_LAT
        lon = _NO_LON
    if epfd == _SURVEYED:
        second = 61  # entered by hand
    elif second is None or off is None:
        second = 60
    bits.put(b"\x06\x02\x1e\x05", (21, 0, mmsi, kind))
    bits.text(name[:_NAME], _NAME)
    bits.put(
        b"\x01\x1c\x1b\x09\x09\x06\x06\x04\x06\x01\x03\x02\x02\x01\x01\x01\x02",
        (
            bool(accuracy),
            (3 * lon + 2) // 5,
            (3 * lat + 2) // 5,
            min(bow, 511),
            min(stern, 511),
            min(port, 63),
            min(starboard, 63),
            epfd,
            second,
            bool(off) and kind >= _FLOATING and second < 60,
            7,  # the page of the status bits
            racon,
            light,
            bool(health),
            0,
            virtual,
            0,
        ),
    )
    name = name[_NAME : _NAME + _EXTENSION_MAX]
    bits.text(name, len(name))
    bits.put(bytes((-bits.size % 8,)), (0,))


def gla(bits, dac, state):
    """Compose FI 10 of DAC 235 or 250: what a British or Irish aid reports, in steps of 50 mV."""
    bits.put(
        b"\x0a\x06\x0a\x0a\x0a\x02\x02\x01\x08\x01\x04",
        (
            dac,
            10,
            _volts(state[9]),
            _volts(state[13]),
            _volts(state[14]),
            state[7],
            state[6],
            bool(state[8]),
            state[12],
            bool(state[5]),
            0,
        ),
    )


def zeni(bits, application, state):
    """Compose DAC 0, FI 0: what many aids of Chinese waters report. The supply is direct current."""
    bits.put(
        b"\x10\x10\x0c\x0a\x01\x01\x01\x01\x06",
        (
            0,
            application,
            _clip(state[9], 100, 0, 4095, 0),
            _clip(state[10], 100, 0, 1023, 0),
            1,
            state[6] == LIGHT_ON,
            bool(state[11]),
            bool(state[5]),
            0,
        ),
    )


def weather(bits, state, values):
    """Compose DAC 1, FI 31 from the values of a `weather` record."""
    wind, bearing, gust, air, humidity, dew, pressure, seen, water, level, current, set_ = values
    t, lat, lon, accuracy = state[:4]
    if lat is None:
        lat = _NO_LAT
        lon = _NO_LON
    timed = t >= 0
    bits.put(
        b"\x0a\x06\x19\x18\x01\x05\x05\x06\x07\x07\x09\x09\x0b\x07\x0a\x09\x02\x01\x07\x0c\x02\x08\x09"
        # Not measured: two further currents, waves, swell, sea state; behind the water's temperature
        # rain, salinity, ice; and spare bits.
        b"\x08\x09\x05\x08\x09\x05\x08\x06\x09\x08\x06\x09\x04\x0a\x03\x09\x02\x0a",
        (
            1,
            31,
            (3 * lon + 25) // 50,
            (3 * lat + 25) // 50,
            bool(accuracy),
            date(t)[2] if timed else 0,
            t // 3600 % 24 if timed else 24,
            t // 60 % 60 if timed else 60,
            _miles(wind, 360, 126, 127),
            _miles(gust, 360, 126, 127),
            _bearing(bearing),
            360,
            _clip(air, 1, -600, 600, -1024),
            _clip(humidity, 10, 0, 100, 101),
            _clip(dew, 1, -200, 500, 501),
            _clip(pressure, 10, 799, 1201, 1310) - 799,
            3,
            _miles(seen, 10, 127, 0) == 127,  # farther than can be said
            _miles(seen, 10, 126, 127),
            _clip(level, 1, -1000, 3000, 3001) + 1000,
            3,
            _miles(current, 360, 251, 255),
            _bearing(set_),
            255, 360, 31, 255, 360, 31, 255, 63, 360, 255, 63, 360, 13,
            _clip(water, 1, -100, 500, 501),
            7, 510, 3, 0,
        ),
    )  # fmt: skip


def _clip(value, step, low, high, absent):
    # In units of `step`, to nearest.
    if value is None:
        return absent
    return min(max((2 * value + step) // (2 * step), low), high)


def _volts(mv):
    return _clip(mv, 50, 1, 1023, 0)


def _miles(value, factor, high, absent):
    return absent if value is None else _clip(factor * value, 1852, 0, high, 0)


def _bearing(dd):
    return 360 if dd is None else (dd + 5) // 10 % 360
