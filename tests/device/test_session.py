"""Shore-power sessions: begun, told, ended and taken up again, by raw counts."""

import unittest

from fakes import FakeFiles, PowerCut

from agent.alarms import Alarms
from agent.errors import RemoteError
from agent.keep import journal
from agent.meter.session import IDLE, Session
from agent.wire import codes, messages, schema
from agent.wire.encode import Encoder, put_array, put_bytes, put_int

FIELDS = schema.SCHEMAS[schema.SESSION][3]
METER = b"202410010001"


class Clock:
    """A clock that may be set; `at` is the pile's."""

    def __init__(self, pile):
        self.pile = pile

    def t(self):
        pile = self.pile
        return -1 - pile.now_ms // 1000 if pile.t0 is None else pile.t0 + pile.world_s()


class Pile:
    """A pile, its meter and its agent's session part, looked at twice a second.

    `counts` is the list of what the meter says, None a silent meter; it is read every ten seconds.
    """

    def __init__(self, **options):
        self.options = options
        self.files = FakeFiles()
        self.boot = 0
        self.off_s = 0  # when the boot began, in the world
        self.t0 = 200000000
        self.counts = [50000, 7, -2, 1, 1, METER, 1, 2, 3, 4, 100000000, 1]
        self.plug = False
        self.closed = None
        self.in_use = False
        self.told = []
        self.start()

    def start(self, off_s=0):
        self.boot += 1
        if self.boot > 1:
            self.off_s = self.world_s() + off_s
        self.now_ms = 0
        self.read_ms = None
        self.read = None
        self.files.restart()
        self.alarms = Alarms()
        self.session = Session(
            self.files, self.boot, Clock(self), self.alarms, 100000, **self.options
        )

    def world_s(self):
        return self.off_s + self.now_ms // 1000

    def step(self):
        self.now_ms += 500
        if self.now_ms % 10000 == 0:
            self.read = None if self.counts is None else tuple(self.counts)
            self.read_ms = self.now_ms
        self.session.look(
            self.plug, self.closed, self.in_use, self.read, self.read_ms, self.now_ms
        )
        values = self.session.next_record()
        if values is not None:
            self.told.append(named(values))

    def run(self, seconds):
        """Run; return what was told in that time."""
        n = len(self.told)
        for _ in range(2 * seconds):
            self.step()
        return self.told[n:]

    def begin(self):
        """Stand for a minute, and plug in: return the first event."""
        self.run(60)
        self.plug = True
        return self.run(10)[0]


def named(values):
    return dict(zip([field[0] for field in FIELDS], values))


def whats(events):
    return [event["what"] for event in events]


