"""Weather and water: what each sentence says, how long it is believed, means, gusts, limits."""

import unittest

from sentences import sealed

from agent.alarms import Alarms
from agent.sense.nmea import Assembler
from agent.sense.weather import Weather
from agent.wire import codes

# Fields of the record.
WIND, WIND_DD, GUST, AIR, HUMIDITY, DEW, PRESSURE, VISIBILITY, WATER, LEVEL, CURRENT, SET = range(
    12
)


class Case(unittest.TestCase):
    def setUp(self):
        self.make()

    def make(self, **settings):
        self.alarms = Alarms()
        self.weather = Weather(self.alarms, **settings)
        self.assembler = Assembler()

    def take(self, body, now_ms=1000):
        data = sealed(body)
        self.assembler.feed(data, len(data))
        taken = self.weather.take(self.assembler.next_sentence(), now_ms)
        self.assertTrue(self.assembler.next_sentence() is None)
        return taken

    def near(self, dd, wanted):
        self.assertTrue(abs((dd - wanted + 1800) % 3600 - 1800) <= 2, (dd, wanted))

    def check(self, body, wanted):
        found = self.values(body)
        self.assertEqual(sorted(found), sorted(wanted), body)
        for field, value in wanted.items():
            if field == WIND_DD:
                self.near(found[field], value)
            else:
                self.assertEqual(found[field], value, (body, field))

    def values(self, body, now_ms=1000):
        """Return the values that a new part has after one sentence, by field, without the nulls."""
        self.make()
        self.assertTrue(self.take(body, now_ms))
        found = self.weather.values(now_ms)
        self.assertEqual(len(found), 12)
        return {i: value for i, value in enumerate(found) if value is not None}


