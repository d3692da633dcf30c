"""The clock: sources and their trust, steps, the RTC and the kept time, wraps, epochs, floats."""

import struct
import unittest

from fakes import FakeFiles

from agent.clock import Clock
from agent.hal.life import RTC
from agent.keep import numbers
from agent.sense.utc import date, seconds_since_2020
from agent.wire.codes import CLOCK_BEIDOU, CLOCK_GATEWAY, CLOCK_GNSS, CLOCK_NTP, CLOCK_RTC

BUILT = 200000000
T = 217000000


def gnss(clock, t, at_ms, times=3):
    """Three receivers' seconds that agree."""
    believed = False
    for i in range(times):
        believed = clock.offer(CLOCK_GNSS, t + i, 0, at_ms + 1000 * i, 500)
    return believed


class FakeRTC:
    """An RTC that counts with `clock`; `fast_ppm` is its error. No time before it was set."""

    def __init__(self, ppm=None):
        if ppm is not None:
            self.ppm = ppm
        self.sets = []
        self.fast_ppm = 0
        self._ms = None

    def run(self, ms):
        if self._ms is not None:
            self._ms += ms + ms * self.fast_ppm // 1000000

    def get(self):
        return None if self._ms is None else self._ms // 1000

    def set(self, t):
        self.sets.append(t)
        self._ms = t * 1000

    def lose_power(self):
        self._ms = None


class Setting(unittest.TestCase):
    def setUp(self):
        self.clock = Clock(BUILT)

    def test_before_any_source_time_is_the_uptime(self):
        self.assertEqual(self.clock.t(), -1)
        self.clock.advance(12999)
        self.assertEqual(self.clock.t(), -13)
        self.assertFalse(self.clock.changed)

    def test_set_by_the_gateway(self):
        self.clock.advance(10000)
        self.assertTrue(self.clock.offer(CLOCK_GATEWAY, T, 600, 10000, 40))
        self.assertTrue(self.clock.changed)
        self.assertEqual(self.clock.take_change(), (10, CLOCK_GATEWAY, 40, None))
        self.clock.advance(400)
        self.assertEqual(self.clock.t(), T + 1)

    def test_a_receiver_is_believed_when_three_sentences_agree(self):
        self.assertFalse(gnss(self.clock, T, 0, times=2))
        self.assertEqual(self.clock.source, None)
        self.assertTrue(self.clock.offer(CLOCK_GNSS, T + 2, 0, 2000, 500))
        self.assertEqual(self.clock.source, CLOCK_GNSS)

    def test_one_wild_sentence_starts_the_agreement_anew(self):
        gnss(self.clock, T, 0, times=2)
        self.assertFalse(self.clock.offer(CLOCK_GNSS, T + 5000, 0, 2000, 500))
        self.assertFalse(self.clock.offer(CLOCK_GNSS, T + 3, 0, 3000, 500))
        self.assertFalse(self.clock.offer(CLOCK_GNSS, T + 4, 0, 4000, 500))
        self.assertTrue(self.clock.offer(CLOCK_GNSS, T + 5, 0, 5000, 500))

    def test_impossible_times_are_refused_and_counted(self):
        week_rollover_s = 1024 * 7 * 86400
        for t in (BUILT - 1, T - week_rollover_s, T + week_rollover_s):
            self.assertFalse(self.clock.offer(CLOCK_GATEWAY, t, 0, 0, 40))
        self.assertEqual(self.clock.refused, 3)
        self.assertEqual(self.clock.source, None)


class Changing(unittest.TestCase):
    def setUp(self):
        self.clock = Clock(BUILT)
        gnss(self.clock, T, 0)
        self.clock.take_change()
        self.clock.advance(3000)

    def test_agreement_changes_nothing(self):
        self.assertTrue(gnss(self.clock, T + 3, 3400))
        self.assertFalse(self.clock.changed)

    def test_a_step_is_reported(self):
        self.assertTrue(gnss(self.clock, T + 3 + 7, 3000))
        self.assertEqual(self.clock.take_change()[1:], (CLOCK_GNSS, 500, 7))
        self.assertTrue(gnss(self.clock, T + 6 - 90, 6000))
        self.assertEqual(self.clock.take_change()[3], -97)

    def test_one_wild_sentence_does_not_step(self):
        self.assertFalse(self.clock.offer(CLOCK_GNSS, T + 9999, 0, 3000, 500))
        self.assertEqual(self.clock.t(), T + 3)

    def test_a_worse_source_waits_six_hours(self):
        self.assertFalse(self.clock.offer(CLOCK_NTP, T + 50, 0, 3000, 20))
        self.assertFalse(self.clock.offer(CLOCK_NTP, T + 21600, 0, 6 * 3600 * 1000 - 1, 20))
        later_ms = 6 * 3600 * 1000 + 3000
        self.assertTrue(self.clock.offer(CLOCK_NTP, T + 21603, 0, later_ms, 20))
        self.assertEqual(self.clock.take_change()[1:], (CLOCK_NTP, 20, 0))

    def test_a_better_source_takes_over_at_once(self):
        clock = Clock(BUILT)
        clock.offer(CLOCK_GATEWAY, T, 0, 0, 40)
        clock.take_change()
        self.assertTrue(gnss(clock, T, 0))
        self.assertEqual(clock.take_change()[1:], (CLOCK_GNSS, 500, 0))