class Normal(unittest.TestCase):
    def test_from_plug_to_plug(self):
        pile = Pile(certified_t=300000000)
        started = pile.begin()
        self.assertEqual(started["what"], codes.SESSION_STARTED)
        self.assertEqual(started["reason"], codes.REASON_PLUG)
        self.assertEqual((started["begun_boot"], started["number"], started["event"]), (1, 0, 0))
        self.assertEqual(started["imported"], 50000)
        self.assertEqual(started["flaws"], 0)
        for name, value in (
            ("exported", 7), ("import_t1", 1), ("import_t4", 4), ("count_e", -2), ("pt", 1), ("ct", 1),
            ("modulus", 100000000), ("step", 1), ("meter_id", METER), ("certified_t", 300000000),
        ):  # fmt: skip
            self.assertEqual(started[name], value)
        pile.in_use = True
        pile.counts[0] += 15
        self.assertEqual(pile.run(300), [])
        pile.plug = False
        pile.in_use = False
        pile.counts[0] += 1
        pile.counts[6] = 17
        ended = pile.run(40)
        self.assertEqual(whats(ended), [codes.SESSION_ENDED])
        self.assertEqual(ended[0]["imported"], 50016)
        self.assertEqual(ended[0]["import_t1"], 17)
        self.assertEqual(ended[0]["event"], 1)
        self.assertEqual(ended[0]["reason"], codes.REASON_PLUG)
        self.assertEqual(ended[0]["flaws"], 0)
        self.assertEqual(pile.session.state, IDLE)
        pile.plug = True
        self.assertEqual(pile.run(10)[0]["number"], 1)

    def test_a_record_fits(self):
        pile = Pile(certified_t=0x3FFFFFFF)
        big = 0xFFFFFFFE
        pile.counts = [
            big,
            big,
            -2,
            65535,
            65535,
            b"123456789012",
            big,
            big,
            big,
            big,
            0,
            0x3FFFFFFF,
        ]
        pile.now_ms = 0x3FFF0000 // 10000 * 10000
        pile.session.ship(
            ship(999999999, b"CN123456789012345678", 2, b"0123456789012345"), pile.now_ms
        )
        started = pile.begin()
        values = [started[field[0]] for field in FIELDS]
        values[1] = values[2] = values[3] = 0x3FFFFFFF
        n = Encoder().record(schema.SESSION, 0x3FFFFFFF, 0x3FFFFFFF, 0x3FFFFFFF, values)
        self.assertTrue(130 < n <= schema.RECORD_MAX, n)

    def test_chatter_is_no_plug(self):
        pile = Pile()
        pile.run(60)
        for _ in range(100):
            pile.plug = not pile.plug
            pile.run(1)
        self.assertEqual(pile.told, [])

    def test_the_first_reading_of_a_start_is_no_baseline_for_a_plug_just_in(self):
        pile = Pile()
        pile.run(18)
        pile.plug = True
        pile.in_use = True
        pile.run(1)
        pile.counts[0] += 4
        (started,) = pile.run(10)[:1]
        self.assertEqual((started["what"], started["imported"]), (codes.SESSION_STARTED, None))
        self.assertEqual(started["flaws"], codes.FLAW_NO_BASELINE | codes.FLAW_GAP)

    def test_a_chattering_plug_has_its_baseline_from_before_it_touched(self):
        pile = Pile()
        pile.run(68)
        pile.plug = True
        pile.run(1)
        pile.counts[0] += 4
        for plug in (True, False, True, True, False, True):
            pile.plug = plug
            pile.run(1)
        (started,) = pile.run(5)
        self.assertEqual((started["imported"], started["flaws"]), (50000, 0))

    def test_out_and_in_again_at_once(self):
        """Two sessions, and no count between them."""
        pile = Pile()
        pile.begin()
        pile.in_use = True
        pile.run(100)
        pile.plug = False
        pile.run(4)
        pile.plug = True
        for _ in range(10):
            pile.counts[0] += 3
            pile.run(6)
        ended, started = pile.told[1:3]
        self.assertEqual(
            (ended["what"], started["what"]), (codes.SESSION_ENDED, codes.SESSION_STARTED)
        )
        self.assertTrue(ended["imported"] > 50000)
        self.assertEqual(ended["imported"], started["imported"])
        self.assertEqual(started["flaws"], 0)

    def test_a_load_before_the_plug_is_believed(self):
        pile = Pile()
        pile.begin()
        pile.in_use = True  # and is so for some minutes after the register moved
        pile.run(60)
        pile.plug = False
        pile.run(69)
        pile.plug = True
        pile.counts[0] += 9
        started = pile.run(5)[0]
        self.assertEqual((started["what"], started["imported"]), (codes.SESSION_STARTED, 50000))

    def test_a_plug_that_was_in_before_anybody_looked(self):
        pile = Pile()
        pile.plug = True
        self.assertEqual(pile.run(100), [])
        pile.in_use = True
        started = pile.run(5)[0]
        self.assertEqual(
            (started["reason"], started["flaws"]), (codes.REASON_LOAD, codes.FLAW_GAP)
        )

    def test_it_goes_on_every_interval(self):
        pile = Pile(interval_s=300)
        pile.begin()
        events = pile.run(3000)
        self.assertEqual(set(whats(events)), {codes.SESSION_GOING_ON})
        self.assertEqual(len(events), 10)
        self.assertEqual([event["event"] for event in events], list(range(1, 11)))

    def test_the_last_value_comes_late(self):
        pile = Pile()
        pile.begin()
        pile.run(7)
        pile.plug = False
        pile.run(8)
        pile.counts[0] += 3
        self.assertEqual(pile.run(30)[0]["imported"], 50003)

    def test_an_end_that_the_meter_does_not_see(self):
        pile = Pile()
        pile.begin()
        pile.run(100)
        pile.counts = None
        pile.plug = False
        ended = pile.run(60)[0]
        self.assertEqual(ended["flaws"], codes.FLAW_NO_END)
        self.assertEqual(ended["imported"], 50000)
        self.assertTrue(ended["read_age_s"] >= 30)

    def test_a_late_baseline(self):
        pile = Pile()
        counts, pile.counts = pile.counts, None
        started = pile.begin()
        self.assertEqual(started["flaws"], codes.FLAW_NO_BASELINE)
        self.assertEqual((started["imported"], started["import_t1"]), (None, None))
        pile.counts = counts
        events = pile.run(60)
        self.assertEqual(whats(events), [codes.SESSION_GOING_ON])
        self.assertEqual(events[0]["imported"], 50000)
        self.assertEqual(events[0]["flaws"], codes.FLAW_NO_BASELINE)

    def test_an_old_reading_is_no_baseline(self):
        pile = Pile()
        pile.run(60)
        counts, pile.counts = pile.counts, None
        pile.run(60)
        pile.plug = True
        self.assertEqual(pile.run(10)[0]["imported"], None)
        pile.counts = counts
        pile.counts[0] += 4
        self.assertEqual(pile.run(20)[0]["imported"], 50004)

    def test_a_load_without_contacts(self):
        pile = Pile(rest_s=60, interval_s=7200)
        pile.plug = None
        pile.run(100)
        pile.run(5)
        pile.counts[0] += 1  # seen before `in_use` is
        pile.run(6)
        pile.in_use = True
        started = pile.run(2)[0]
        self.assertEqual(started["reason"], codes.REASON_LOAD)
        self.assertEqual(started["imported"], 50000)
        pile.run(100)
        pile.in_use = None
        self.assertEqual(pile.run(700), [])
        pile.in_use = False
        ended = pile.run(370)
        self.assertEqual(whats(ended), [codes.SESSION_ENDED])
        self.assertEqual(ended[0]["reason"], codes.REASON_LOAD)
        self.assertTrue(ended[0]["bound_s"] >= 360)

    def test_a_breaker_without_a_plug(self):
        pile = Pile(rest_s=60)
        pile.plug = None
        pile.closed = 0
        pile.run(60)
        pile.closed = 1
        self.assertEqual(pile.run(10)[0]["reason"], codes.REASON_BREAKER)
        pile.in_use = True
        pile.run(100)
        pile.closed = 0
        self.assertEqual(pile.run(100), [])
        pile.in_use = False
        self.assertEqual(pile.run(70)[0]["reason"], codes.REASON_BREAKER)

    def test_an_open_breaker_behind_a_plug(self):
        pile = Pile(rest_s=60)
        pile.closed = True
        pile.begin()
        pile.in_use = True
        pile.run(60)
        pile.in_use = False
        pile.closed = False
        self.assertEqual(whats(pile.run(70)), [codes.SESSION_ENDED])
        self.assertEqual(pile.run(600), [])
        pile.closed = pile.in_use = True
        self.assertEqual(pile.run(10)[0]["reason"], codes.REASON_LOAD)

    def test_a_command_ends_it_until_the_load_is_gone(self):
        pile = Pile()
        pile.begin()
        pile.in_use = True
        pile.run(60)
        pile.session.end()
        self.assertEqual(pile.run(30)[0]["reason"], codes.REASON_COMMAND)
        self.assertEqual(pile.run(600), [])
        pile.in_use = False
        pile.run(5)
        pile.in_use = True
        self.assertEqual(whats(pile.run(5)), [codes.SESSION_STARTED])

    def test_nothing_known_ends_nothing(self):
        pile = Pile(rest_s=60)
        pile.begin()
        pile.plug = pile.closed = pile.in_use = pile.counts = None
        self.assertEqual(set(whats(pile.run(3600))), {codes.SESSION_GOING_ON})

    def test_a_certificate_that_ran_out(self):
        pile = Pile(certified_t=200000030)
        pile.run(20)
        self.assertEqual(pile.alarms.level(codes.ALARM_CERTIFIED), 0)
        pile.run(20)
        self.assertEqual(pile.alarms.level(codes.ALARM_CERTIFIED), codes.LEVEL_ALARM)

    def test_a_look_allocates_nothing(self):
        try:
            from micropython import heap_lock, heap_unlock
        except ImportError:
            self.skipTest("CPython has no heap_lock")
        for plug in (False, True):
            pile = Pile()
            pile.begin()
            pile.plug = plug
            pile.run(60)
            look = pile.session.look
            now_ms = pile.now_ms
            heap_lock()
            try:
                for _ in range(5):
                    now_ms += 500
                    look(plug, None, plug, pile.read, pile.read_ms, now_ms)
            finally:
                heap_unlock()


