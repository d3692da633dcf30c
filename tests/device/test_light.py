"""The light as the agent sees it: lanterns that fail, in front of a part that is polled badly."""

import unittest

from fakes import FakeReader
from lanterns import FakeLantern, Watched
from support import ON_MICROPYTHON

from agent.alarms import Alarms
from agent.sense import character
from agent.sense.current import Current
from agent.sense.light import Light
from agent.wire import codes, schema

STATES = {
    codes.LIGHT_UNLIT: codes.ALARM_UNLIT,
    codes.LIGHT_ALWAYS_ON: codes.ALARM_ALWAYS_ON,
    codes.LIGHT_WRONG_RHYTHM: codes.ALARM_WRONG_RHYTHM,
    codes.LIGHT_REDUCED: codes.ALARM_REDUCED,
    codes.LIGHT_OUT_OF_SYNC: codes.ALARM_OUT_OF_SYNC,
    codes.LIGHT_BY_DAY: codes.ALARM_LIT_BY_DAY,
}

NAMES = [row[0] for row in schema.SCHEMAS[schema.LIGHT][3]]


class FakeDaylight:
    def __init__(self):
        self.is_to = codes.SHOULD
        self.bright = False
        self.lux = 1
        self.sun_dd = -200

    def should(self, now_ms):
        return self.is_to

    def day(self):
        self.is_to = codes.SHOULD_NOT
        self.bright = True
        self.lux = 20000
        self.sun_dd = 400


class Sea(unittest.TestCase):
    def start(self, text="Fl(2) R 6s", shown=None, seed=1, kept=0, **arguments):
        self.character = character.read(text) if text else None
        if shown is None:
            shown = self.character.phases
        self.lantern = FakeLantern(shown, seed)
        self.lantern.contact = arguments.get("contact", False)
        self.daylight = FakeDaylight()
        self.alarms = Alarms(kept)
        self.told = []
        self.held = False
        self.day_ms = None  # of now_ms 0
        self.light = Light(
            self.lantern,
            self.character,
            self.daylight,
            self.alarms,
            lambda now_ms: None if self.day_ms is None else (self.day_ms + now_ms) % 86400000,
            20,
            held=lambda: self.held,
            **arguments,
        )
        self.light._current._reads = 2  # quicker, and as good for a lamp that is not dimmed
        self.watched = Watched(self.light, self.lantern)

    def listen(self, now_ms):
        alarm = self.alarms.next_alarm()
        while alarm:
            self.told.append((now_ms,) + alarm)
            alarm = self.alarms.next_alarm()

    def run_s(self, s):
        self.watched.run(s * 1000, self.listen)

    def active(self):
        return sorted(state for state, what in STATES.items() if self.alarms.level(what))

    def state(self):
        return self.light.values(self.watched.now_ms)[0]

    def value(self, name):
        return self.light.values(self.watched.now_ms)[NAMES.index(name)]

    def until(self, s, state, active=True):
        """Run until a fault is there, or not any more; return how many ms that took."""
        begun = self.watched.now_ms

        def look(now_ms):
            self.listen(now_ms)
            return (state in self.active()) == active

        self.assertTrue(self.watched.run(s * 1000, look), "%s is not %s" % (state, active))
        return self.watched.now_ms - begun


