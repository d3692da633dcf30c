"""A station's own instruments against the device's readers, on the same sentences."""

import random
from functools import reduce
from operator import xor
from pathlib import Path

import pytest

from agent.alarms import Alarms
from agent.sense.gnss import GNSS
from agent.sense.nmea import Assembler
from agent.sense.weather import Weather
from gateway.inputs.counts import Counts
from gateway.inputs.station.instruments import Instruments
from gateway.inputs.station.sentences import SentenceReader
from tests.sense.test_weather_pynmea2 import mda, mtw, mwd, mwv, vdr, vwr, xdr

LOGS = Path(__file__).parents[3] / "shared" / "data" / "nmea"
KINDS = {b"GGA", b"RMC", b"ZDA"}
WIND_DD = 1
UTC_2026 = 1_790_000_000_000


def checked(text):
    return b"$%b*%02X\r\n" % (text, reduce(xor, text, 0))


def sentences(data):
    return SentenceReader(Counts("")).feed(data, UTC_2026)


def angle(a, b):
    return min(abs(a - b), 3600 - abs(a - b))


def alike(ours, device):
    """Compare `weather` values; the device has a rough sine, and random winds cancel each other."""
    for n, (a, b) in enumerate(zip(ours, device, strict=True)):
        if n == WIND_DD and None not in (a, b):
            assert angle(a, b) <= 50, (ours, device)
        elif n != WIND_DD or (a is None) != (b is None):
            assert a == b, (n, ours, device)


@pytest.mark.parametrize(
    "name", ["quectel-l76k-nmea.log", "beidou-gb.log", "bundg_zeus_9-head.log"]
)
def test_a_recorded_log(name):
    path = LOGS / name
    if not path.exists():
        pytest.skip(f"the recorded log {path} is not here")
    ours, gnss, weather = Instruments(), GNSS(), Weather(Alarms())
    seen = 0
    for n, sentence in enumerate(sentences(path.read_bytes()), 1):
        now_ms = 40 * n
        line = sentence.raw + b"\r\n"
        assembler = Assembler()
        assembler.feed(line, len(line))
        found = assembler.next_sentence()
        if sentence.raw[3:6] in KINDS:
            gnss.take(found, now_ms)
            seen += 1
        else:
            weather.take(found, now_ms)
        ours.take(sentence, now_ms, UTC_2026)
        gnss.poll(now_ms)
        lat, lon, sats = ours.position(now_ms)
        assert (lat, lon) == (gnss.lat_e6, gnss.lon_e6)
        quality, _, hdop, alt, sog, cog, _ = ours.gnss(now_ms)
        assert (quality, hdop, alt, sog, cog) == (
            gnss.quality, gnss.hdop_e2, gnss.alt_dm, gnss.sog_e2, gnss.cog_cd,
        )  # fmt: skip
        if lat is not None:
            assert sats == gnss.sats
        if n % 50 == 0:
            alike(ours.weather(now_ms), weather.values(now_ms))
    assert seen >= 10


@pytest.mark.parametrize("seed", range(5))
def test_weather_of_a_day(seed):
    rng = random.Random(seed)
    zero_dd = rng.choice((None, 0, 1234))
    ours, device = Instruments(zero_dd), Weather(Alarms(), zero_dd=zero_dd)
    now_ms = 100_000  # a device that has just started takes its first wind for a slow sensor's
    for n in range(800):
        now_ms += rng.choice((100, 400, 1000, 1000, 5000, 70_000 if rng.random() < 0.02 else 900))
        make = rng.choice((mwv, mwv, mwv, mwd, mda, mtw, vdr, vwr, xdr))
        fields = make(rng)
        text = (f"WI{make.__name__.upper()}," + ",".join(fields)).encode()
        if rng.random() < 0.1:
            text = text.replace(b".", rng.choice((b"", b"x", b"-", b"..")), 1)
        if rng.random() < 0.1:
            text = b"HEHDT,%d.5,T" % rng.randrange(0, 400)
        line = checked(text)
        assembler = Assembler()
        assembler.feed(line, len(line))
        device.take(assembler.next_sentence(), now_ms)
        (sentence,) = sentences(line)
        ours.take(sentence, now_ms, UTC_2026)
        if n % 20 == 19:
            alike(ours.weather(now_ms), device.values(now_ms))
    assert ours.malformed > 10


def take(instruments, text, now_ms=0, wall_ms=UTC_2026):
    (sentence,) = sentences(checked(text))
    return instruments.take(sentence, now_ms, wall_ms)


def test_what_is_not_read_is_said():
    ours = Instruments()
    assert take(ours, b"GPGSV,1,1,00") == "unknown"
    assert take(ours, b"GPGGA,,9999.0,N,00000.0,E,1,05,1.0,3,M,,M,,") == "malformed"
    assert take(ours, b"GPGGA,120000,3112.5,N,12230.25,E,1,05,1.0,-3.25,M,,M,,") == "gnss"
    assert ours.position(0) == (31208333, 122504167, 5)
    assert ours.gnss(0)[:4] == [1, None, 100, -33]
    assert ours.position(10_001) == (None, None, None)
    assert ours.gnss(12_000) == [None, None, None, None, None, None, 12]
    assert take(ours, b"GPGGA,120000,,,,,0,00,,,M,,M,,", 1) == "gnss"
    assert ours.position(1) == (None, None, None)


def test_our_clock_is_compared_with_the_receivers():
    ours = Instruments()
    take(ours, b"GPZDA,141320.50,21,09,2026,,")
    assert ours.clock_off_ms(0) is None  # without a fix it is no time
    take(ours, b"GPRMC,141320.00,A,3112.5,N,12230.25,E,0.1,12.5,210926,,,A")
    assert ours.clock_off_ms(0) == 0
    take(ours, b"GPZDA,141319.50,21,09,2026,,")
    assert ours.clock_off_ms(10_000) == 500
    assert ours.clock_off_ms(10_001) is None
    take(ours, b"GPRMC,141320.00,A,3112.5,N,12230.25,E,0.1,12.5,219926,,,A")
    assert ours.malformed == 1


def test_no_sentence_is_fatal():
    rng = random.Random(8)
    ours = Instruments()
    good = [
        b"GPGGA,120000,3112.5,N,12230.25,E,1,05,1.0,-3.25,M,,M,,",
        b"GPRMC,141320.00,A,3112.5,N,12230.25,E,0.1,12.5,210926,,,A",
        b"GPZDA,141320.50,21,09,2026,,",
        b"WIMWV,12.0,R,3.4,N,A",
        b"WIXDR,C,12.1,C,AirTemp,P,1.013,B,Baro",
        b"WIMDA,29.9,I,1.01,B,12,C,13,C,50,,2,C,12,T,,M,3,N,,M",
        b"VWVDR,12,T,13,M,2,N",
    ]
    for _ in range(4000):
        text = bytearray(rng.choice(good))
        for _ in range(rng.randrange(1, 4)):
            at = rng.randrange(6, len(text))
            text[at] = rng.choice(b',,.-+0123456789ENTVAx "%/')
        if rng.random() < 0.1:
            text = text[: rng.randrange(6, len(text))]
        for sentence in sentences(checked(bytes(text))):
            ours.take(sentence, 0, UTC_2026)
            ours.gnss(0), ours.position(0), ours.weather(0)
    assert ours.malformed > 500