class Registers(unittest.TestCase):
    def session(self):
        pile = Pile()
        pile.begin()
        pile.run(60)
        return pile

    def test_one_wrong_reading_is_none(self):
        for counts in (
            [0] * 2 + [-2, 1, 1, METER, 0, 0, 0, 0, 100000000, 1],
            [99999999, 7, -2, 1, 1, METER, 1, 2, 3, 4, 100000000, 1],
            [50000, 7, -2, 1, 1, METER, 1, 99, 3, 4, 100000000, 1],
            [50000, 7, -2, 1, 1, b"another", 1, 2, 3, 4, 100000000, 1],
        ):
            pile = self.session()
            good, pile.counts = pile.counts, counts
            pile.run(10)
            pile.counts = good
            self.assertEqual(pile.run(60), [])
            pile.plug = False
            self.assertEqual(pile.run(40)[0]["flaws"], 0)

    def test_the_first_reading_may_be_wrong(self):
        pile = Pile()
        good, pile.counts = pile.counts, [0] * 2 + [-2, 1, 1, METER, 0, 0, 0, 0, 100000000, 1]
        pile.plug = False
        pile.run(5)
        pile.plug = True
        pile.run(6)
        pile.counts = good
        pile.run(60)
        self.assertEqual([event["imported"] for event in pile.told], [None, 50000])

    def test_the_first_reading_after_a_restart_may_be_wrong(self):
        """Zero, where nobody knows for how long the register may have moved."""
        pile = Pile()
        pile.t0 = None
        nothing = [None] * 4
        pile.counts = [99900000, 0, -2, 1, 1, METER] + nothing + [100000000, 1]
        pile.begin()
        pile.run(60)
        pile.start(60)
        pile.in_use = True
        good, pile.counts = pile.counts, [0, 0, -2, 1, 1, METER] + nothing + [100000000, 1]
        pile.run(10)
        pile.counts = good
        events = pile.run(60)
        self.assertEqual(whats(events), [codes.SESSION_RESUMED])
        self.assertEqual(events[0]["imported"], 99900000)

    def test_zero_after_a_restart_where_zero_is_near(self):
        """The next reading could follow it, and does not speak for it."""
        pile = Pile()
        pile.counts[0] = 2
        pile.begin()
        pile.run(60)
        pile.start(60)
        pile.in_use = True
        pile.counts[0] = 0
        pile.run(10)
        pile.counts[0] = 4
        self.assertEqual([event["imported"] for event in pile.run(60)], [4])

    def test_rollover_is_no_segment(self):
        for modulus in (100000000, 0):
            pile = Pile()
            pile.counts[0] = (modulus or 1 << 32) - 2
            pile.counts[10] = modulus
            pile.begin()
            pile.run(60)
            pile.counts[0] = 3
            self.assertEqual(pile.run(60), [])
            pile.plug = False
            ended = pile.run(40)[0]
            self.assertEqual((ended["imported"], ended["flaws"], ended["segment"]), (3, 0, 0))

    def test_a_register_that_never_rolls_over_went_back(self):
        pile = Pile()
        pile.counts[10] = None
        pile.begin()
        pile.run(60)
        pile.counts[0] = 3
        self.assertEqual(pile.run(60)[1]["flaws"], codes.FLAW_COUNT_BACK)

    def test_segments(self):
        def replaced(counts):
            counts[0] = 12
            counts[5] = b"another"

        def ratio(counts):
            counts[4] = 40

        def back(counts):
            counts[0] = 40000

        def far(counts):
            counts[0] += 20000

        for change, flaw, reason, alarm in (
            (replaced, codes.FLAW_METER_REPLACED, codes.REASON_METER_REPLACED, codes.ALARM_METER_CHANGED),
            (ratio, codes.FLAW_RATIO_CHANGED, codes.REASON_METER_REPLACED, codes.ALARM_METER_CHANGED),
            (back, codes.FLAW_COUNT_BACK, codes.REASON_COUNT_BACK, codes.ALARM_COUNT_BACK),
            (far, codes.FLAW_IMPLAUSIBLE, codes.REASON_IMPLAUSIBLE, codes.ALARM_METER_CHANGED),
        ):  # fmt: skip
            pile = self.session()
            pile.counts[0] += 5
            pile.run(20)
            change(pile.counts)
            new = pile.counts[0]
            pile.run(10)
            pile.counts[0] += 2
            events = pile.run(15)
            self.assertEqual(whats(events), [codes.SESSION_GOING_ON, codes.SESSION_SEGMENT])
            self.assertEqual(events[0]["imported"], 50005)
            self.assertEqual(events[0]["segment"], 0)
            self.assertEqual(events[1]["imported"], new)
            self.assertEqual(events[1]["segment"], 1)
            self.assertEqual(events[1]["reason"], reason)
            self.assertEqual(events[1]["flaws"], flaw)
            self.assertEqual(pile.alarms.level(alarm), codes.LEVEL_ALARM)
            pile.plug = False
            ended = pile.run(40)[0]
            self.assertEqual((ended["imported"], ended["flaws"]), (new + 2, flaw))
            pile.plug = True
            pile.run(10)
            self.assertEqual(pile.alarms.level(alarm), 0)


