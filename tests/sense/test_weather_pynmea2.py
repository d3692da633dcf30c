"""Weather sentences of every type, read by pynmea2 and by the agent."""

import random
from collections.abc import Callable

import pynmea2
import pytest

from agent.alarms import Alarms
from agent.sense.nmea import Assembler
from agent.sense.weather import Weather

WIND, WIND_DD, GUST, AIR, HUMIDITY, DEW, PRESSURE, VISIBILITY, WATER, LEVEL, CURRENT, SET = range(
    12
)
KNOT = 1852 / 3600
UNITS = {"M": 1.0, "N": KNOT, "K": 1 / 3.6, "S": 0.44704}


def values_of(line: str) -> tuple[tuple[int | None, ...], Weather]:
    weather = Weather(Alarms(), zero_dd=0)
    assembler = Assembler()
    data = line.encode()
    assembler.feed(data, len(data))
    sentence = assembler.next_sentence()
    if sentence is not None:
        weather.take(sentence, 1000)
    return weather.values(1000), weather


def number(rng: random.Random, low: float, high: float) -> str:
    return f"{rng.uniform(low, high):.{rng.randrange(4)}f}"


def mwv(rng: random.Random) -> tuple[str, ...]:
    speed = number(rng, 0, 60)
    return (number(rng, 0, 359), rng.choice("RT"), speed, rng.choice("MNKS"), rng.choice("AAAV"))


def mwd(rng: random.Random) -> tuple[str, ...]:
    speed = rng.uniform(0, 60)
    metres = f"{speed:.1f}" if rng.random() < 0.7 else ""
    return (number(rng, 0, 359), "T", "", "M", f"{speed / KNOT:.2f}", "N", metres, "M")


def mda(rng: random.Random) -> tuple[str, ...]:
    bars = rng.uniform(0.9, 1.05)
    return (
        f"{bars / 0.0338639:.2f}", "I", f"{bars:.4f}" if rng.random() < 0.7 else "", "B",
        number(rng, -40, 50), "C", number(rng, -2, 35), "C", number(rng, 0, 100), "",
        number(rng, -40, 30), "C", number(rng, 0, 359), "T", "", "M",
        number(rng, 0, 100), "N", "", "M",
    )  # fmt: skip


def mtw(rng: random.Random) -> tuple[str, ...]:
    return (number(rng, -2, 35), "C")


def vdr(rng: random.Random) -> tuple[str, ...]:
    return (number(rng, 0, 359), "T", number(rng, 0, 359), "M", number(rng, 0, 9), "N")


def vwr(rng: random.Random) -> tuple[str, ...]:
    return (number(rng, 0, 180), rng.choice("LR"), number(rng, 0, 90), "N", "", "M", "", "K")


def xdr(rng: random.Random) -> tuple[str, ...]:
    quads = [
        ("C", number(rng, -40, 50), "C", "AirTemp"),
        ("C", number(rng, -2, 35), "C", "WaterTemp"),
        ("C", number(rng, 0, 99), "C", "Engine#0"),
        ("P", f"{rng.uniform(0.9, 1.05):.5f}", "B", "Baro"),
        ("H", number(rng, 0, 100), "P", "Air"),
        ("D", number(rng, -5, 12), "M", "WaterLevel"),
        ("D", number(rng, 0, 20000), "M", "Visibility"),
    ]
    rng.shuffle(quads)
    return tuple(field for quad in quads[: rng.randrange(1, 8)] for field in quad)


def metres_a_second(knots: object, metres: object) -> float | None:
    if metres not in (None, ""):
        return float(str(metres))
    return float(str(knots)) * KNOT if knots not in (None, "") else None


