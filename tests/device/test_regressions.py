"""The fourteen failures of other projects that must not become ours, and the test that holds each.

The list is that of reference/micropython.md, "Regression tests that other projects' failures hand us".
A case either has its tests here or is a pointer to them; a pointer to a test that is not there fails.
What is not held yet stands in `NOT_YET`, and nowhere else.
"""

import os
import struct
import unittest

from sentences import sealed
from support import ON_MICROPYTHON

from agent.sense.ais import AIS
from agent.sense.receiver import Receiver
from agent.wire import schema
from agent.wire.encode import Encoder
from agent.wire.read import MessageError, Reader

HERE = "device/test_regressions.py"

# Number, whose failure it was, and where it is held: (file below tests/, test).
CASES = (
    (
        1,
        "micropython-lib umqtt: the packet id never wraps (reproduced, reference B7)",
        ("device/test_mqtt.py", "test_message_ids_wrap_from_65535_to_1"),
    ),
    (
        2,
        "mqtt_as: an orderly close by the broker kills the receive task (reproduced, B8)",
        ("device/test_link.py", "test_an_orderly_close_by_the_broker_reconnects_at_once"),
    ),
    (
        3,
        "arendst/Tasmota#4342, meshtastic/firmware#4555: reset storms wipe what is stored",
        ("device/test_start.py", "test_regression_3_a_storm_of_power_on_resets"),
        ("device/test_outbox.py", "test_50_power_on_resets_in_a_minute_leave_the_queue"),
    ),
    (
        4,
        "esphome/esphome#15796: a crash before the application is not counted",
        ("device/test_guard.py", "test_regression_4_a_crash_before_the_first_import_is_counted"),
    ),
    (
        5,
        "RomanAlexandroff/42-Smart-Cluster-Sign#11, Ropener#32: images that cannot reach the server",
        ("device/test_update.py", "test_an_image_that_never_reaches_the_gateway_is_rolled_back"),
        ("device/test_update.py", "test_a_good_image"),
    ),
    (
        6,
        "esphome/issues#994, esphome/feature-requests#733: a broker away means reboots",
        ("device/test_link.py", "test_a_broker_away_for_a_day_costs_nothing"),
    ),
    (
        7,
        "meshtastic/python#399: a configuration cut in its transfer is used",
        (
            "device/test_slots.py",
            "test_regression_7_a_transfer_cut_at_each_byte_leaves_the_old_config_active",
        ),
    ),
    (
        8,
        "littlefs-project/littlefs#758: what was not synced is lost whole",
        ("device/test_outbox.py", "test_nothing_synced_is_lost_wherever_it_is_cut"),
        ("flash/test_power_cuts.py", "test_a_sample_of_cuts"),
        ("flash/test_power_cuts.py", "test_every_byte"),
    ),
    (
        9,
        "micropython-lib cbor2 (run, B11), agronholm/cbor2#186: NaN, tuples, tags, nesting, lengths",
        (HERE, "test_what_a_schema_cannot_say_is_left_out_and_counted"),
        (HERE, "test_hostile_bytes_are_an_error_and_cost_no_memory"),
        ("wire/test_decode.py", "test_each_refusal_has_its_name"),
        ("wire/test_decode.py", "test_any_bytes_are_read_as_the_book_says"),
    ),
    (
        10,
        "micropython's UART: 256 bytes of receive buffer by default (B5)",
        (HERE, "test_a_stall_of_67_ms_overruns_256_bytes"),
        (HERE, "test_4096_bytes_outlast_a_second"),
        ("simulators/test_board_hardware.py", "test_a_stall_overruns_a_small_receive_buffer"),
    ),
    (
        11,
        "micropython: ticks wrap, epochs differ, floats are single (B1)",
        ("device/test_clock.py", "test_uptime_goes_on_where_the_counter_wraps"),
        ("device/test_clock.py", "test_the_two_epochs"),
        ("device/test_clock.py", "test_the_rtc_of_either_port_carries_the_same_time"),
        ("device/test_memo.py", "test_known_moments"),
        ("device/test_clock.py", "test_a_float_would_lose_seconds_and_metres"),
        ("test_rules.py", "test_device_code_uses_integers_only"),
        (HERE, "test_nothing_in_the_agent_makes_a_float"),
    ),
    (
        12,
        "micropython's _boot.py (B6), micropython#5337, #4408: a corrupt file system is looped on, or formatted",
        (
            "device/test_recovery.py",
            "test_regression_12_a_corrupt_file_system_is_neither_formatted_nor_looped_on",
        ),
        (
            "toolkit/test_first_code.py",
            "test_a_corrupt_file_system_starts_the_safe_agent_of_the_firmware",
        ),
    ),
    (
        13,
        "espressif's and others' tools: the first port is taken for the right one",
        ("toolkit/test_ports.py", "test_regression_13_two_boards_are_not_guessed_between"),
        ("toolkit/test_install.py", "test_two_boards_are_not_guessed_between"),
    ),
    (
        14,
        "flashing tools: a write that was verified and a reset that failed are one failure",
        (
            "toolkit/test_install.py",
            "test_regression_14_a_verified_write_and_a_failed_reset_are_done_with_warning",
        ),
    ),
)