class Sentences(Case):
    def test_nothing_is_known_at_first(self):
        self.assertEqual(self.weather.values(0), (None,) * 12)
        self.assertEqual((self.weather.level_cm(0), self.weather.visibility_m(0)), (None, None))

    def test_wind(self):
        for body, wanted in (
            (b"WIMWV,214.8,R,10.0,N,A", {WIND: 51}),
            (b"WIMWV,214.8,T,10.0,M,A", {WIND: 100}),
            (b"WIMWV,214.8,R,36.0,K,A", {WIND: 100}),
            (b"WIMWV,214.8,R,10.0,S,A", {WIND: 45}),
            (b"WIMWV,214.8,R,10.0,M,V", {}),
            (b"WIMWV,,R,,N,A", {}),
            (b"WIMWV,,R,3.2,M,A", {WIND: 32}),
            (b"IIMWD,046.,T,046.,M,10.1,N,05.2,M", {WIND: 52, WIND_DD: 460}),
            (b"IIMWD,360.0,T,,,10.0,N,,", {WIND: 51, WIND_DD: 0}),
            (b"IIMWD,,,046.,M,10.1,N,05.2,M", {WIND: 52}),
            (b"IIVWR,133,R,07.03,N,03.62,M,,", {WIND: 36}),
            (b"IIVWT,133,R,07.00,N,,,,", {WIND: 36}),
        ):
            self.check(body, wanted)
            self.assertEqual(self.weather.malformed, 0, body)

    def test_a_relative_wind_is_turned_by_a_heading(self):
        self.take(b"HEHDT,100.0,T")
        self.take(b"WIMWV,300.5,R,10.0,M,A")
        self.near(self.weather.values(1000)[WIND_DD], 405)
        self.take(b"WIMWV,300.5,R,10.0,M,A", 70000)
        self.assertEqual(self.weather.values(70000)[WIND_DD], None)

    def test_a_fixed_sensor_knows_where_its_zero_points(self):
        self.make(zero_dd=1800)
        self.take(b"WIMWV,270.0,R,10.0,M,A")
        self.assertEqual(self.weather.values(1000)[WIND_DD], 900)

    def test_composite(self):
        body = b"WIMDA,29.92,I,1.0132,B,18.5,C,15.1,C,71.0,,12.1,C,214.8,T,220.1,M,10.0,N,5.1,M"
        self.check(
            body,
            {
                WIND: 51,
                WIND_DD: 2148,
                AIR: 185,
                HUMIDITY: 710,
                DEW: 121,
                PRESSURE: 10132,
                WATER: 151,
            },
        )
        body = b"WIMDA,29.92,I,,B,-18.55,C,,,,,,C,,T,,M,,N,,M"
        self.check(body, {AIR: -186, PRESSURE: 10132})

    def test_water(self):
        self.assertEqual(self.values(b"YXMTW,17.75,C"), {WATER: 178})
        self.assertEqual(self.values(b"IIVDR,063.4,T,060.9,M,1.50,N"), {CURRENT: 77, SET: 634})
        self.assertEqual(self.values(b"IIVDR,360.0,T,,M,0.00,N"), {CURRENT: 0, SET: 0})
        self.assertEqual(self.values(b"IIVDR,063.4,T,060.9,M,,N"), {})

    def test_transducers(self):
        for body, wanted in (
            # As printed in manuals and test data.
            (b"IIXDR,P,1.02481,B,Barometer", {PRESSURE: 10248}),
            (b"WIXDR,C,24.59,C,TEMP,P,1.02412,B,BARO", {AIR: 246, PRESSURE: 10241}),
            (b"WIXDR,C,022.0,C,,", {AIR: 220}),
            (b"IIXDR,P,1.015,B,Baro,C,22.0,C,AirTemp", {AIR: 220, PRESSURE: 10150}),
            (
                b"WIXDR,P,1008.8,B,3,C,31.9,C,0,H,67.3,P,2,C,99.9,C,1",
                {AIR: 319, HUMIDITY: 673, PRESSURE: 10088},
            ),
            (b"YXXDR,C,-7.5,C,WCHR,C,-8.0,C,WCHT,C,,C,HINX,P,1.0132,B,STNP", {PRESSURE: 10132}),
            (b"WIXDR,P,100855,P,Baro#0", {PRESSURE: 10086}),
            (b"WIXDR,P,1009.1,H,0", {PRESSURE: 10091}),
            (
                b"WIXDR,C,12.5,C,DEWP,C,11.0,C,WaterTemp,H,60,P,Air",
                {DEW: 125, WATER: 110, HUMIDITY: 600},
            ),
            (b"WIXDR,C,60.0,C,Engine#0,C,35.0,C,ENV_INSIDE_T", {}),
            (b"WIXDR,U,014.9,V,", {}),
            (b"WIXDR,D,3.456,M,WaterLevel", {LEVEL: 346}),
            (b"WIXDR,D,-0.42,M,WaterLevel", {LEVEL: -42}),
            (b"WIXDR,G,2500,,Visibility", {VISIBILITY: 2500}),
            (b"WIXDR,D,850.4,M,Visibility", {VISIBILITY: 850}),
            (b"WIXDR,D,18.5,K,Visibility", {VISIBILITY: 18500}),
            (b"WIXDR,D,3.4,M,visibility", {}),
        ):
            self.check(body, wanted)
            self.assertEqual(self.weather.malformed, 0, body)

    def test_names_of_transducers(self):
        self.make(visibility=b"MOR", level=b"")
        self.take(b"WIXDR,D,900,M,MOR,D,3,M,WaterLevel,D,4,M,")
        self.assertEqual(self.weather.visibility_m(1000), 900)
        self.assertEqual(self.weather.level_cm(1000), None)

    def test_others_are_left(self):
        for body in (
            b"GPGGA,1",
            b"IIVHW,029,T,026,M,1.0,N,2.0,K",
            b"PMWV",
            b"XX",
            b"IIDPT,3.2,0.4",
        ):
            self.assertEqual(self.take(body), False, body)
        self.assertEqual((self.weather.lines, self.weather.malformed), (0, 0))

    def test_nonsense_is_counted_and_the_rest_stands(self):
        for body, wanted in (
            (b"WIMWV,10,R,x,M,A", {}),
            (b"WIMWV,361,R,5,M,A", {}),
            (b"WIMWV,10,R,5,Q,A", {}),
            (b"WIMWV,10,R,-5,M,A", {}),
            (b"WIMWV,10,R,201,M,A", {}),
            (b"WIMWV,10,R,5,MM,A", {}),
            (b"YXMTW,1e1,C", {}),
            (b"YXMTW,999999999999999999,C", {}),
            (b"WIXDR,C,-.-,C,0,H,50,P,0", {HUMIDITY: 500}),
            (b"WIXDR,P,12,B,0,H,50,P,0", {HUMIDITY: 500}),
            (b"WIXDR,H,101,P,0,C,20,C,0", {AIR: 200}),
            (b"WIMDA,,,9.9,B,20.0,C", {AIR: 200}),
            (b"IIVDR,400,T,,,1.0,N", {CURRENT: 51}),
        ):
            self.assertEqual(self.values(body), wanted, body)
            self.assertEqual((self.weather.malformed, self.weather.lines), (1, 1), body)

    def test_short_sentences(self):
        for kind in (b"MWV", b"MWD", b"MDA", b"MTW", b"XDR", b"VDR", b"VWR", b"VWT", b"HDT"):
            for commas in range(60):
                self.take(b"WI" + kind + b"," * commas)
        self.assertEqual(self.weather.values(1000), (None,) * 12)


