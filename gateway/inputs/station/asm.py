"""Application-specific AIS messages (types 6 and 8) that aids to navigation send.

    found = decode(message, bits)   # the whole message, most significant bit first

`pyais` puts sentences together and gives the bits: `NMEAMessage.bv`. Read are

    6 or 8, DAC 235, 250, 366, FI 10    AidReport: voltages, light, racon (GLA; IALA's collection)
    6, DAC 0, FI 0                      SupplyReport (Zeni Lite; IALA's collection)
    8, DAC 1, FI 31                     Weather (IMO SN.1/Circ.289)
    6, DAC 235, FI 20                   BuoyPosition (Trinity House)

Values are integers, as in Fairway's own records: `_e6` degrees·10⁶, `_mv` millivolts, `_dc` tenths of a
degree Celsius. None is "not available"; codes that a newer or an older edition used for it are None too,
because transmitters mix them.
"""

from typing import NamedTuple

_APPLICATION_BIT = {6: 72, 8: 40}
_AID_DACS = (235, 250, 366)

# How many bits of application data each needs; spare ones behind them and padding are left unread.
_AID_BITS, _SUPPLY_BITS, _BUOY_BITS, _WEATHER_BITS = 44, 42, 276, 294

_NAME_CHARACTERS = 34
_LAT_MAX_E3, _LON_MAX_E3 = 90 * 60_000, 180 * 60_000  # 1/1,000 minute
_LAT_MAX_E4, _LON_MAX_E4 = 90 * 600_000, 180 * 600_000  # 1/10,000 minute


class AidReport(NamedTuple):
    """What a GLA aid says of itself; voltages are None where nothing is connected.

    `racon` is 0 none, 1 not monitored, 2 works, 3 failed; `light` 0 none or not monitored, 1 on, 2 off,
    3 failed. `inputs` has the first digital input in its top bit. `off_position` means something of
    floating aids only.
    """

    supply_mv: int | None
    first_mv: int | None
    second_mv: int | None
    racon: int
    light: int
    alarm: bool
    inputs: int
    off_position: bool


class SupplyReport(NamedTuple):
    """What a Zeni Lite aid says of itself. Voltage and current have no code for "not available"."""

    application: int
    supply_mv: int
    supply_ma: int
    direct_current: bool
    light_on: bool
    battery_low: bool
    off_position: bool


class BuoyPosition(NamedTuple):
    """A buoy's name and position; the time is of this month, each part None if not given."""

    name: str
    day: int | None
    hour: int | None
    minute: int | None
    lat_e6: int | None
    lon_e6: int | None
    off_position: bool


class Current(NamedTuple):
    """A water current at a depth; the surface has None."""

    speed_dkn: int | None
    direction_deg: int | None
    depth_m: int | None


class Weather(NamedTuple):
    """Weather and water of one place.

    `visibility_beyond`: it is at least so far. Speeds, visibility and levels at the end of their field
    mean that or more. `tendency` and `level_trend` are 0 steady, 1 falling, 2 rising.
    """

    lat_e6: int | None
    lon_e6: int | None
    accuracy: bool
    day: int | None
    hour: int | None
    minute: int | None
    wind_kn: int | None
    gust_kn: int | None
    wind_deg: int | None
    gust_deg: int | None
    air_dc: int | None
    humidity: int | None
    dew_dc: int | None
    pressure_hpa: int | None
    tendency: int | None
    visibility_beyond: bool
    visibility_dnm: int | None
    level_cm: int | None
    level_trend: int | None
    currents: tuple[Current, Current, Current]
    wave_dm: int | None
    wave_s: int | None
    wave_deg: int | None
    swell_dm: int | None
    swell_s: int | None
    swell_deg: int | None
    sea_bft: int | None
    water_dc: int | None
    precipitation: int | None
    salinity_dppt: int | None
    ice: int | None


Content = AidReport | SupplyReport | BuoyPosition | Weather


class Application(NamedTuple):
    """A message and what it says; `dest` is None in message 8, `content` None if it is not read here."""

    kind: int
    mmsi: int
    dest: int | None
    dac: int
    fi: int
    content: Content | None


def decode(message: bytes, bits: int) -> Application:
    """Decode a whole message 6 or 8 of `bits` bits.

    Raises:
        ValueError: it is another message, or shorter than its kind.
    """
    reader = _Reader(message, bits)
    kind = reader.unsigned(6)
    if kind not in _APPLICATION_BIT:
        raise ValueError(f"message {kind} carries no application data")
    mmsi = reader.unsigned(30, at=8)
    dest = reader.unsigned(30, at=40) if kind == 6 else None
    dac = reader.unsigned(10, at=_APPLICATION_BIT[kind])
    fi = reader.unsigned(6)
    content: Content | None = None
    if dac in _AID_DACS and fi == 10:
        content = _aid(reader)
    elif (kind, dac, fi) == (6, 0, 0):
        content = _supply(reader)
    elif (kind, dac, fi) == (8, 1, 31):
        content = _weather(reader)
    elif (kind, dac, fi) == (6, 235, 20):
        content = _buoy(reader)
    return Application(kind, mmsi, dest, dac, fi, content)


