"""What a start makes of flash and settings, before there is an agent; and when it is good."""

import json
import os
import sys
import unittest

import support
from fakes import FakeBoard, FakeFiles, FakeStore, PowerCut

from agent import identity as who
from agent.errors import RemoteError
from agent.hal.life import FileBackup, NoGuard
from agent.keep.boots import BootNumber
from agent.keep.slots import Slots
from agent.main import Start, copy, profile_of
from agent.proof import Proof
from agent.wire import codes, schema

sys.path.append(
    "/root"
    if support.ON_MICROPYTHON
    else os.path.join(os.path.dirname(__file__), "../../device/root")
)

from guard import Guard

SETTINGS = b'{"profile": "beacon", "board": "fake", "report_s": 60}'
ACCESS = b'{"host": "broker.example", "port": 8883, "password": "old"}'
MINUTE = 60000


class Store:
    """A store in a FakeFiles."""

    def __init__(self, files, name):
        self._files = files
        self._name = name

    def load(self):
        return self._files.read(self._name)

    def save(self, data):
        self._files.replace(self._name, data)


class Board(FakeBoard):
    def __init__(self):
        super().__init__()
        self.own_guard = NoGuard()
        self.memory = FakeStore()
        self.dog_ms = None

    def guard(self):
        return self.own_guard

    def backup(self):
        return FileBackup(self.memory)

    def watchdog(self, timeout_ms):
        self.dog_ms = timeout_ms


def commissioned():
    files = FakeFiles()
    text = json.dumps({"device": "buoy-1", "key": "1f" * 32, "release": "c0" * 32}).encode()
    for name in who.NAMES:
        files.replace(name, who.seal(text))
    Slots(files, "settings").stage(SETTINGS, confirmed=True)
    Slots(files, "access").stage(ACCESS, confirmed=True)
    files.steps = files.writes = 0
    return files


def boards(*names):
    board = Board()

    def open_board(name):
        if name not in names:
            raise ValueError("no board file for " + name)
        board.name = name
        return board

    return open_board


class Starting(unittest.TestCase):
    def test_whole(self):
        files = commissioned()
        given = Start(files, boards("fake", "fitted"))
        self.assertEqual(given.errors, [])
        self.assertEqual((given.hal.name, given.identity.device), ("fake", "buoy-1"))
        self.assertEqual((given.config["report_s"], given.access["port"]), (60, 8883))
        self.assertEqual(given.make_profile.__name__, "Beacon")
        self.assertEqual(given.hal.dog_ms, 120000)
        self.assertEqual(len(given.config_hash), 4)
        self.assertEqual(files.writes, 0)

    def test_lost_settings_still_give_a_link(self):
        files = commissioned()
        for name in ("settings-a", "settings-b", "access-a"):
            files.files[name] = b"damaged"
        given = Start(files, boards("fitted"))
        self.assertEqual(given.settings_slots.state, codes.SETTINGS_DAMAGED)
        self.assertEqual(given.hal.name, "fitted")
        self.assertEqual(given.errors, ["settings: board: no board file virtual"])

    def test_safe_mode_has_no_sensors(self):
        files = commissioned()
        open_board = boards("fake")
        open_board("fake").own_guard.mode = codes.MODE_SAFE
        self.assertEqual(Start(files, open_board).make_profile.__name__, "Safe")

    def test_settings_on_trial_that_break_the_start_are_refused_at_once(self):
        files = commissioned()
        Slots(files, "settings").stage(b'{"board": "wrong"}')
        with self.assertRaises(ValueError):
            Start(files, boards("fake", "fitted"))
        given = Start(files, boards("fake", "fitted"))
        self.assertEqual(given.settings_slots.state, codes.SETTINGS_UNCONFIRMED)
        self.assertEqual(given.hal.name, "fake")

    def test_no_identity_no_start(self):
        files = commissioned()
        for name in who.NAMES:
            del files.files[name]
        with self.assertRaises(who.IdentityError):
            Start(files, boards("fake"))

    def test_regression_3_a_storm_of_power_on_resets(self):
        # arendst/Tasmota#4342 (fast power cycles reset the configuration), meshtastic/firmware#4555:
        # fifty starts within a minute, the power going at any byte, change nothing but the boot number.
        files = commissioned()
        files.files["log-2-17"] = b"records that wait"
        before = dict(files.files)
        numbers = []
        for n in range(50):
            files.cut = files.steps + 1 + n * 37 % 101
            try:
                guard = Guard(
                    (Store(files, "guard-a"), Store(files, "guard-b")), lambda path: True
                )
                guard.choose(innocent=True)
                self.assertEqual((guard.mode, guard.folder), (codes.MODE_NORMAL, "/a"))
                Start(files, boards("fake"))
                stores = (Store(files, "boot-a"), Store(files, "boot-b"))
                numbers.append(BootNumber(stores[0], stores[1], bytes).value)
            except PowerCut:
                pass
            files.restart()
        for name, data in before.items():
            self.assertEqual(files.files[name], data)
        self.assertTrue(len(numbers) > 10)
        self.assertEqual(len(set(numbers)), len(numbers))
        self.assertFalse("guard-a" in files.files)