class Time(Case):
    def test_values_lapse_after_a_minute(self):
        self.take(b"WIXDR,D,3.00,M,WaterLevel,D,900,M,Visibility")
        self.take(b"WIMWV,10,R,5,M,A")
        self.assertEqual(self.weather.level_cm(60000), 300)
        self.assertEqual(self.weather.visibility_m(60000), 900)
        self.assertEqual(self.weather.level_cm(62000), None)
        self.assertEqual(self.weather.visibility_m(62000), None)
        self.assertEqual(self.weather.values(62000), (None,) * 12)

    def test_a_sensor_says_that_it_has_no_value(self):
        self.take(b"YXMTW,17.7,C")
        self.take(b"YXMTW,,C", 50000)
        self.assertEqual(self.weather.values(62000)[WATER], None)

    def test_uptime_of_a_year(self):
        year = 365 * 86400 * 1000
        self.take(b"YXMTW,17.7,C", year)
        self.assertEqual(self.weather.values(year + 1000)[WATER], 177)
        self.assertEqual(self.weather.values(year + 62000)[WATER], None)

    def test_silence(self):
        self.take(b"YXMTW,17.7,C", 5000)
        self.take(b"GPGGA,1", 7000)
        self.assertEqual(self.weather.silent_ms(9000), 4000)