class _Reader:
    """Takes fields one behind the other."""

    def __init__(self, message: bytes, bits: int) -> None:
        if not 0 <= bits <= 8 * len(message):
            raise ValueError(f"{bits} bits in {len(message)} bytes")
        self._number = int.from_bytes(message, "big") >> (8 * len(message) - bits)
        self._bits = bits
        self._at = 0

    def need(self, bits: int) -> None:
        """Raise ValueError if fewer bits are left."""
        if self._bits - self._at < bits:
            raise ValueError(f"{self._bits - self._at} bits of application data, not {bits}")

    def unsigned(self, width: int, *, at: int | None = None) -> int:
        if at is not None:
            self._at = at
        self.need(width)
        self._at += width
        return self._number >> (self._bits - self._at) & ((1 << width) - 1)

    def signed(self, width: int) -> int:
        value = self.unsigned(width)
        return value - (1 << width) if value >> (width - 1) else value

    def flag(self) -> bool:
        return bool(self.unsigned(1))

    def upto(self, width: int, high: int, low: int = 0) -> int | None:
        """Return a number, None if it is beyond what has a meaning."""
        value = self.unsigned(width)
        return value if low <= value <= high else None

    def between(self, width: int, low: int, high: int) -> int | None:
        """Return a signed number, None if it is beyond what has a meaning."""
        value = self.signed(width)
        return value if low <= value <= high else None

    def place(
        self, lon_width: int, lat_width: int, lon_max: int, lat_max: int
    ) -> tuple[int | None, int | None]:
        """Return latitude and longitude in degrees·10⁶, to nearest; longitude comes first."""
        lon = self.signed(lon_width)
        lat = self.signed(lat_width)
        if not (-lon_max <= lon <= lon_max and -lat_max <= lat <= lat_max):
            return None, None
        unit = lat_max // 90
        return (2_000_000 * lat + unit) // (2 * unit), (2_000_000 * lon + unit) // (2 * unit)

    def text(self, length: int) -> str:
        """Return six-bit characters up to the first `@`, without blanks at the end."""
        codes = [self.unsigned(6) for _ in range(length)]
        return "".join(chr(c + 64 if c < 32 else c) for c in codes).partition("@")[0].rstrip()


def _aid(reader: _Reader) -> AidReport:
    reader.need(_AID_BITS)
    volts = [reader.unsigned(10) for _ in range(3)]
    first, second, third = (50 * value or None for value in volts)
    return AidReport(
        first,
        second,
        third,
        racon=reader.unsigned(2),
        light=reader.unsigned(2),
        alarm=reader.flag(),
        inputs=reader.unsigned(8),
        off_position=reader.flag(),
    )


def _supply(reader: _Reader) -> SupplyReport:
    reader.need(_SUPPLY_BITS)
    return SupplyReport(
        application=reader.unsigned(16),
        supply_mv=100 * reader.unsigned(12),
        supply_ma=100 * reader.unsigned(10),
        direct_current=reader.flag(),
        light_on=reader.flag(),
        battery_low=reader.flag(),
        off_position=reader.flag(),
    )


def _buoy(reader: _Reader) -> BuoyPosition:
    reader.need(_BUOY_BITS)
    name = reader.text(_NAME_CHARACTERS)
    day = reader.upto(5, 31, low=1)
    hour = reader.upto(5, 23)
    minute = reader.upto(6, 59)
    lat, lon = reader.place(28, 27, _LON_MAX_E4, _LAT_MAX_E4)
    return BuoyPosition(name, day, hour, minute, lat, lon, reader.flag())


def _weather(reader: _Reader) -> Weather:
    reader.need(_WEATHER_BITS)
    lat, lon = reader.place(25, 24, _LON_MAX_E3, _LAT_MAX_E3)
    return Weather(
        lat,
        lon,
        accuracy=reader.flag(),
        day=reader.upto(5, 31, low=1),
        hour=reader.upto(5, 23),
        minute=reader.upto(6, 59),
        wind_kn=reader.upto(7, 126),
        gust_kn=reader.upto(7, 126),
        wind_deg=reader.upto(9, 359),
        gust_deg=reader.upto(9, 359),
        air_dc=reader.between(11, -600, 600),
        humidity=reader.upto(7, 100),
        dew_dc=reader.between(10, -200, 500),
        pressure_hpa=_plus(reader.upto(9, 402), 799),
        tendency=reader.upto(2, 2),
        visibility_beyond=reader.flag(),
        visibility_dnm=reader.upto(7, 126),
        level_cm=_plus(reader.upto(12, 4000), -1000),
        level_trend=reader.upto(2, 2),
        currents=(_current(reader, 0), _current(reader, 5), _current(reader, 5)),
        wave_dm=reader.upto(8, 251),
        wave_s=reader.upto(6, 60),
        wave_deg=reader.upto(9, 359),
        swell_dm=reader.upto(8, 251),
        swell_s=reader.upto(6, 60),
        swell_deg=reader.upto(9, 359),
        sea_bft=reader.upto(4, 12),
        water_dc=reader.between(10, -100, 500),
        precipitation=reader.upto(3, 6),
        salinity_dppt=reader.upto(9, 501),
        ice=reader.upto(2, 1),
    )


def _current(reader: _Reader, depth_bits: int) -> Current:
    speed = reader.upto(8, 251)
    direction = reader.upto(9, 359)
    return Current(speed, direction, reader.upto(depth_bits, 30) if depth_bits else None)


def _plus(value: int | None, offset: int) -> int | None:
    return None if value is None else value + offset