class Power(unittest.TestCase):
    def cut(self, pile, off_s=600):
        pile.start(off_s)
        return pile

    def test_it_goes_on(self):
        pile = Pile()
        pile.begin()
        pile.in_use = True
        pile.run(1000)
        pile.counts[0] += 40
        self.cut(pile)
        events = pile.run(30)
        self.assertEqual(whats(events), [codes.SESSION_RESUMED])
        self.assertEqual(
            (events[0]["begun_boot"], events[0]["number"], events[0]["event"]), (1, 0, 2)
        )
        self.assertEqual(events[0]["imported"], 50040)
        self.assertEqual(events[0]["flaws"], codes.FLAW_GAP)
        self.assertTrue(690 < events[0]["bound_s"] < 740)
        pile.plug = False
        self.assertEqual(pile.run(40)[0]["event"], 3)

    def test_it_is_over(self):
        for plug in (False, True):
            pile = Pile()
            pile.begin()
            pile.run(1000)
            self.cut(pile)
            pile.plug = plug
            ended = pile.run(100)
            self.assertEqual(whats(ended), [codes.SESSION_ENDED])
            self.assertEqual(ended[0]["reason"], codes.REASON_POWER_LOSS)
            self.assertEqual(ended[0]["flaws"], codes.FLAW_GAP)
            self.assertEqual(ended[0]["imported"], 50000)
            self.cut(pile)
            self.assertEqual(pile.run(600), [])

    def test_nothing_known_after_a_restart_ends_nothing(self):
        for plug in (True, None):
            pile = Pile()
            pile.begin()
            pile.run(1000)
            self.cut(pile)
            pile.plug = plug
            counts, pile.counts = pile.counts, None
            pile.in_use = None
            self.assertEqual(pile.run(80), [])
            resumed = pile.run(200)
            self.assertEqual(whats(resumed), [codes.SESSION_RESUMED])
            self.assertEqual((resumed[0]["imported"], resumed[0]["meter_id"]), (None, None))
            pile.counts = counts
            self.assertEqual(pile.run(40)[0]["imported"], 50000)

    def test_a_plug_that_is_out_and_a_meter_that_is_silent(self):
        pile = Pile()
        pile.begin()
        pile.run(100)
        self.cut(pile)
        pile.plug = False
        pile.counts = None
        ended = pile.run(100)[0]
        self.assertEqual(ended["flaws"], codes.FLAW_GAP | codes.FLAW_NO_END)
        self.assertEqual(ended["imported"], None)

    def test_without_a_clock(self):
        pile = Pile()
        pile.t0 = None
        pile.begin()
        pile.run(1000)
        pile.counts[0] += 40
        self.cut(pile)
        resumed = pile.run(30)[0]
        self.assertEqual((resumed["what"], resumed["bound_s"]), (codes.SESSION_RESUMED, None))

    def test_the_meter_was_replaced_meanwhile(self):
        pile = Pile()
        pile.begin()
        pile.run(1000)
        self.cut(pile)
        pile.in_use = True
        pile.counts[0] = 3
        pile.counts[5] = b"another"
        events = pile.run(60)
        self.assertEqual(whats(events), [codes.SESSION_SEGMENT, codes.SESSION_RESUMED])
        for event in events:
            self.assertEqual((event["imported"], event["segment"]), (3, 1))
        self.assertEqual(events[1]["flaws"], codes.FLAW_GAP | codes.FLAW_METER_REPLACED)
        self.assertTrue(events[1]["bound_s"] > 600)

    def test_no_event_is_lost_wherever_the_power_goes(self):
        """Every byte of every write, with and without the record having been made."""
        cut = 0
        seen = 0
        while True:
            cut += 1 if cut < 20 else 29
            pile = Pile(interval_s=60)
            pile.run(30)
            pile.files.steps = 0
            pile.files.cut = cut
            pile.plug = True
            try:
                pile.run(200)
            except PowerCut:
                seen += 1
            else:
                break
            pile.in_use = True
            self.cut(pile, 20)
            pile.run(200)
            pile.plug = False
            pile.run(40)
            numbers = {}
            for event in pile.told:
                key = (event["begun_boot"], event["number"], event["event"])
                rest = [
                    event[f[0]]
                    for f in FIELDS
                    if f[0] not in ("uptime_s", "bound_s", "read_age_s")
                ]
                self.assertEqual(numbers.setdefault(key, rest), rest)
            self.assertEqual(len({key[:2] for key in numbers}), 1)
            self.assertEqual(sorted(key[2] for key in numbers), list(range(len(numbers))))
            self.assertEqual(pile.told[0]["what"], codes.SESSION_STARTED)
            self.assertEqual(pile.told[-1]["what"], codes.SESSION_ENDED)
        self.assertTrue(seen > 30)

    def test_told_again_is_marked(self):
        pile = Pile()
        pile.run(30)
        pile.plug = True
        for _ in range(6):
            pile.step()
            if pile.told:
                break
        pile.start(3600)
        pile.run(1)
        self.assertEqual([event["uptime_s"] for event in pile.told], [32, None])
        self.assertTrue(3600 <= pile.told[1]["bound_s"] <= 3601)

    def test_a_flash_that_does_not_take_it(self):
        pile = Pile()
        pile.files.read_only = True
        self.assertEqual(pile.begin()["what"], codes.SESSION_STARTED)
        self.assertTrue(pile.session.unsaved >= 1)
        pile.plug = False
        self.assertEqual(whats(pile.run(40)), [codes.SESSION_ENDED])

    def test_damage_is_told(self):
        pile = Pile()
        pile.begin()
        good = pile.files.files["session"]
        for i in range(len(good)):
            broken = bytearray(good)
            broken[i] ^= 0x10
            pile.files.files["session"] = bytes(broken)
            pile.start()
            self.assertEqual((pile.session.unsaved, pile.session.state), (1, IDLE))

    def test_a_reset_of_our_own_has_a_short_gap(self):
        pile = Pile()
        pile.begin()
        pile.in_use = True
        pile.run(800)
        pile.session.release()
        self.cut(pile, 5)
        self.assertTrue(pile.run(30)[0]["bound_s"] < 30)

    def test_the_journal(self):
        files = FakeFiles()
        self.assertEqual(journal.load(files, "session", schema.SESSION), None)
        values = [1, 2, 3, 4] + [None] * 17 + [b"meter", None, 7, None, None, None]
        journal.save(files, "session", schema.SESSION, 1, -5, values)
        self.assertEqual(journal.load(files, "session", schema.SESSION), (1, -5, values))