NOT_YET = ()


def source(path):
    """Return the text of a file below tests/."""
    folder = "/tests" if ON_MICROPYTHON else os.path.join(os.path.dirname(__file__), "..")
    with open(folder + "/" + path) as file:
        return file.read()


class Index(unittest.TestCase):
    def test_all_fourteen_are_named(self):
        self.assertEqual([case[0] for case in CASES], list(range(1, 15)))

    def test_every_pointer_points_at_a_test(self):
        missing = []
        for case in CASES:
            for path, test in case[2:]:
                try:
                    found = "def " + test + "(" in source(path)
                except OSError:
                    found = False
                if not found:
                    missing.append((case[0], path, test))
        self.assertEqual(missing, [])

    def test_what_is_not_held_says_so(self):
        self.assertEqual(tuple(case[0] for case in CASES if not case[2:]), NOT_YET)


class Case9(unittest.TestCase):
    """NaN, tuple, tag, nesting, huge length: a clean error, no crash, bounded memory."""

    def test_what_a_schema_cannot_say_is_left_out_and_counted(self):
        deep = ()
        for _ in range(50):
            deep = (deep,)
        for value in (float("nan"), float("inf"), 1.5, (1, 2), [1], {1: 2}, "text", deep):
            encoder = Encoder()
            n = encoder.record(schema.CLOCK, 1, 2, 3, (10, value, 40))
            # 10, null, 40: the others survive.
            self.assertEqual(bytes(encoder.buf[:n]), b"\x87\x04\x01\x02\x03\x0a\xf6\x18\x28")
            self.assertEqual(encoder.refused, 1)

    def test_hostile_bytes_are_an_error_and_cost_no_memory(self):
        for hostile in (
            b"\xf9\x7e\x00",  # NaN as a half-precision float: cbor2 writes it and cannot read it
            b"\xfb\x7f\xf8" + bytes(6),
            b"\xc2\x41\x05",  # a tag
            b"\xd8\x1c\x81\x00",  # shared references
            b"\x81" * 200 + b"\x00",  # nesting
            b"\x9f\x00\xff",  # indefinite length
            b"\x5b\x7f\xff\xff\xff\xff\xff\xff\xff",  # 2**63 bytes are announced
            b"\x5a\x7f\xff\xff\xff" + bytes(50),
            b"\x9a\x7f\xff\xff\xff",  # as many items
            b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff",
            b"\xa1\x00\x00",  # a map
            b"\x1b\xff\xff\xff\xff\xff\xff\xff\xff",  # 64 bits
        ):
            for read in (
                lambda reader: reader.array(3, 3),
                lambda reader: reader.integer(),
                lambda reader: reader.byte_string(32),
            ):
                with self.assertRaises(MessageError):
                    read(Reader(hostile, 0, len(hostile)))