class Means(Case):
    def blow(self, speeds, directions=None, every_s=1, start_s=100):
        for i, speed in enumerate(speeds):
            at = b"" if directions is None else b"%d" % directions[i]
            body = b"WIMWD,%s,T,,M,,N,%d.%d,M" % (at, speed // 10, speed % 10)
            self.take(body, (start_s + i * every_s) * 1000)
        return self.weather.values((start_s + len(speeds) * every_s) * 1000)[:3]

    def test_mean_of_the_interval_begins_anew(self):
        self.assertEqual(self.blow([50, 70, 60, 80])[WIND], 65)
        self.assertEqual(self.blow([20, 20], start_s=110)[WIND], 20)
        self.assertEqual(self.weather.values(113000)[:3], (None, None, None))

    def test_direction_through_north(self):
        self.assertEqual(self.blow([50, 50], [350, 10])[WIND_DD], 0)
        self.near(self.blow([50, 50], [340, 350], start_s=200)[WIND_DD], 3450)

    def test_direction_goes_by_the_vector(self):
        _, dd, _ = self.blow([100, 50], [0, 90])
        self.near(dd, 266)

    def test_winds_that_cancel_have_no_direction(self):
        self.assertEqual(self.blow([50, 50], [90, 270])[WIND_DD], None)
        self.make()
        self.assertEqual(self.blow([0, 0], [90, 90])[:2], (0, None))

    def test_every_direction_comes_back(self):
        for degrees in range(360):
            self.make()
            dd = self.blow([83], [degrees])[WIND_DD]
            self.near(dd, degrees * 10)
            if degrees % 90 == 0:
                self.assertEqual(dd, degrees * 10)

    def test_gust_is_the_mean_of_three_seconds(self):
        self.assertEqual(self.blow([50, 50, 50, 110, 80, 50, 50])[GUST], 80)
        self.assertEqual(self.blow([50, 50, 50, 50], start_s=107)[GUST], 50)

    def test_a_gust_may_begin_before_the_record(self):
        self.blow([50, 50, 110, 80])
        self.assertEqual(self.blow([50, 50, 50], start_s=104)[GUST], 80)

    def test_two_seconds_are_no_gust(self):
        self.assertEqual(self.blow([90, 90])[GUST], None)
        self.assertEqual(self.blow([90], start_s=102)[GUST], 90)

    def test_gust_of_a_slow_sensor(self):
        self.assertEqual(self.blow([50, 120, 60, 70], every_s=5)[GUST], 120)
        self.make()
        self.assertEqual(self.blow([50, 120, 60, 70], every_s=2)[GUST], 90)

    def test_four_values_a_second(self):
        for i in range(40):
            self.take(b"WIMWV,0,R,%d.0,M,A" % (20 if i == 20 else 5), 100000 + i * 250)
        gust = self.weather.values(110000)[GUST]
        self.assertTrue(62 <= gust <= 67, gust)

    def test_a_storm_of_hours(self):
        for _ in range(20000):
            self.weather._wind.add(2000, 900, 100)
        self.assertEqual(self.weather._wind.take(), (2000, 900, None))


class Limits(Case):
    def level(self, what, part=None):
        return self.alarms.level(what, part)

    def run_s(self, start_s, seconds, body=None):
        for second in range(start_s, start_s + seconds):
            if body is not None and second % 5 == 0:
                self.take(body, second * 1000)
            self.weather.poll(second * 1000)
        return start_s + seconds

    def test_fog(self):
        self.make(visibility_m=1000)
        fog = b"WIXDR,D,900,M,Visibility"
        thin = b"WIXDR,D,1100,M,Visibility"
        clear = b"WIXDR,D,5000,M,Visibility"
        t = self.run_s(100, 55, fog)
        self.assertEqual(self.level(codes.ALARM_VISIBILITY), 0)
        t = self.run_s(t, 10, fog)
        self.assertEqual(self.level(codes.ALARM_VISIBILITY), codes.LEVEL_ALARM)
        self.assertEqual(self.alarms.next_alarm()[:4], (codes.ALARM_VISIBILITY, 1, 900, 1000))
        t = self.run_s(t, 900, thin)
        t = self.run_s(t, 590, clear)
        self.assertEqual(self.level(codes.ALARM_VISIBILITY), codes.LEVEL_ALARM)
        self.run_s(t, 20, clear)
        self.assertEqual(self.level(codes.ALARM_VISIBILITY), 0)

    def test_a_sensor_that_dies_in_fog_clears_nothing_and_is_told(self):
        self.make(visibility_m=1000)
        t = self.run_s(100, 70, b"WIXDR,D,900,M,Visibility")
        t = self.run_s(t, 640, b"YXMTW,17.7,C")
        self.assertEqual(self.level(codes.ALARM_SENSOR, codes.SENSOR_WEATHER), 0)
        t = self.run_s(t, 60, b"YXMTW,17.7,C")
        self.assertEqual(self.level(codes.ALARM_VISIBILITY), codes.LEVEL_ALARM)
        self.assertEqual(self.level(codes.ALARM_SENSOR, codes.SENSOR_WEATHER), codes.LEVEL_WARNING)
        self.run_s(t, 10, b"WIXDR,D,900,M,Visibility")
        self.assertEqual(self.level(codes.ALARM_SENSOR, codes.SENSOR_WEATHER), 0)

    def test_a_sensor_that_never_spoke_is_told_only_where_a_limit_needs_it(self):
        self.run_s(0, 1000)
        self.assertEqual(self.level(codes.ALARM_SENSOR, codes.SENSOR_WEATHER), 0)
        self.make(low_cm=0)
        self.run_s(0, 1000)
        self.assertEqual(self.level(codes.ALARM_SENSOR, codes.SENSOR_WEATHER), codes.LEVEL_WARNING)
        self.assertEqual(self.level(codes.ALARM_LEVEL_LOW), 0)

    def test_levels(self):
        self.make(low_cm=0, high_cm=400)
        both = (codes.ALARM_LEVEL_LOW, codes.ALARM_LEVEL_HIGH)
        t = 0
        for body, seconds, wanted in (
            (b"WIXDR,D,2.00,M,WaterLevel", 700, (0, 0)),
            (b"WIXDR,D,-0.10,M,WaterLevel", 70, (2, 0)),
            (b"WIXDR,D,0.05,M,WaterLevel", 900, (2, 0)),
            (b"WIXDR,D,0.20,M,WaterLevel", 700, (0, 0)),
            (b"WIXDR,D,4.01,M,WaterLevel", 70, (0, 2)),
            (b"WIXDR,D,3.95,M,WaterLevel", 900, (0, 2)),
            (b"WIXDR,D,3.80,M,WaterLevel", 700, (0, 0)),
        ):
            t = self.run_s(t, seconds, body)
            self.assertEqual(tuple(self.level(what) for what in both), wanted, (body, t))