class Trust(unittest.TestCase):
    ORDER = (CLOCK_GNSS, CLOCK_BEIDOU, CLOCK_NTP, CLOCK_GATEWAY, CLOCK_RTC)

    def known_by(self, source):
        clock = Clock(BUILT)
        for _ in range(3):
            clock.offer(source, T, 0, 0, 100)
        self.assertEqual(clock.source, source)
        clock.take_change()
        return clock

    def test_each_against_each(self):
        for place, source in enumerate(self.ORDER):
            for other_place, other in enumerate(self.ORDER):
                clock = self.known_by(source)
                for _ in range(3):
                    clock.offer(other, T + 100, 0, 0, 100)
                takes_over = other_place <= place
                self.assertEqual(clock.t(), T + 100 if takes_over else T)
                self.assertEqual(clock.source, other if takes_over else source)
                if takes_over:
                    self.assertEqual(clock.take_change()[1:], (other, 100, 100))
                self.assertEqual(clock.disagreed, 0 if takes_over else 1 + 2 * (other > 0))

    def test_what_contradicts_a_better_source_is_counted(self):
        clock = self.known_by(CLOCK_GNSS)
        clock.offer(CLOCK_GATEWAY, T + 1, 0, 0, 100)
        self.assertEqual(clock.disagreed, 0)  # 1,000 ms and both uncertainties
        clock.offer(CLOCK_GATEWAY, T + 1, 250, 0, 100)
        clock.offer(CLOCK_BEIDOU, T - 2, 0, 0, 100)
        self.assertEqual(clock.disagreed, 2)
        self.assertEqual((clock.t(), clock.changed), (T, False))

    def test_after_six_silent_hours_it_is_no_contradiction_but_a_take_over(self):
        clock = self.known_by(CLOCK_GNSS)
        hold_ms = 6 * 3600 * 1000
        clock.advance(hold_ms)
        self.assertTrue(clock.offer(CLOCK_GATEWAY, T + 21600 + 5, 0, hold_ms, 100))
        self.assertEqual((clock.disagreed, clock.take_change()[3]), (0, 5))