class Samples(unittest.TestCase):
    """The current alone: (ms since the last sample, mA), and what turned."""

    def sample(self, samples, contact=False, on_ma=20):
        reader = FakeReader()
        self.current = Current(reader, on_ma, contact)
        now_ms = 1000
        turns = []
        for gap_ms, reader.value in samples:
            now_ms += gap_ms
            if self.current.sample(now_ms, gap_ms):
                turns.append((self.current.turn_ms, self.current.on, self.current.slack_ms))
        return turns

    def test_a_turn_lies_between_two_samples(self):
        turns = self.sample([(20, 0), (60, 350), (20, 350), (100, 0), (20, 0)])
        self.assertEqual(turns, [(1050, True, 60), (1150, False, 100)])

    def test_a_single_sample_is_no_turn(self):
        self.assertEqual(self.sample([(20, 0), (20, 350)] + [(20, 0)] * 9 + [(20, 350)]), [])

    def test_dimming_is_no_darkness(self):
        lit = [(20, 350), (20, 350), (20, 0), (20, 0)]
        self.assertEqual(len(self.sample(lit * 5)), 1)
        self.assertEqual(self.current.take_mean_ma(), 350 * 8 // 18)

    def test_half_of_the_usual_current_is_neither(self):
        flash = [(20, 350)] * 9 + [(20, 0)] * 9
        weak = [(20, 140)] * 9 + [(20, 0)] * 9
        self.assertEqual(len(self.sample(flash * 3 + weak * 3)), 6)
        self.current.forget()
        self.assertEqual(len(self.sample(weak * 3)), 6)

    def test_noise_around_the_threshold(self):
        turns = self.sample([(20, 350)] * 9 + [(20, 0)] * 9 + [(20, 190), (20, 160)] * 20)
        self.assertEqual(len(turns), 2)  # 175 is half: neither comes up nor, once up, goes down

    def test_a_contact(self):
        turns = self.sample([(20, 0), (20, 1), (20, 0), (20, 1), (20, 1)], True)
        self.assertEqual(turns, [(1030, True, 20)])
        self.assertIsNone(self.current.take_mean_ma())
        self.assertIsNone(self.current.take_peak_ma())

    def test_negative_readings_are_no_current(self):
        self.sample([(20, -30), (20, -5)])
        self.assertEqual(self.current.take_peak_ma(), 0)
        self.assertIsNone(self.current.take_peak_ma())


class Healthy(Sea):
    def test_it_is_as_it_should_be(self):
        self.start()
        self.assertEqual((self.light.lit(0), self.light.fault()), (None, None))
        self.run_s(60)
        self.assertEqual((self.told, self.state()), ([], codes.LIGHT_GOOD))
        self.assertEqual((self.light.lit(self.watched.now_ms), self.light.fault()), (True, False))
        self.assertTrue(5700 <= self.value("period_ms") <= 6300)
        self.assertEqual(self.value("flashes"), 2)
        self.assertTrue(self.value("deviation_ms") <= 320)
        self.assertTrue(340 <= self.value("lit_ma") <= 352, self.value("lit_ma"))
        self.assertTrue(340 <= self.light.take_peak_ma() <= 360)
        self.assertEqual((self.value("lux"), self.value("sun_dd")), (1, -200))
        self.assertIsNone(self.value("sync_ms"))
        self.assertTrue(40 <= self.value("should_s") <= 60)
        self.assertEqual(self.value("failed_s"), 0)
        self.assertEqual(len(self.light.values(0)), len(NAMES))

    def test_every_kind_of_lantern(self):
        for n, (text, s) in enumerate(
            (("Q(6)+LFl 15s", 70), ("VQ", 15), ("UQ", 15), ("Iso 4s", 20), ("Oc(2) 8s", 40))
        ):
            for pwm_hz, ramp_ms, contact in ((1000, 0, False), (0, 60, False), (0, 0, True)):
                self.start(text, seed=n, contact=contact)
                self.lantern.ramp_ms = ramp_ms
                self.lantern.pwm_hz = pwm_hz
                self.lantern.duty = 20
                self.light._current._reads = 8
                self.run_s(s)
                self.assertEqual((self.told, self.state()), ([], codes.LIGHT_GOOD), text)

    def test_a_busy_board_sees_no_fault(self):
        self.start("Fl(2) R 6s")
        self.watched.late = ((8, 100), (100, 500))
        self.run_s(90)
        self.assertEqual(self.told, [])

    def test_flashes_that_nobody_saw_are_no_fault(self):
        self.start("Fl 4s", (200, 3800))
        self.watched.late = ((6, 500),)
        self.run_s(120)
        self.assertEqual(self.told, [])

    def test_a_soft_start_does_not_lengthen_a_flash(self):
        self.start("0.6+(3.4)")
        self.lantern.noise = 0
        self.lantern.ramp_ms = 300
        self.run_s(30)
        self.assertEqual(self.told, [])
        self.assertTrue(self.value("deviation_ms") <= 60, self.value("deviation_ms"))

    def test_a_steady_light(self):
        self.start("F R")
        self.run_s(40)
        self.assertEqual((self.told, self.state()), ([], codes.LIGHT_GOOD))
        self.assertIsNone(self.value("period_ms"))
        self.assertTrue(340 <= self.value("lit_ma") <= 352)

    def test_it_may_be_dark_by_day_and_at_dusk(self):
        for should, state in (
            (codes.SHOULD_NOT, codes.LIGHT_GOOD),
            (codes.SHOULD_EITHER, codes.LIGHT_GOOD),
            (None, codes.LIGHT_UNKNOWN),
        ):
            self.start()
            self.lantern.dark = True
            self.daylight.is_to = should
            self.run_s(20)
            self.assertEqual((self.told, self.state()), ([], state))
            self.assertIs(self.light.lit(self.watched.now_ms), False)
            self.assertEqual(self.value("should_s"), 0)
            self.assertIsNone(self.value("lit_ma"))

    def test_by_day_it_is_watched_less_until_it_lights(self):
        self.start("Q")
        self.daylight.day()
        self.lantern.dark = True
        self.run_s(10)
        self.assertEqual(self.light._asked_ms, 200)
        self.lantern.dark = False
        self.run_s(5)
        self.assertTrue(self.light._asked_ms < 30)
        self.assertIs(self.light.lit(self.watched.now_ms), True)

    def test_dusk(self):
        """The lantern has a photocell of its own, and lights after the agent thinks it should."""
        self.start("Fl 5s")
        self.daylight.day()
        self.lantern.dark = True
        self.run_s(30)
        self.daylight.is_to = codes.SHOULD_EITHER
        self.run_s(30)
        self.daylight.is_to = codes.SHOULD
        self.run_s(7)
        self.lantern.dark = False
        self.run_s(30)
        self.assertEqual((self.told, self.state()), ([], codes.LIGHT_GOOD))

    def test_nothing_is_fitted(self):
        self.start()
        light = Light(None, self.character, self.daylight, self.alarms, lambda now_ms: None, 20)
        for now_ms in range(0, 30000, 1000):
            light.poll(now_ms)
        self.assertEqual((light.lit(30000), light.fault(), light.take_peak_ma()), (None,) * 3)
        self.assertEqual(light.values(30000)[0], codes.LIGHT_UNKNOWN)
        self.assertIsNone(self.alarms.next_alarm())


class Fails(Sea):
    def after(self, text, fail, state, periods=3, **arguments):
        """Let a healthy light fail, and be whole again; the alarm comes in time, and goes."""
        self.start(text, **arguments)
        self.watched.late = ((40, 50),)  # all of it is seen
        period_ms = max(self.character.period_ms, 1000) if self.lantern.phases else 10000
        self.run_s(6 * period_ms // 1000 + 15)
        self.assertEqual(self.told, [])
        rest_ms = fail() or 0  # until it shows
        ms = self.until(200, state) - rest_ms
        # Periods may be 5 % longer; a turn is believed at the second sample, or after a look.
        self.assertTrue(ms <= periods * period_ms * 105 // 100 + 200, (text, ms))
        self.assertEqual(self.active(), [state])
        self.assertEqual((self.state(), self.light.fault()), (state, True))

    def mend(self, state, periods=3):
        self.lantern.dark = self.lantern.stuck = False
        self.lantern.strength = 100
        period_ms = max(self.character.period_ms, 1000) if self.lantern.phases else 10000
        self.lantern.show(self.character.phases)
        ms = self.until(100, state, False)
        self.assertTrue(
            ms > max((periods - 1) * period_ms, 12000 * (state <= codes.LIGHT_WRONG_RHYTHM)), ms
        )
        self.assertEqual(self.active(), [])
        self.run_s(5)
        self.assertEqual(self.state(), codes.LIGHT_GOOD)

    def go_dark(self):
        self.lantern.dark = True

    def test_unlit(self):
        for text in ("Fl(2) R 6s", "Q", "Oc 6s", "Iso 4s", "VQ(9) 10s"):
            self.after(text, self.go_dark, codes.LIGHT_UNLIT)
            self.assertEqual(self.alarms.level(codes.ALARM_UNLIT), codes.LEVEL_ALARM)
            self.mend(codes.LIGHT_UNLIT)

    def test_unlit_since_the_start(self):
        self.start("Fl 4s")
        self.go_dark()
        self.assertTrue(self.until(20, codes.LIGHT_UNLIT) <= 12000)

    def test_a_fixed_light_goes_out(self):
        self.after("F R", self.go_dark, codes.LIGHT_UNLIT, 1)
        self.mend(codes.LIGHT_UNLIT)

    def test_a_contact_opens(self):
        self.after("Fl 4s", self.go_dark, codes.LIGHT_UNLIT, contact=True)
        self.assertIsNone(self.value("lit_ma"))
        self.assertIsNone(self.light.take_peak_ma())

    def test_it_is_not_unlit_when_nobody_looked(self):
        self.start("Fl 4s")
        self.run_s(20)
        self.go_dark()
        for _ in range(30):
            self.watched.now_ms += 1000
            self.light.poll(self.watched.now_ms)
        self.assertEqual(self.active(), [])

    def test_always_on(self):
        def stick():
            self.lantern.stuck = True

        for text in ("Fl 4s", "Q", "Oc(2) 8s"):
            self.after(text, stick, codes.LIGHT_ALWAYS_ON)
            self.mend(codes.LIGHT_ALWAYS_ON)

    def test_wrong_rhythm(self):
        # What is shown instead, and when it is first other than it should be.
        for text, phases, odd_ms in (
            ("Fl 4s", (500, 5500), 4000),
            ("Fl 4s", (500, 2500), 3000),
            ("Fl(2) R 6s", (500, 5500), 1500),
            ("Fl(3) G 10s", (500, 1000, 500, 8000), 3000),
            ("Iso 4s", (1000, 3000), 1000),
            ("VQ(9) 10s", (200, 300) * 7 + (200, 6300), 4000),
        ):
            self.after(
                text,
                lambda shown=phases, odd_ms=odd_ms: self.lantern.change(shown) + odd_ms,
                codes.LIGHT_WRONG_RHYTHM,
            )
        self.mend(codes.LIGHT_WRONG_RHYTHM)

    def test_a_fixed_light_flashes(self):
        self.after("F R", lambda: self.lantern.show((500, 3500)), codes.LIGHT_WRONG_RHYTHM)
        self.mend(codes.LIGHT_WRONG_RHYTHM)

    def test_one_bad_period_is_no_fault(self):
        self.start("Fl 4s")
        self.run_s(20)
        for odd in ((500, 7500), (500, 1000, 500, 2000), (2500, 1500)):
            self.lantern.show((500, 3500) * 4 + odd)
            self.run_s(70)
        self.assertEqual(self.told, [])

    def test_reduced(self):
        def weaken():
            self.lantern.strength = 70
            return self.lantern.rest_ms()

        self.after("Fl 4s", weaken, codes.LIGHT_REDUCED, reduced_ma=280)
        what, active, value, limit, level, _part = self.told[-1][1:]
        self.assertEqual((what, active, limit, level), (codes.ALARM_REDUCED, 1, 280, 1))
        self.assertTrue(235 <= value <= 255, value)
        self.mend(codes.LIGHT_REDUCED)

    def test_half_of_the_diodes_are_left(self):
        """Half its usual current is no darkness, only weaker: it takes a period to see that."""

        def weaken():
            self.lantern.strength = 45

        self.after("Fl(2) R 6s", weaken, codes.LIGHT_REDUCED, 6, reduced_ma=280)
        self.assertEqual([told[1] for told in self.told], [codes.ALARM_REDUCED])

    def test_out_of_step(self):
        for late_ms in (300, 5700):
            self.start("Fl(2) R 6s", sync=True)
            self.lantern.noise = 0
            self.lantern.now_us = self.watched.now_ms * 1000
            self.lantern.show((500, 1000, 500, 4000))
            self.day_ms = 86400000 - self.watched.now_ms
            self.run_s(40)
            self.assertEqual(self.told, [])
            self.assertTrue(-40 <= self.value("sync_ms") <= 40, self.value("sync_ms"))
            self.day_ms += late_ms
            self.until(20, codes.LIGHT_OUT_OF_SYNC)
            off = self.value("sync_ms")
            self.assertTrue(abs(off) - 300 <= 40 and (off > 0) == (late_ms == 300), off)
            self.day_ms = None
            self.run_s(30)
            self.assertEqual(self.active(), [codes.LIGHT_OUT_OF_SYNC])  # not known clears nothing
            self.assertIsNone(self.value("sync_ms"))

    def test_out_of_step_is_no_fault_unless_it_should_be_in_step(self):
        self.start("Fl 4s")
        self.lantern.noise = 0
        self.day_ms = 1234
        self.run_s(30)
        self.assertEqual(self.told, [])
        self.assertTrue(abs(self.value("sync_ms")) <= 2000)

    def test_it_is_lit_by_day(self):
        self.start("F R", contact=True)
        self.watched.slow_ms = 110
        self.daylight.day()
        self.run_s(880)
        self.assertEqual(self.told, [])
        self.assertTrue(self.until(60, codes.LIGHT_BY_DAY) <= 35000)
        self.assertEqual(self.told[-1][1:5], (codes.ALARM_LIT_BY_DAY, 1, 20000, None))
        self.assertEqual(self.state(), codes.LIGHT_BY_DAY)
        self.daylight.is_to = codes.SHOULD_EITHER
        self.run_s(5)
        self.assertEqual(self.active(), [codes.LIGHT_BY_DAY])
        self.go_dark()
        self.until(20, codes.LIGHT_BY_DAY, False)

    def test_a_test_by_day_is_none(self):
        self.start("F R", contact=True)
        self.watched.slow_ms = 110
        self.daylight.day()
        self.held = True
        self.run_s(960)
        self.assertEqual(self.told, [])

    def test_a_thunderstorm_is_no_day(self):
        self.start("F R", contact=True)
        self.watched.slow_ms = 110
        self.daylight.day()
        self.daylight.bright = False
        self.run_s(960)
        self.assertEqual(self.told, [])


class Unknown(Sea):
    def test_what_the_agent_asks_for_is_not_judged(self):
        self.start("Fl 4s")
        self.run_s(20)
        self.held = True
        self.lantern.stuck = True
        self.run_s(30)
        self.assertEqual((self.state(), self.light.fault()), (codes.LIGHT_UNKNOWN, None))
        self.lantern.stuck = False
        self.lantern.dark = True
        self.run_s(30)
        self.held = False
        self.run_s(2)
        self.lantern.dark = False
        self.run_s(30)
        self.assertEqual((self.told, self.state()), ([], codes.LIGHT_GOOD))
        self.assertTrue(self.value("should_s") < 55)

    def test_a_fault_outlasts_day_and_test(self):
        self.start("Fl 4s")
        self.lantern.dark = True
        self.run_s(20)
        self.assertEqual(self.active(), [codes.LIGHT_UNLIT])
        failed_s = self.value("failed_s")
        self.assertTrue(6 <= failed_s <= 20)
        self.daylight.day()
        self.run_s(20)
        self.held = True
        self.run_s(20)
        self.held = False
        self.assertEqual(self.active(), [codes.LIGHT_UNLIT])
        self.assertTrue(self.value("failed_s") <= failed_s + 1)

    def test_a_test_clears_nothing(self):
        self.start("F R", kept=1 << codes.ALARM_UNLIT)
        self.held = True
        self.run_s(45)
        self.assertEqual(self.active(), [codes.LIGHT_UNLIT])
        self.held = False
        self.until(60, codes.LIGHT_UNLIT, False)

    def test_one_flash_clears_nothing(self):
        self.start("Fl 4s")
        self.lantern.dark = True
        self.run_s(20)
        self.lantern.dark = False
        self.run_s(9)
        self.lantern.dark = True
        self.run_s(20)
        self.assertEqual([told[1:3] for told in self.told], [(codes.ALARM_UNLIT, 1)])

    def test_a_wake_goes_on_with_what_was_wrong(self):
        self.start("Fl 4s", kept=1 << codes.ALARM_UNLIT)
        self.lantern.dark = True
        self.run_s(3)
        self.assertEqual((self.told, self.state()), ([], codes.LIGHT_UNLIT))
        self.lantern.dark = False
        self.until(40, codes.LIGHT_UNLIT, False)

    def test_an_alarm_that_found_no_room_comes_later(self):
        self.start("Fl 4s")
        for what in range(100, 116):
            self.alarms.set(what, 2)
        self.lantern.dark = True
        self.watched.run(20000)
        self.assertEqual(self.active(), [])
        self.run_s(2)
        self.assertEqual(self.active(), [codes.LIGHT_UNLIT])

    def test_without_a_character_it_is_lit_or_not(self):
        self.start(None, (500, 1000, 500, 4000), dark_s=8)
        self.run_s(30)
        self.assertEqual((self.told, self.state()), ([], codes.LIGHT_GOOD))
        self.assertEqual((self.value("period_ms"), self.value("flashes")), (None, None))
        self.assertTrue(340 <= self.value("lit_ma") <= 352)
        self.lantern.dark = True
        self.run_s(7)
        self.assertEqual(self.light.lit(self.watched.now_ms), True)
        self.run_s(2)
        # Nobody said that there is a light: a board in the store raises no alarm.
        self.assertEqual(self.light.lit(self.watched.now_ms), False)
        self.run_s(600)
        self.assertEqual((self.told, self.active()), ([], []))
        self.lantern.dark = False
        self.run_s(60)
        self.lantern.stuck = True
        self.run_s(40)
        self.assertEqual((self.active(), self.state()), ([], codes.LIGHT_GOOD))


class Cost(Sea):
    def setUp(self):
        if not ON_MICROPYTHON:
            self.skipTest("CPython has no heap_lock")

    def test_a_poll_allocates_nothing(self):
        import micropython

        class Lamp:
            def read(self):
                return 350

        self.start("Fl 4s")
        self.run_s(10)
        self.light._current.reader = Lamp()
        now_ms = self.light._look_ms
        light = self.light
        for _ in range(10):  # the period that the lamp ended is over
            now_ms += light.poll(now_ms)
        micropython.heap_lock()
        try:
            for _ in range(20):
                now_ms += light.poll(now_ms)
        finally:
            micropython.heap_unlock()


class Codes(unittest.TestCase):
    def test_faults_and_their_alarms_have_one_order(self):
        for state, alarm in STATES.items():
            self.assertEqual(alarm - state, codes.ALARM_UNLIT - codes.LIGHT_UNLIT)
        self.assertEqual(sorted(STATES), list(range(2, 8)))
