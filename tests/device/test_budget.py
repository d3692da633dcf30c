"""Bytes per month: counted over restarts, thinned in time, alarmed once."""

import unittest

from fakes import FakeFiles, FakeReader
from support import ON_MICROPYTHON

from agent.clock import Clock
from agent.link.budget import Budget
from agent.power import Power
from agent.wire.codes import ALARM_DATA_BUDGET, CLOCK_GATEWAY, CLOCK_GNSS

BUILT = 200000000
DAY_S = 86400
HOUR_MS = 3600000
OCTOBER = 213148800  # 2026-10-03T00:00:00Z
OCTOBER_1 = OCTOBER - 2 * DAY_S
MIB = 1 << 20


class Budgets(unittest.TestCase):
    mib = 10

    def setUp(self):
        self.files = FakeFiles()
        self.total = 0
        self.start()

    def start(self, t=None):
        self.clock = Clock(BUILT)
        self.total = 0
        self.budget = Budget(self.clock, self.files, self.mib)
        if t is not None:
            self.set(t)

    def set(self, t):
        for i in range(3):
            self.clock.offer(CLOCK_GNSS, t, i, self.clock.now_ms, 500)

    def use(self, n, hours=1):
        """Carry `n` bytes in so many hours."""
        self.clock.advance(hours * HOUR_MS)
        self.total += n
        self.budget.seen(self.total, True)
        self.budget.poll(self.clock.now_ms)