class Copies(unittest.TestCase):
    def test_the_spare_has_what_a_link_needs(self):
        files, spare = commissioned(), FakeFiles()
        copy(files, spare)
        self.assertEqual(spare.files, files.files)
        given = Start(spare, boards("fake"))
        self.assertEqual(given.access["host"], "broker.example")

    def test_only_what_changed_is_written_and_nothing_is_removed(self):
        files, spare = commissioned(), FakeFiles()
        copy(files, spare)
        Slots(files, "access").stage(ACCESS.replace(b"old", b"new"))
        del files.files["identity-a"]
        before = spare.writes
        copy(files, spare)
        self.assertEqual(spare.writes, before + 1)
        self.assertTrue("identity-a" in spare.files)

    def test_a_spare_that_fails_stops_nobody(self):
        files, spare = commissioned(), FakeFiles()
        spare.broken = True
        copy(files, spare)
        copy(files, None)


class Link:
    def __init__(self):
        self.heard_ms = None
        self.used = []
        self.bad = ()

    def use(self, access):
        self.used.append(access["password"])
        if access["password"] in self.bad:
            raise RemoteError("access", "no such CA")


class Good(NoGuard):
    times = 0

    def good(self):
        self.times += 1


class Proving(unittest.TestCase):
    def setUp(self):
        self.files = commissioned()
        self.link = Link()

    def start(self):
        open_board = boards("fake")
        self.guard = open_board("fake").own_guard = Good()
        self.given = Start(self.files, open_board)
        self.proof = Proof(self.given, self.link)

    def test_good_when_the_gateway_answers(self):
        self.start()
        self.proof.poll(MINUTE)
        self.assertEqual(self.guard.times, 0)
        self.link.heard_ms = MINUTE
        for now_ms in (MINUTE, 2 * MINUTE, 20 * MINUTE):
            self.proof.poll(now_ms)
        self.assertEqual(self.guard.times, 1)

    def test_good_after_five_minutes_of_silence(self):
        self.start()
        self.proof.poll(5 * MINUTE - 1)
        self.assertEqual(self.guard.times, 0)
        self.proof.poll(5 * MINUTE)
        self.assertEqual(self.guard.times, 1)

    def test_settings_that_silence_it_go_back(self):
        Slots(self.files, "settings").stage(SETTINGS.replace(b"60}", b"61}"))
        self.start()
        self.assertEqual(self.given.config["report_s"], 61)
        self.proof.poll(10 * MINUTE)
        self.assertEqual(self.proof.reset, codes.INTENT_NONE)
        self.proof.poll(10 * MINUTE + 1)
        self.assertEqual(self.proof.reset, codes.INTENT_SETTINGS)
        self.start()
        self.assertEqual(self.given.config["report_s"], 60)

    def test_settings_that_work_stay(self):
        Slots(self.files, "settings").stage(SETTINGS.replace(b"60}", b"61}"))
        self.start()
        self.link.heard_ms = MINUTE
        self.proof.poll(MINUTE)
        self.proof.poll(20 * MINUTE)
        self.assertEqual(self.proof.reset, codes.INTENT_NONE)
        self.start()
        self.assertEqual(self.given.config["report_s"], 61)

    def change_access(self, password):
        slots = self.given.access_slots
        slots.stage(ACCESS.replace(b"old", password))
        self.assertTrue(slots.apply(5 * MINUTE))
        self.proof.use()

    def test_access_is_tried_at_once_and_goes_back(self):
        self.start()
        self.link.heard_ms = 4 * MINUTE
        self.change_access(b"new")
        self.proof.poll(15 * MINUTE)
        self.assertEqual(self.link.used, ["new"])
        self.proof.poll(15 * MINUTE + 1)
        self.assertEqual(self.link.used, ["new", "old"])
        self.assertEqual(self.proof.reset, codes.INTENT_NONE)

    def test_access_that_works_stays(self):
        self.start()
        self.change_access(b"new")
        self.link.heard_ms = 6 * MINUTE
        self.proof.poll(6 * MINUTE)
        self.proof.poll(60 * MINUTE)
        self.assertEqual(self.link.used, ["new"])
        self.start()
        self.assertEqual(self.given.access["password"], "new")

    def test_access_that_the_link_cannot_use_is_refused_at_once(self):
        self.start()
        self.link.bad = ("new",)
        self.change_access(b"new")
        self.assertEqual(self.link.used, ["new", "old"])
        self.start()
        self.assertEqual(self.given.access["password"], "old")


class Agent:
    """What a profile may ask of the agent."""

    def __init__(self):
        self.made = []

    def emit(self, schema_id, values):
        self.made.append((schema_id, values))

    def restart(self, intent, now_ms):
        self.made.append(intent)


class SafeProfile(unittest.TestCase):
    def gathered(self, mode, hours):
        board, agent = Board(), Agent()
        board.own_guard = Good()
        board.own_guard.mode = mode
        board.own_guard.failed = 7
        profile = profile_of("safe")(board, {"profile": "shorepower"}, [], None)
        self.assertEqual(profile.code, codes.PROFILE_SHOREPOWER)
        for hour in range(hours + 1):
            profile.gather(agent, hour * 60 * MINUTE)
            profile.report(agent, hour * 60 * MINUTE)
            profile.detail(agent, hour * 60 * MINUTE)
        return agent.made

    def test_it_says_so_once_and_gives_the_application_another_chance_after_a_day(self):
        alarm = (schema.ALARM, (codes.ALARM_SAFE_MODE, 1, 7, None))
        self.assertEqual(self.gathered(codes.MODE_SAFE, 24), [alarm])
        self.assertEqual(self.gathered(codes.MODE_SAFE, 30), [alarm, codes.INTENT_BACKOFF])

    def test_it_stands_in_for_lost_settings_without_an_alarm_of_its_own(self):
        self.assertEqual(self.gathered(codes.MODE_NORMAL, 30), [])


if __name__ == "__main__":
    unittest.main()