def expected(m: pynmea2.NMEASentence) -> dict[int, float | None]:
    """Return what pynmea2 has, in the record's units; directions are in tenths of a degree."""
    kind = m.sentence_type
    if kind == "MWV":
        if m.status != "A":
            return {}
        speed = float(m.wind_speed) * UNITS[m.wind_speed_units]
        return {WIND: speed * 10, WIND_DD: float(m.wind_angle) * 10 if speed >= 0.3 else None}
    if kind == "MWD":
        speed = metres_a_second(m.wind_speed_knots, m.wind_speed_meters) or 0.0
        return {WIND: speed * 10, WIND_DD: float(m.direction_true) * 10 if speed >= 0.3 else None}
    if kind == "VWR":
        return {WIND: float(m.wind_speed_kn) * KNOT * 10}
    if kind == "MDA":
        bars = (
            float(m.b_pressure_bar) if m.b_pressure_bar else float(m.b_pressure_inch) * 0.0338639
        )
        speed = metres_a_second(m.wind_speed_knots, m.wind_speed_meters) or 0.0
        return {
            PRESSURE: bars * 10000,
            AIR: float(m.air_temp) * 10,
            WATER: float(m.water_temp) * 10,
            HUMIDITY: float(m.rel_humidity) * 10,
            DEW: float(m.dew_point) * 10,
            WIND: speed * 10,
            WIND_DD: float(m.direction_true) * 10 if speed >= 0.3 else None,
        }
    if kind == "MTW":
        return {WATER: float(m.temperature) * 10}
    if kind == "VDR":
        return {SET: float(m.deg_t) * 10, CURRENT: float(m.current) * KNOT * 100}
    found: dict[int, float | None] = {}
    fields = {
        "AirTemp": (AIR, 10), "WaterTemp": (WATER, 10), "Baro": (PRESSURE, 10000),
        "Air": (HUMIDITY, 10), "WaterLevel": (LEVEL, 100), "Visibility": (VISIBILITY, 1),
    }  # fmt: skip
    for i in range(0, len(m.data) - 3, 4):
        _, value, _, name = m.data[i : i + 4]
        if name in fields:
            field, factor = fields[name]
            found[field] = float(value) * factor
    return found


@pytest.mark.parametrize("make", [mwv, mwd, mda, mtw, vdr, vwr, xdr])
def test_as_pynmea2_reads_it(make: Callable[[random.Random], tuple[str, ...]]):
    rng = random.Random(make.__name__)
    for _ in range(300):
        line = str(pynmea2.parse("$WI" + make.__name__.upper() + "," + ",".join(make(rng))))
        found, weather = values_of(line)
        theirs = expected(pynmea2.parse(line))
        assert weather.malformed == 0, line
        for field, value in enumerate(found):
            wanted = theirs.get(field)
            if field == WIND_DD:
                if wanted is not None:
                    assert value is not None, line
                    assert abs((value - wanted + 1800) % 3600 - 1800) <= 3, line
            elif wanted is None:
                assert value is None, (line, field)
            else:
                assert value is not None, (line, field)
                assert abs(value - wanted) <= 0.51 + abs(wanted) * 1e-3, (line, field, value)


def test_nonsense_is_refused_without_an_exception():
    rng = random.Random(11)
    makes = [mwv, mwd, mda, mtw, vdr, vwr, xdr]
    low, high = 0, 0
    for _ in range(4000):
        make = rng.choice(makes)
        fields = list(make(rng))
        for _ in range(rng.randrange(1, 4)):
            fields[rng.randrange(len(fields))] = "".join(
                chr(rng.randrange(0x20, 0x7F)) for _ in range(rng.randrange(12))
            ).translate({ord(c): "x" for c in "$!*,\\^~"})
        body = "WI" + make.__name__.upper() + "," + ",".join(fields)
        check = 0
        for c in body.encode():
            check ^= c
        found, weather = values_of(f"${body}*{check:02X}\r\n")
        high += weather.malformed > 0
        low += weather.malformed == 0
        wind = found[WIND]
        assert wind is None or 0 <= wind <= 2000
    assert high > 1000 and low > 100