class PacedUART:
    """A UART's receive buffer: bytes come at the baud rate, what finds it full is lost."""

    def __init__(self, data, baud, size):
        self.lost = 0
        self._data = data
        self._baud = baud
        self._size = size
        self._us = 0
        self._come = 0
        self._buf = b""

    def run(self, us):
        """Let so many microseconds pass; ten bits are one byte."""
        self._us += us
        come = min(self._us * self._baud // 10000000, len(self._data))
        new = self._data[self._come : come]
        self._come = come
        room = self._size - len(self._buf)
        self._buf += new[:room]
        self.lost += len(new) - len(new[:room])

    def readinto(self, buf):
        n = min(len(buf), len(self._buf))
        buf[:n] = self._buf[:n]
        self._buf = self._buf[n:]
        return n


class Case10(unittest.TestCase):
    """A stall at 38,400 Bd: what a flash erase or a collection in PSRAM takes."""

    SHIP = sealed(b"AIVDM,1,1,,A,15RTgt0PAso;90TKcjM8h6g208CQ,0", b"!")
    COUNT = 80

    def run_with(self, size, stall_ms):
        uart = PacedUART(self.SHIP * self.COUNT, 38400, size)
        ais = AIS()
        receiver = Receiver(uart, (ais,), bytearray(256))
        now_ms = 0
        stalls = 0
        while now_ms < 1500 + stall_ms:
            step_ms = 5
            if stalls == 0 and now_ms >= 100:
                step_ms = stall_ms
                stalls = 1
            uart.run(step_ms * 1000)
            now_ms += step_ms
            while receiver.poll(now_ms) == 0:
                while ais.next_report() is not None:
                    pass
            while ais.next_report() is not None:
                pass
        return uart.lost, ais.ships, receiver.assembler.bad

    def test_without_a_stall_256_bytes_are_enough(self):
        self.assertEqual(self.run_with(256, 5), (0, self.COUNT, 0))

    def test_a_stall_of_67_ms_overruns_256_bytes(self):
        lost, ships, bad = self.run_with(256, 67)
        self.assertTrue(lost > 0)
        self.assertTrue(ships < self.COUNT)
        self.assertTrue(bad > 0)  # the only trace on a port that does not count overruns

    def test_4096_bytes_outlast_a_second(self):
        self.assertEqual(self.run_with(4096, 67), (0, self.COUNT, 0))
        self.assertEqual(self.run_with(4096, 1000), (0, self.COUNT, 0))

    def test_every_port_asks_for_4096(self):
        if ON_MICROPYTHON:
            self.skipTest("the sources are read on CPython")
        for name in ("port", "stm32"):
            text = source("../device/agent/hal/" + name + ".py")
            self.assertIn("_RXBUF = const(4096)", text)
            self.assertIn("rxbuf=_RXBUF", text)


class Case11(unittest.TestCase):
    """A board's floats are single precision, and those of the interpreter that tests run on are not."""

    FLOATS = ("float", "round", "complex")
    MODULES = ("math", "cmath", "decimal", "fractions")

    def test_nothing_in_the_agent_makes_a_float(self):
        if ON_MICROPYTHON:
            self.skipTest("MicroPython has no ast")
        import ast

        from tests.test_rules import DEVICE

        # Beside what test_rules.py holds: what makes a float without a literal or a `/`.
        found = []
        for path in DEVICE:
            tree = ast.parse(path.read_text("utf-8"))
            found += [(path, node.lineno) for node in ast.walk(tree) if self.makes_float(node)]
        self.assertTrue(len(DEVICE) > 40)
        self.assertEqual(found, [])

    def makes_float(self, node):
        import ast

        if isinstance(node, ast.Name):
            return node.id in self.FLOATS
        if isinstance(node, ast.Attribute):
            # time.time() is a float on some ports and has another epoch on each.
            return node.attr == "time" and getattr(node.value, "id", "") == "time"
        if isinstance(node, (ast.BinOp, ast.AugAssign)):
            return isinstance(node.op, ast.Div)
        if isinstance(node, ast.Import):
            return any(alias.name in self.MODULES for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            return node.module in self.MODULES
        if isinstance(node, ast.Constant):
            return isinstance(node.value, float)
        return False

    def test_it_finds_what_makes_a_float(self):
        if ON_MICROPYTHON:
            self.skipTest("MicroPython has no ast")
        import ast

        for text in (
            "1.5",
            "a / b",
            "a /= b",
            "float(a)",
            "round(a)",
            "time.time()",
            "import math",
        ):
            nodes = ast.walk(ast.parse(text))
            self.assertTrue(any(self.makes_float(node) for node in nodes), text)
        for text in ("1", "a // b", "time.ticks_ms()", "import struct"):
            nodes = ast.walk(ast.parse(text))
            self.assertFalse(any(self.makes_float(node) for node in nodes), text)

    def test_no_record_carries_more_than_32_bits(self):
        # And none that must not allocate more than a board's small integer (±2**30).
        for row in schema.SCHEMAS[1:]:
            for name, unit, _, low, high in row[3]:
                if unit != "bytes":
                    self.assertTrue(-(1 << 30) <= low <= high <= 0xFFFFFFFF, name)

    def test_single_precision_would_not_carry_the_records_integers(self):
        wide = 0
        for row in schema.SCHEMAS[1:]:
            for _, unit, _, _, high in row[3]:
                if unit != "bytes" and high > 1 << 24:
                    single = struct.unpack("<f", struct.pack("<f", high - 1))[0]
                    wide += int(single) != high - 1
        self.assertTrue(wide > 20)


if __name__ == "__main__":
    unittest.main()