class Keeping(unittest.TestCase):
    """The RTC and the small store, over restarts."""

    def setUp(self):
        self.files = FakeFiles()
        self.rtc = FakeRTC()
        self.clock = Clock(BUILT, self.files, self.rtc)
        self.now_s = 0  # of the world

    def live(self, seconds, source=None, step_s=10):
        """Go on for so long, with a source that says the world's time every ten seconds."""
        for _ in range(0, seconds, step_s):
            self.now_s += step_s
            self.rtc.run(step_s * 1000)
            self.clock.advance(step_s * 1000)
            if source is not None:
                self.clock.offer(source, T + self.now_s, 0, self.clock.now_ms, 40)
            self.clock.poll(self.clock.now_ms)

    def restart(self, off_s=5, power=False):
        if power:
            self.rtc.lose_power()
        self.now_s += off_s
        self.rtc.run(off_s * 1000)
        self.clock = Clock(BUILT, self.files, self.rtc)

    def test_a_new_board_knows_nothing(self):
        self.assertEqual((self.clock.source, self.clock.floor()), (None, BUILT))

    def test_the_rtc_is_set_at_once_then_hourly(self):
        self.live(10, CLOCK_GATEWAY)
        self.assertEqual(self.rtc.sets, [T + 10])
        self.live(3 * 3600, CLOCK_GATEWAY)
        self.assertEqual(len(self.rtc.sets), 4)

    def test_it_is_set_to_the_nearest_second(self):
        for ms, expected in ((499, T), (500, T + 1)):
            self.clock = Clock(BUILT, self.files, self.rtc)
            self.clock.offer(CLOCK_GATEWAY, T, ms, 0, 40)
            self.clock.poll(0)
            self.assertEqual(self.rtc.sets[-1], expected)

    def test_the_rtc_carries_the_time_over_a_reset(self):
        self.live(600, CLOCK_GATEWAY)
        self.restart()
        self.assertTrue(self.clock.changed)
        uptime_s, source, uncertainty_ms, step_s = self.clock.take_change()
        self.assertEqual((uptime_s, source, step_s), (0, CLOCK_RTC, None))
        self.assertTrue(abs(self.clock.t() - T - self.now_s) * 1000 <= uncertainty_ms)
        # Set 595 s ago; 5 % of it, 40 ms of the gateway's, 1.5 s of whole seconds.
        self.assertEqual(uncertainty_ms, 40 + 1500 + 595 * 50000 // 950)

    def test_the_bound_holds_for_an_oscillator_that_is_as_bad_as_it_may_be(self):
        for fast_ppm in (-49000, 0, 49000):
            for age_s in (60, 1800, 3500):
                self.setUp()
                self.rtc.fast_ppm = fast_ppm
                self.live(20, CLOCK_GNSS, step_s=1)
                self.restart(age_s)
                self.assertEqual(self.clock.source, CLOCK_RTC)
                error_ms = abs(self.clock.t() - T - self.now_s) * 1000
                self.assertTrue(error_ms <= self.clock.take_change()[2] + 1000)

    def test_an_rtc_that_was_left_alone_for_long_is_worse_than_none(self):
        self.live(20, CLOCK_GATEWAY)
        self.restart(13000)
        self.assertEqual(self.clock.source, None)

    def test_one_with_a_crystal_is_good_for_months(self):
        self.rtc = FakeRTC(ppm=20)
        self.clock = Clock(BUILT, self.files, self.rtc)
        self.live(20, CLOCK_GATEWAY)
        self.restart(300 * 86400)
        self.assertEqual(self.clock.source, CLOCK_RTC)

    def test_every_better_source_takes_over_from_the_rtc_and_sets_it(self):
        self.live(20, CLOCK_GATEWAY)
        self.restart(600)
        self.rtc.sets = []
        self.live(10, CLOCK_GATEWAY)
        self.assertEqual(self.clock.source, CLOCK_GATEWAY)
        self.assertEqual(self.rtc.sets, [T + self.now_s])

    def test_an_rtc_alone_never_sets_itself_nor_the_store(self):
        self.live(20, CLOCK_GATEWAY)
        self.restart(600)
        writes = self.files.writes
        self.rtc.sets = []
        self.live(7200)
        self.assertEqual((self.rtc.sets, self.files.writes), ([], writes))

    def test_an_rtc_that_somebody_else_set_is_not_believed(self):
        self.rtc.set(T + 8 * 3600)  # a laptop's local time
        self.clock = Clock(BUILT, self.files, self.rtc)
        self.assertEqual(self.clock.source, None)

    def test_a_floor_put_into_a_dead_rtc_is_no_time(self):
        """The link sets a dead RTC to the floor, for TLS. After the next reset that is no time."""
        self.live(7200, CLOCK_GATEWAY)
        self.restart(86400, power=True)
        self.assertEqual(self.clock.source, None)
        floor = self.clock.floor()
        self.assertTrue(T + 3600 <= floor <= T + 7200)
        self.rtc.set(floor)
        self.restart()
        self.assertEqual((self.clock.source, self.clock.floor()), (None, floor))
        self.live(20, CLOCK_GATEWAY)
        self.restart()
        self.assertEqual(self.clock.source, CLOCK_RTC)

    def test_a_floor_put_into_an_rtc_that_strayed_too_far_is_no_time(self):
        self.live(20, CLOCK_GATEWAY)
        self.restart(13000)
        self.rtc.set(self.clock.floor())
        self.restart()
        self.assertEqual(self.clock.source, None)

    def test_an_rtc_behind_the_time_it_was_set_to_is_not_believed(self):
        self.live(20, CLOCK_GATEWAY)
        self.rtc.set(T - 5)
        self.restart(0)
        self.assertEqual(self.clock.source, None)

    def test_impossible_times_of_the_rtc(self):
        self.live(20, CLOCK_GATEWAY)
        self.rtc = FakeRTC(ppm=0)
        for t in (0, BUILT - 1, T + 20 * 366 * 86400):
            self.rtc.set(t)
            self.restart()
            self.assertEqual(self.clock.source, None)

    def test_the_floor_is_at_most_an_hour_old(self):
        self.live(10 * 3600, CLOCK_GATEWAY, step_s=60)
        self.assertEqual(self.clock.floor(), T + self.now_s)
        self.restart(0, power=True)
        self.assertTrue(0 <= T + self.now_s - self.clock.floor() <= 3600)

    def test_the_floor_goes_on_while_the_source_is_silent(self):
        self.live(20, CLOCK_GNSS, step_s=1)
        self.live(5 * 3600)
        self.assertEqual(len(self.rtc.sets), 2)  # a copy of our own guess is no news for the RTC
        self.restart(0, power=True)
        self.assertTrue(T + self.now_s - self.clock.floor() <= 3600)

    def test_hardly_any_writes(self):
        self.live(86400, CLOCK_GATEWAY)
        self.assertTrue(self.files.writes <= 24, self.files.writes)

    def test_a_wake_every_ten_minutes_writes_no_more(self):
        for _ in range(6 * 24):
            self.live(60, CLOCK_GATEWAY)
            self.restart(540)
        self.assertTrue(self.files.writes <= 24, self.files.writes)

    def test_a_step_is_kept_soon(self):
        self.live(700, CLOCK_GATEWAY)
        self.now_s -= 30 * 86400  # the gateway had been a month ahead
        self.live(20, CLOCK_GATEWAY)
        self.restart(0, power=True)
        self.assertTrue(self.clock.floor() - T - self.now_s <= 20)

    def test_a_clock_gone_mad_does_not_wear_the_flash(self):
        for i in range(8640):
            self.now_s += 50000 if i % 2 else -49990
            self.live(10, CLOCK_GATEWAY)
        self.assertTrue(self.files.writes <= 145, self.files.writes)

    def test_a_flash_that_refuses_costs_the_floor_only(self):
        self.files.read_only = True
        errors = 0
        for _ in range(120):
            try:
                self.live(10, CLOCK_GATEWAY)
            except OSError:
                errors += 1
        self.assertTrue(1 <= errors <= 3, errors)
        self.assertEqual(self.clock.t(), T + self.now_s)
        self.files.broken = True
        self.restart()
        self.assertEqual(self.clock.floor(), BUILT)

    def test_a_damaged_store_is_none(self):
        self.live(20, CLOCK_GATEWAY)
        good = self.files.read("clock")
        for i in range(len(good)):
            data = bytearray(good)
            data[i] ^= 1
            self.files.replace("clock", data)
            self.restart(0)
            self.assertEqual((self.clock.floor(), self.clock.source), (BUILT, None))
        for n in range(len(good)):
            self.files.replace("clock", good[:n])
            self.restart(0)
            self.assertEqual(self.clock.floor(), BUILT)

    def test_a_kept_time_that_cannot_be_is_none(self):
        numbers.save(self.files, "clock", (BUILT + 16 * 366 * 86400, T, 40))
        self.assertEqual(Clock(BUILT, self.files, self.rtc).floor(), BUILT)

    def test_newer_firmware_raises_the_floor(self):
        self.live(20, CLOCK_GATEWAY)
        self.assertEqual(Clock(T + 90 * 86400, self.files, None).floor(), T + 90 * 86400)

    def test_a_board_without_an_rtc_keeps_the_floor(self):
        self.clock = Clock(BUILT, self.files, None)
        self.live(7200, CLOCK_GATEWAY)
        self.assertTrue(self.files.writes <= 3)
        self.assertTrue(Clock(BUILT, self.files, None).floor() >= T + 3600)


class Numbers(unittest.TestCase):
    def test_there_and_back(self):
        files = FakeFiles()
        for kept in ((0,), (1, 2, 3), (0xFFFFFFFF, 0, 7)):
            numbers.save(files, "n", kept)
            self.assertEqual(numbers.load(files, "n", len(kept)), kept)
            self.assertEqual(numbers.load(files, "n", len(kept) + 1), None)
        self.assertEqual(numbers.load(files, "none", 1), None)


class Ticks(unittest.TestCase):
    def test_uptime_goes_on_where_the_counter_wraps(self):
        # time.ticks_ms wraps at 2**30 ms, 12.4 days, on every board (reference B1).
        clock = Clock(BUILT)
        wrap = 1 << 30
        ticks = wrap - 500
        for _ in range(3):
            after = (ticks + 1000) % wrap
            clock.advance((after - ticks) % wrap)
            ticks = after
        self.assertEqual(clock.uptime_s(), 3)

    def test_a_month_of_uptime(self):
        clock = Clock(BUILT)
        for _ in range(31 * 24):
            clock.advance(3600000)
        self.assertEqual(clock.t(), -1 - 31 * 86400)
        clock.offer(CLOCK_GATEWAY, T, 0, clock.now_ms, 40)
        self.assertEqual(clock.t(), T)


class PortCalendar:
    """A port's RTC: `seconds` since its own epoch, told as a calendar by `datetime`."""

    def __init__(self, to_2020_s):
        self.seconds = 0
        self._to_2020_s = to_2020_s

    def datetime(self, told=None):
        if told is not None:
            day_s = told[4] * 3600 + told[5] * 60 + told[6]
            self.seconds = seconds_since_2020(*told[:3], day_s) + self._to_2020_s
        if self.seconds < self._to_2020_s:
            return (2000, 1, 1, 0, 0, 0, self.seconds, 0)
        t = self.seconds - self._to_2020_s
        return date(t) + (0, t // 3600 % 24, t // 60 % 60, t % 60, 0)


class Epochs(unittest.TestCase):
    """MicroPython counts from 2000 on ESP32 and STM32, from 1970 on RP2 and unix (reference B1).

    No port's `time()` is used: `hal.life.RTC` turns the calendar into seconds since 2020 and back.
    """

    def test_the_two_epochs(self):
        self.assertEqual(seconds_since_2020(2000, 1, 1, 0), -631152000)
        self.assertEqual(seconds_since_2020(1970, 1, 1, 0), -1577836800)
        # The same moment by either: 946,684,800 s lie between them.
        self.assertEqual(631152000 - 1577836800, -946684800)

    def test_the_rtc_of_either_port_carries_the_same_time(self):
        for to_2020_s in (631152000, 1577836800):
            port = PortCalendar(to_2020_s)
            files = FakeFiles()
            clock = Clock(BUILT, files, RTC(port.datetime, BUILT))
            clock.offer(CLOCK_GATEWAY, T + 9, 0, 0, 40)
            clock.poll(0)
            self.assertEqual(port.seconds, T + 9 + to_2020_s)
            port.seconds += 5
            self.assertEqual(Clock(BUILT, files, RTC(port.datetime, BUILT)).t(), T + 14)
            port.seconds = 3  # power was lost: three seconds of its own epoch
            clock = Clock(BUILT, files, RTC(port.datetime, BUILT))
            self.assertEqual((clock.source, clock.floor()), (None, T + 9))

    def test_an_unset_rtc_of_either_epoch_is_before_every_firmware(self):
        for year in (1970, 2000):
            self.assertTrue(seconds_since_2020(year, 1, 1, 86400) < BUILT)

    def test_dates_there_and_back(self):
        for t in range(0, 136 * 366 * 86400, 86400 * 11 + 3607):
            year, month, day = date(t)
            self.assertEqual(seconds_since_2020(year, month, day, t % 86400), t)

    def test_dates_by_heart(self):
        for t, expected in (
            (0, (2020, 1, 1)),
            (59 * 86400, (2020, 2, 29)),
            (60 * 86400 - 1, (2020, 2, 29)),
            (60 * 86400, (2020, 3, 1)),
            (366 * 86400 - 1, (2020, 12, 31)),
            (217400000, (2026, 11, 21)),
            (2529619200, (2100, 2, 28)),
            (2529619200 + 86400, (2100, 3, 1)),
        ):
            self.assertEqual(date(t), expected)


def as_float32(number):
    """Give what a board's single-precision float makes of a number (reference B1)."""
    return int(struct.unpack("<f", struct.pack("<f", number))[0])


class SinglePrecision(unittest.TestCase):
    """What would be lost if time or place ever went through a board's float; the unix port hides it."""

    def test_a_float_would_lose_seconds_and_metres(self):
        self.assertTrue(abs(as_float32(T + 7) - T - 7) >= 1)  # 16 s apart
        self.assertTrue(abs(as_float32(121473701) - 121473701) >= 1)  # longitude in 1e-6 degrees

    def test_the_clock_keeps_what_a_float_would_lose(self):
        clock = Clock(BUILT)
        clock.offer(CLOCK_GATEWAY, T + 7, 123, 5, 40)
        for _ in range(1000):
            clock.advance(1)
            self.assertTrue(isinstance(clock.t(), int))
            self.assertTrue(clock.t() in (T + 7, T + 8))
        self.assertEqual(clock.t(), T + 8)
        clock.advance(877 - 1000 + 5)
        self.assertTrue(as_float32(clock.t()) != clock.t())


if __name__ == "__main__":
    unittest.main()
