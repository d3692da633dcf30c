"""The last lines, whole, whatever is cut or full."""

import unittest

from fakes import FakeFiles, PowerCut

from agent.keep.log import Log
from agent.link import actions


class Clock:
    def __init__(self):
        self.now = -1

    def t(self):
        return self.now


class Lines(unittest.TestCase):
    def setUp(self):
        self.files = FakeFiles()
        self.clock = Clock()
        self.log = Log(self.files, self.clock)

    def lines(self):
        self.log.save()
        return (self.files.read("log") or b"").split(b"\n")[:-1]

    def test_a_line_has_its_time(self):
        self.log.note("started")
        self.clock.now = 217400000
        self.log.note("link: timeout\nin state tls")
        self.assertEqual(self.lines(), [b"-1 started", b"217400000 link: timeout in state tls"])

    def test_the_oldest_make_room_and_what_is_left_is_whole(self):
        for i in range(500):
            self.log.note("line %d %s" % (i, "x" * (i * 37 % 150)))
        lines = self.lines()
        self.assertTrue(len(self.files.read("log")) <= 1024)
        self.assertTrue(len(self.files.read("log")) > 850)
        numbers = [int(line.split(b" ")[2]) for line in lines]
        self.assertEqual(numbers, list(range(500 - len(lines), 500)))
        self.assertTrue(all(line.startswith(b"-1 line ") for line in lines))

    def test_a_long_line_is_cut(self):
        self.log.note("y" * 5000)
        self.log.note("z")
        self.assertEqual([len(line) for line in self.lines()], [159, 4])

    def test_it_goes_on_after_a_restart(self):
        self.log.note("before")
        self.log.save()
        self.log = Log(self.files, self.clock)
        self.log.note("after")
        self.assertEqual(self.lines(), [b"-1 before", b"-1 after"])

    def test_nothing_new_writes_nothing(self):
        self.log.save()
        self.log.note("one")
        self.log.save()
        self.log.save()
        self.assertEqual(self.files.writes, 1)

    def test_a_file_that_is_too_long_or_unreadable(self):
        self.files.replace("log", b"a" * 5000 + b"\n-1 last\n")
        self.log = Log(self.files, self.clock)
        self.log.note("new")
        self.assertEqual(self.lines()[-2:], [b"-1 last", b"-1 new"])
        self.files.broken = True
        Log(self.files, self.clock).note("still here")

    def test_a_power_cut_leaves_the_old_lines_or_the_new(self):
        for cut in range(1, 40):
            files = FakeFiles()
            log = Log(files, self.clock)
            log.note("old")
            log.save()
            log.note("new")
            files.cut = files.steps + cut
            try:
                log.save()
            except PowerCut:
                pass
            files.restart()
            self.assertTrue(files.read("log") in (b"-1 old\n", b"-1 old\n-1 new\n"))

    def test_it_is_fetched_with_what_was_not_saved_yet(self):
        self.log.note("one")
        fetch = actions.fetch(self.files, "log", self.log.save)
        self.assertEqual(fetch(b"\x81\x00", 0)[1], b"\x82\x07\x47-1 one\n")


if __name__ == "__main__":
    unittest.main()
