"""The verb `ship`: words to arguments, and a device's session that reads them."""

import cbor2
import pytest

from agent.alarms import Alarms
from agent.meter.session import Session
from agent.wire import codes, messages
from gateway.down import verbs
from tests.device.fakes import FakeFiles


class Clock:
    def t(self):
        return -1


@pytest.mark.parametrize(
    ("line", "arguments"),
    [
        (
            "413123456 CN20231234567 qr wang",
            [413123456, b"CN20231234567", codes.SHIP_BY_QR, b"wang"],
        ),
        ("- CN20231234567 hand", [None, b"CN20231234567", codes.SHIP_BY_HAND, b""]),
        ("003123456 - ais", [3123456, b"", codes.SHIP_BY_AIS, b""]),
        (f"- {'x' * 20} hand {'y' * 16}", [None, b"x" * 20, codes.SHIP_BY_HAND, b"y" * 16]),
    ],
)
def test_words_become_what_a_session_takes(line, arguments):
    verb, raw = verbs.parse(["ship", *line.split()])
    assert verb == messages.SHIP
    assert cbor2.loads(raw) == arguments
    session = Session(FakeFiles(), 1, Clock(), Alarms(), 1000)
    result, detail = session.ship(raw, 0)(0)
    assert result == messages.RESULT_DONE
    said = "no session now; kept for one that begins within an hour"
    assert verbs.explain(verb, result, detail) == said


@pytest.mark.parametrize(
    "line",
    [
        "", "413123456", "413123456 -", "- - hand", "41312345 - hand", "4131234567 - hand",
        "41312345x - hand", "413123456 - phone", "413123456 - hand a b", f"- {'x' * 21} hand",
        f"413123456 - hand {'y' * 17}", "- 船 hand", "413123456 - hand 王", "４１３１２３４５６ - hand",
    ],
)  # fmt: skip
def test_words_that_are_no_ship(line):
    with pytest.raises(verbs.VerbError):
        verbs.parse(["ship", *line.split()])


def test_the_session_is_named():
    detail = cbor2.dumps([42, 3])
    assert verbs.explain(messages.SHIP, messages.RESULT_DONE, detail) == "noted in session 42-3"