class Ship(unittest.TestCase):
    def ended(self, pile, pending):
        for _ in range(20):
            pile.step()
            answer = pending(pile.now_ms)
            if answer is not None:
                return answer
        return None

    def test_in_a_session(self):
        pile = Pile()
        pile.begin()
        pending = pile.session.ship(ship(413999999, b"CN20231234567", 2, b"wang"), pile.now_ms)
        self.assertEqual(pending(pile.now_ms), None)
        self.assertEqual(self.ended(pile, pending), (messages.RESULT_DONE, b"\x82\x01\x00"))
        event = pile.told[-1]
        self.assertEqual(event["what"], codes.SESSION_IDENTIFIED)
        self.assertEqual((event["ship_mmsi"], event["ship_by"]), (413999999, codes.SHIP_BY_QR))
        self.assertEqual((event["ship_id"], event["told_by"]), (b"CN20231234567", b"wang"))
        pile.start(600)
        pile.plug = False
        self.assertEqual(pile.run(40)[0]["ship_mmsi"], 413999999)

    def test_before_it(self):
        pile = Pile()
        pending = pile.session.ship(ship(None, b"CN20231234567", 1, b""), 0)
        self.assertEqual(pending(0), (messages.RESULT_DONE, b"\x82\xf6\xf6"))
        self.assertEqual(pile.begin()["ship_id"], b"CN20231234567")
        pile.plug = False
        pile.run(40)
        pile.plug = True
        self.assertEqual(pile.run(10)[0]["ship_id"], None)

    def test_too_long_before(self):
        pile = Pile()
        pile.session.ship(ship(None, b"CN20231234567", 1, b""), 0)
        pile.run(3600)
        self.assertEqual(pile.begin()["ship_id"], None)

    def test_nonsense(self):
        session = Pile().session
        for arguments in (
            b"", b"\x80", ship(None, b"", 1, b""), ship(1, b"", 0, b""), ship(1, b"", 4, b""),
            ship(1000000000, b"", 1, b""), ship(1, b"x" * 21, 1, b""), ship(1, b"", 1, b"x" * 17),
            ship(1, b"", 1, b"") + b"\x00",
        ):  # fmt: skip
            with self.assertRaises(RemoteError):
                session.ship(arguments, 0)


def ship(mmsi, name, by, teller):
    buf = bytearray(64)
    pos = put_int(buf, put_array(buf, 0, 4), mmsi)
    pos = put_int(buf, put_bytes(buf, pos, name), by)
    return bytes(buf[: put_bytes(buf, pos, teller)])
