"""Actions that are no part's own: documents are staged or refused, files read in pieces."""

import hashlib
import unittest

from fakes import FakeFiles

from agent.errors import RemoteError
from agent.link import actions
from agent.wire import messages as m
from agent.wire.read import Reader


class Slots:
    def __init__(self):
        self.staged = []

    def stage(self, body):
        self.staged.append(body)


class Update:
    def arm(self, image):
        return m.RESULT_REFUSED, bytes([image])


class Actions(unittest.TestCase):
    def setUp(self):
        self.restarts = []

    def test_a_document_is_staged_and_its_hash_told(self):
        slots = Slots()
        stage = actions.stage(slots, lambda text: "", self.restarts.append)
        self.assertEqual(stage(b"{}", 77), (m.RESULT_DONE, hashlib.sha256(b"{}").digest()[:4]))
        self.assertEqual((slots.staged, self.restarts), ([b"{}"], [77]))

    def test_a_document_that_is_wrong_is_not(self):
        slots = Slots()
        stage = actions.stage(
            slots, lambda text: "report_s: 0 is not allowed", self.restarts.append
        )
        self.assertEqual(stage(b"{}", 77), (m.RESULT_REFUSED, b"report_s: 0 is not allowed"))
        stage = actions.stage(slots, lambda text: "x" * 500, self.restarts.append)
        self.assertEqual(len(stage(b"{}", 77)[1]), 200)
        self.assertEqual((slots.staged, self.restarts), ([], []))

    def test_a_file_is_read_in_pieces(self):
        files = FakeFiles()
        whole = bytes([i % 251 for i in range(2000)])
        files.replace("log", whole)
        fetch = actions.fetch(files, "log")
        got = b""
        while True:
            offset = len(got)
            result, detail = fetch(bytes([0x81, 0x19, offset >> 8, offset & 0xFF]), 0)
            self.assertEqual(result, m.RESULT_DONE)
            self.assertTrue(len(detail) <= m.DETAIL_MAX)
            reader = Reader(detail, 0, len(detail))
            reader.array(2, 2)
            self.assertEqual(reader.uint(), 2000)
            data = reader.byte_string(1000)
            reader.finish()
            got += data
            if not data:
                break
        self.assertEqual(got, whole)

    def test_a_file_that_is_not_there_is_empty(self):
        fetch = actions.fetch(FakeFiles(), "log")
        self.assertEqual(fetch(b"\x81\x00", 0), (m.RESULT_DONE, b"\x82\x00\x40"))
        self.assertEqual(fetch(b"\x81\x05", 0), (m.RESULT_DONE, b"\x82\x00\x40"))

    def test_an_update_answers_for_itself(self):
        self.assertEqual(actions.arm(Update())(b"\x81\x07", 0), (m.RESULT_REFUSED, b"\x07"))

    def test_a_restart_goes_on_until_it_has_happened(self):
        ended = actions.restart(self.restarts.append)(b"", 5)
        self.assertEqual(self.restarts, [5])
        self.assertIsNone(ended(10**6))

    def test_arguments(self):
        for bad in (b"", b"\x80", b"\x82\x01\x01", b"\x81\x20", b"\x81\x01\x00", b"\x01"):
            for action in (actions.fetch(FakeFiles(), "log"), actions.arm(Update())):
                with self.assertRaises(RemoteError):
                    action(bad, 0)


if __name__ == "__main__":
    unittest.main()
