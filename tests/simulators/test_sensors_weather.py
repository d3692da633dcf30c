"""The weather station: pynmea2 reads back what the sea is like, within the line's rate."""

import random

import pynmea2
import pytest

from agent.alarms import Alarms
from agent.sense.nmea import Assembler
from agent.sense.weather import Weather
from simulators.sensors.weather import BAUD, LEVEL, VISIBILITY, WeatherStation
from simulators.world.place import bearing_deg
from simulators.world.sea import Sea, SeaSettings
from simulators.world.tide import TideSettings
from simulators.world.weather import Spell, WeatherSettings
from simulators.world.wind import WindSettings

START = 1_795_270_000  # a multiple of five


@pytest.fixture
def sea():
    return Sea(SeaSettings(TideSettings(), WindSettings(), WeatherSettings()), 1, 122.0)


def said(sea, t):
    station = WeatherStation(random.Random(1), sea)
    return {m.sentence_type: m for m in (pynmea2.parse(s, check=True) for s in station.second(t))}


def test_what_is_said_is_what_is_there(sea):
    for t in range(START, START + 86_400, 3600):
        told = said(sea, t)
        assert set(told) == {"MWV", "MWD", "MDA", "MTW", "VDR", "XDR"}
        wind, stream, weather = sea.wind.at(t), sea.tide.stream(t), sea.weather
        assert float(told["MWD"].direction_true) == pytest.approx(bearing_deg(-wind), abs=0.06)
        assert float(told["MWD"].wind_speed_meters) == pytest.approx(abs(wind), rel=0.15, abs=0.1)
        bow = bearing_deg(-stream)
        turned = (float(told["MWV"].wind_angle) + bow - bearing_deg(-wind)) % 360
        assert min(turned, 360 - turned) < 0.1
        mda = told["MDA"]
        assert float(mda.b_pressure_bar) * 1000 == pytest.approx(weather.pressure_hpa(t), abs=0.06)
        assert float(mda.b_pressure_inch) * 33.8639 == pytest.approx(
            weather.pressure_hpa(t), abs=0.2
        )
        assert float(mda.air_temp) == pytest.approx(weather.air_c(t), abs=0.06)
        assert float(mda.rel_humidity) == pytest.approx(100 * weather.humidity(t), abs=0.06)
        assert weather.dew_c(t) < weather.air_c(t)
        assert float(told["MTW"].temperature) == pytest.approx(weather.water_c(t), abs=0.06)
        assert float(told["VDR"].data[4]) * 0.5144 == pytest.approx(abs(stream), abs=0.01)
        quads = told["XDR"].data
        assert (quads[0], quads[2], quads[3]) == ("D", "M", VISIBILITY)
        assert float(quads[1]) == pytest.approx(weather.visibility_m(t), abs=1)
        assert (quads[4], quads[6], quads[7]) == ("D", "M", LEVEL)
        assert float(quads[5]) == pytest.approx(sea.tide.level_m(t), abs=0.01)


def test_the_line_holds_it(sea):
    station = WeatherStation(random.Random(1), sea)
    for t in range(START, START + 600):
        sentences = station.second(t)
        assert all(len(sentence) + 2 <= 82 for sentence in sentences)
        assert sum(len(sentence) + 2 for sentence in sentences) < 0.8 * BAUD / 10


def test_fog_is_seen_and_is_damp(sea):
    clear = [sea.weather.visibility_m(START + 3600 * i) for i in range(24 * 60)]
    assert min(clear) > 4000
    sea.weather.fogs.append(Spell(START, START + 600, 300))
    assert float(said(sea, START + 5)["XDR"].data[1]) == pytest.approx(300)
    assert sea.weather.humidity(START) > 0.98
    assert float(said(sea, START + 600)["XDR"].data[1]) > 4000


def test_the_agent_reads_it(sea):
    weather, lines = Weather(Alarms()), Assembler()
    station = WeatherStation(random.Random(1), sea)
    for t in range(START, START + 31):
        data = "".join(f"{sentence}\r\n" for sentence in station.second(t)).encode("ascii")
        lines.feed(data, len(data))
        while (sentence := lines.next_sentence()) is not None:
            assert weather.take(sentence, 1000 * (t - START) + 1000)
    now_ms, air = 32_000, sea.weather
    (wind, from_dd, gust, air_dc, humidity, dew_dc, dhpa, seen_m, water_dc, level_cm, current,
     set_dd) = weather.values(now_ms)  # fmt: skip
    assert (lines.bad, weather.malformed) == (0, 0)
    mps = abs(sea.wind.at(t))
    assert mps * 7 < wind <= gust < mps * 14
    assert from_dd == pytest.approx(10 * bearing_deg(-sea.wind.at(t)), abs=150)
    assert (air_dc, water_dc, dew_dc) == pytest.approx(
        [10 * c for c in (air.air_c(t), air.water_c(t), air.dew_c(t))], abs=1
    )
    assert (humidity, dhpa) == pytest.approx(
        (1000 * air.humidity(t), 10 * air.pressure_hpa(t)), abs=2
    )
    assert seen_m == pytest.approx(air.visibility_m(t), rel=0.01)
    assert level_cm == pytest.approx(100 * sea.tide.level_m(t), abs=1)
    assert current == pytest.approx(100 * abs(sea.tide.stream(t)), abs=2)
    assert set_dd == pytest.approx(10 * bearing_deg(sea.tide.stream(t)), abs=1)