class Months(Budgets):
    def test_kib_are_counted_whole(self):
        self.start(OCTOBER)
        for _ in range(1024):
            self.use(3, 0)
        self.assertEqual(self.budget.month_kib(), 3)

    def test_a_restart_loses_less_than_64_kib_or_a_day(self):
        self.start(OCTOBER)
        lost = 0
        used = 0
        for i in range(200):
            self.use(5000, 0)
            used += 5000
            if i % 37 == 36:
                before = self.budget.month_kib()
                self.start(OCTOBER)
                lost = max(lost, before - self.budget.month_kib())
        self.assertTrue(0 < lost < 64)

    def test_what_was_used_in_a_day_is_kept(self):
        self.start(OCTOBER)
        self.use(10 * 1024, 1)
        self.assertEqual(self.files.writes, 0)
        self.use(0, 24)
        self.assertEqual(self.files.writes, 1)
        self.use(0, 240)
        self.assertEqual(self.files.writes, 1)
        self.start(OCTOBER)
        self.assertEqual(self.budget.month_kib(), 10)

    def test_few_writes(self):
        self.start(OCTOBER_1)
        for _ in range(30 * 24):
            self.use(self.mib * MIB // (30 * 24))
        self.assertTrue(self.files.writes <= 160, self.files.writes)

    def test_wifi_costs_nothing(self):
        self.start(OCTOBER)
        self.use(10 * 1024, 0)
        self.total += MIB
        self.budget.seen(self.total, False)
        self.use(1024, 0)
        self.assertEqual(self.budget.month_kib(), 11)

    def test_a_sleeper_s_small_change_adds_up(self):
        """A hundred wakes of 700 bytes each."""
        self.start(OCTOBER)
        for _ in range(100):
            self.use(700, 0)
            self.budget.keep(self.clock.now_ms)
            self.start(OCTOBER)
        self.assertEqual(self.budget.month_kib(), 68)

    def test_keep_before_a_reset_of_our_own(self):
        self.start(OCTOBER)
        self.use(5000, 0)
        self.budget.keep(self.clock.now_ms)
        self.start(OCTOBER)
        self.assertEqual(self.budget.month_kib(), 4)

    def test_a_new_month_begins_at_nothing(self):
        self.start(OCTOBER_1 + 30 * DAY_S)
        self.use(500 * 1024, 0)
        self.use(1024, 25)
        self.assertTrue(self.budget.month_kib() <= 1)

    def test_a_month_that_ended_while_the_board_was_off(self):
        self.start(OCTOBER)
        self.use(500 * 1024, 0)
        self.start(OCTOBER + 40 * DAY_S)
        self.use(1024, 0)
        self.assertTrue(self.budget.month_kib() <= 1)

    def test_a_clock_set_back_forgets_nothing(self):
        self.start(OCTOBER)
        self.use(500 * 1024, 0)
        self.set(OCTOBER - 40 * DAY_S)
        self.use(1024, 0)
        self.assertEqual(self.budget.month_kib(), 501)

    def test_without_a_clock_a_month_is_thirty_days_of_uptime(self):
        for _ in range(29):
            self.use(1024, 24)
        self.assertEqual(self.budget.month_kib(), 29)
        self.use(1024, 24)
        self.use(1024, 24)
        self.assertEqual(self.budget.month_kib(), 1)

    def test_a_clock_that_comes_late_does_not_begin_a_month(self):
        self.use(10 * 1024, 24)
        self.set(OCTOBER)
        self.use(1024, 0)
        self.assertEqual(self.budget.month_kib(), 11)

    def test_before_the_clock_the_month_of_the_last_start_goes_on(self):
        self.start(OCTOBER)
        self.use(100 * 1024, 0)
        self.start()
        self.use(1024, 1)
        self.assertEqual(self.budget.month_kib(), 101)
        self.set(OCTOBER + 40 * DAY_S)
        self.use(1024, 0)
        self.assertTrue(self.budget.month_kib() <= 1)

    def test_a_damaged_file_is_an_empty_month(self):
        self.start(OCTOBER)
        self.use(100 * 1024, 0)
        data = bytearray(self.files.read("budget"))
        data[4] ^= 1
        self.files.replace("budget", data)
        self.start(OCTOBER)
        self.assertEqual(self.budget.month_kib(), 0)

    def test_a_flash_that_refuses_is_tried_once_a_day_or_64_kib(self):
        self.start(OCTOBER)
        self.files.read_only = True
        errors = 0
        for _ in range(64):
            try:
                self.use(2048, 0)
            except OSError:
                errors += 1
        self.assertEqual(self.budget.month_kib(), 128)
        self.assertTrue(1 <= errors <= 2, errors)


class Thinning(Budgets):
    def levels(self, share_e2, day):
        self.files = FakeFiles()
        self.start(OCTOBER_1 + day * DAY_S)
        self.use(self.mib * MIB * share_e2 // 100 + 1024, 0)
        return self.budget.level

    def test_bulk_then_detail_then_the_interval(self):
        self.assertEqual(
            [self.levels(n, 5) for n in (50, 69, 70, 84, 85, 94, 95, 300)],
            [0, 0, 1, 1, 2, 2, 3, 3],
        )

    def test_the_end_of_the_month_has_nothing_to_save_for(self):
        self.assertEqual([self.levels(n, 27) for n in (50, 71, 89, 91, 96)], [0, 0, 0, 2, 3])
        self.assertEqual(self.levels(101, 30), 3)
        self.assertEqual(self.budget.stretch, 4)
        self.assertEqual((self.levels(94, 5), self.budget.stretch), (2, 1))

    def test_no_budget_is_only_counted(self):
        self.mib = 0
        self.start(OCTOBER)
        self.use(1 << 30, 0)
        self.assertEqual((self.budget.level, self.budget.month_kib()), (0, 1 << 20))
        self.assertEqual(self.budget.next_alarm(), None)

    def test_one_alarm_a_month_and_it_clears_with_the_month(self):
        self.start(OCTOBER_1)
        alarms = []
        for day in range(33):
            self.use(self.mib * MIB // 20, 24)
            alarm = self.budget.next_alarm()
            if alarm:
                alarms.append((day, alarm[:2]))
        self.assertEqual(alarms, [(13, (ALARM_DATA_BUDGET, 1)), (30, (ALARM_DATA_BUDGET, 0))])

    def test_a_level_that_lapses_within_the_month_clears_nothing(self):
        self.start(OCTOBER_1)
        self.use(self.mib * MIB * 71 // 100, 24)
        self.assertEqual((self.budget.level, self.budget.next_alarm()[1]), (1, 1))
        self.use(0, 24 * 25)
        self.assertEqual((self.budget.level, self.budget.next_alarm()), (0, None))

    def test_the_alarm_says_how_much_of_what(self):
        self.start(OCTOBER_1)
        self.use(8 * MIB, 0)
        self.assertEqual(self.budget.next_alarm(), (ALARM_DATA_BUDGET, 1, 8192, 10240))
        self.assertEqual(self.budget.next_alarm(), None)

    def test_a_restart_does_not_alarm_again(self):
        self.start(OCTOBER_1)
        self.use(8 * MIB, 0)
        self.start(OCTOBER_1)
        self.use(1024, 0)
        self.assertEqual(self.budget.level, 1)
        self.assertEqual(self.budget.next_alarm(), None)

    def test_thinned_use_lasts_to_the_end_of_the_month(self):
        """A plan of twice the budget, of which the levels leave 100, 40, 25 and 8 percent."""
        self.start(OCTOBER_1)
        a_day = 2 * self.mib * MIB // 30
        highest = 0
        used = 0
        for _ in range(30 * 24 - 1):
            n = a_day // 24 * (100, 40, 25, 8)[self.budget.level] // 100
            used += n
            self.use(n)
            highest = max(highest, self.budget.level)
        self.assertTrue(used <= self.mib * MIB, used)
        self.assertTrue(used > self.mib * MIB * 85 // 100, used)
        self.assertTrue(highest >= 1)


class Cost(unittest.TestCase):
    def test_idle_polls_of_clock_power_and_budget_allocate_nothing(self):
        if not ON_MICROPYTHON:
            self.skipTest("CPython has no heap_lock")
        import micropython

        files = FakeFiles()
        clock = Clock(BUILT, files)
        clock.offer(CLOCK_GATEWAY, OCTOBER, 0, 0, 40)
        power = Power(FakeReader(12000), (12400, 11800, 11500, 10800), False)
        budget = Budget(clock, files, 10)
        for now_ms in (0, 1000):
            clock.poll(now_ms)
            power.poll(now_ms)
            budget.poll(now_ms)
        micropython.heap_lock()
        try:
            clock.advance(2000)
            clock.poll(2000)
            power.poll(2000)
            budget.seen(4000, True)
            budget.poll(2000)
        finally:
            micropython.heap_unlock()


if __name__ == "__main__":
    unittest.main()
