"""The verbs of commands as people write them: words to arguments, details to words.

verb, arguments = parse(["lamp-mode", "off", "60"])
explain(verb, detail)  ->  "asked to be off for 60 minutes at most"
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Final

import cbor2

from agent.wire import codes, messages, words

USAGE: Final = {
    "report": "report                       make and send a report now",
    "settings": "settings FILE                new settings (JSON), on trial until the gateway answers",
    "access": "access FILE                  new access to the broker (JSON), on trial likewise",
    "lamp-test": "lamp-test [SECONDS]          light the lamp (1 to 60, default 10), read its current",
    "lamp-mode": "lamp-mode own|off [MINUTES]   ask the lantern to be off until dusk, 720 minutes at most",
    "relay-trip": "relay-trip                   open the meter's relay",
    "relay-permit": "relay-permit                 let a hand close it at the pile",
    "reboot": "reboot                       restart the device",
    "log": "log [OFFSET]                 read its log",
    "post-mortem": "post-mortem [OFFSET]         read what it kept of its last failure",
    "update": "update IMAGE                 let the next start try a staged update",
    "ship": "ship MMSI|- ID|- hand|qr|ais [OPERATOR]   say which ship is connected, or will be",
}
NUMBERS: Final = {name: number for number, name in words.VERBS.items()}

_OWN, _OFF = 0, 1
_MINUTES_MAX: Final = 720
_SECONDS_MAX: Final = 60
_UINT_MAX: Final = 0xFFFFFFFF
_SHIP_BY: Final = {"hand": codes.SHIP_BY_HAND, "qr": codes.SHIP_BY_QR, "ais": codes.SHIP_BY_AIS}
_SHIP_WORDS: Final = (3, 4)
_MMSI_DIGITS: Final = 9
_SHIP_ID_MAX: Final = 20  # bytes, as in schema `session`
_OPERATOR_MAX: Final = 16


class VerbError(Exception):
    """What was written is no command; says what is allowed."""


def parse(line: list[str]) -> tuple[int, bytes]:
    """Return (verb, arguments) of a command's words.

    Raises:
        VerbError: there is no such verb, its arguments are not allowed, or a file cannot be read.
    """
    if not line or line[0] not in NUMBERS:
        said = f"{line[0]!r} is no verb; " if line else ""
        raise VerbError(said + "verbs are " + ", ".join(NUMBERS))
    name, rest = line[0], line[1:]
    verb = NUMBERS[name]
    if verb in {messages.SETTINGS, messages.ACCESS}:
        return verb, _document(name, rest)
    if verb == messages.LAMP_TEST:
        return verb, _array(name, rest, (1, _SECONDS_MAX, 10))
    if verb == messages.LAMP_MODE:
        return verb, _mode(rest)
    if verb in {messages.LOG, messages.POST_MORTEM}:
        return verb, _array(name, rest, (0, _UINT_MAX, 0))
    if verb == messages.UPDATE:
        return verb, _array(name, rest, (0, _UINT_MAX, None))
    if verb == messages.SHIP:
        return verb, _ship(rest)
    if rest:
        raise VerbError(f"{name} takes no arguments")
    return verb, b""


def explain(verb: int, result: int, detail: bytes) -> str:
    """Return what an answer's detail says, for people; nothing for none."""
    if not detail:
        return ""
    if result == messages.RESULT_REFUSED and verb in {messages.SETTINGS, messages.ACCESS}:
        return detail.decode("utf-8", "replace")
    reader = _READERS.get(verb)
    try:
        said = reader(detail) if reader else None
    except (cbor2.CBORDecodeError, ValueError, TypeError, VerbError):
        said = None
    return said or f"detail {detail.hex()}"


def chunk(detail: bytes) -> tuple[int, bytes]:
    """Return (size of the file, bytes) of an answer to `log` or `post-mortem`.

    Raises:
        VerbError: the answer is something else.
    """
    try:
        size, data = cbor2.loads(detail)
    except (cbor2.CBORDecodeError, ValueError, TypeError) as error:
        raise VerbError(f"the device answered something else: {detail.hex()}") from error
    if not isinstance(size, int) or not isinstance(data, bytes):
        raise VerbError(f"the device answered something else: {detail.hex()}")
    return size, data


def _document(name: str, rest: list[str]) -> bytes:
    if len(rest) != 1:
        raise VerbError(f"{name} FILE: the file with the JSON text")
    try:
        text = Path(rest[0]).read_bytes()
        json.loads(text)
    except OSError as error:
        raise VerbError(f"{rest[0]} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise VerbError(f"{rest[0]} is not JSON: {error}") from error
    if len(text) > messages.ARGUMENTS_MAX:
        raise VerbError(
            f"{rest[0]} has {len(text)} bytes; a command carries {messages.ARGUMENTS_MAX}"
        )
    return text


def _mode(rest: list[str]) -> bytes:
    if not rest or rest[0] not in {"own", "off"}:
        raise VerbError("lamp-mode own, or lamp-mode off [MINUTES]")
    if rest[0] == "own":
        if rest[1:]:
            raise VerbError("lamp-mode own takes no minutes")
        return cbor2.dumps([_OWN, 0])
    return cbor2.dumps([_OFF, _number("lamp-mode off", rest[1:], (1, _MINUTES_MAX, _MINUTES_MAX))])


def _ship(rest: list[str]) -> bytes:
    if len(rest) not in _SHIP_WORDS or rest[2] not in _SHIP_BY:
        raise VerbError("ship MMSI|- ID|- hand|qr|ais [OPERATOR]")
    mmsi, name, by = rest[:3]
    operator = rest[3] if rest[3:] else ""
    if mmsi != "-" and not (mmsi.isascii() and mmsi.isdecimal() and len(mmsi) == _MMSI_DIGITS):
        raise VerbError(f"an MMSI has {_MMSI_DIGITS} digits; - when it is not known")
    if mmsi == name == "-":
        raise VerbError("ship wants an MMSI or an identification number")
    if name == "-":
        name = ""
    for word, most in ((name, _SHIP_ID_MAX), (operator, _OPERATOR_MAX)):
        if len(word) > most or not (word.isascii() and word.isprintable()):
            raise VerbError(f"{word!r}: at most {most} ASCII characters")
    number = None if mmsi == "-" else int(mmsi)
    return cbor2.dumps([number, name.encode(), _SHIP_BY[by], operator.encode()])


def _array(name: str, rest: list[str], limits: tuple[int, int, int | None]) -> bytes:
    return cbor2.dumps([_number(name, rest, limits)])


def _number(name: str, rest: list[str], limits: tuple[int, int, int | None]) -> int:
    low, high, default = limits
    if not rest and default is not None:
        return default
    if len(rest) != 1 or not rest[0].isdecimal() or not low <= int(rest[0]) <= high:
        raise VerbError(f"{name} takes one whole number from {low} to {high}")
    return int(rest[0])


def _relay(detail: bytes) -> str:
    closed, error = cbor2.loads(detail)
    said = {0: "the relay is open", 1: "the relay is closed"}.get(
        closed, "how the relay stands is not known"
    )
    return said if error is None else f"the meter's error {error:02x}; {said}"


def _lamp_mode(detail: bytes) -> str:
    mode, minutes = cbor2.loads(detail)
    if mode == _OWN:
        return "the lantern does as it wants"
    return f"asked to be off until dusk, {minutes} minutes at most"


def _lamp_test(detail: bytes) -> str:
    (peak,) = cbor2.loads(detail)
    return "its current is not measured" if peak is None else f"highest current {peak} mA"


def _session(detail: bytes) -> str:
    boot, number = cbor2.loads(detail)
    if boot is None:
        return "no session now; kept for one that begins within an hour"
    return f"noted in session {boot}-{number}"


def _file(detail: bytes) -> str:
    size, data = chunk(detail)
    return f"{len(data)} of {size} bytes"


def _hash(detail: bytes) -> str:
    return f"staged, hash {detail.hex()}"


_READERS: Final[dict[int, Callable[[bytes], str]]] = {
    messages.SETTINGS: _hash,
    messages.ACCESS: _hash,
    messages.LAMP_TEST: _lamp_test,
    messages.LAMP_MODE: _lamp_mode,
    messages.RELAY_TRIP: _relay,
    messages.RELAY_PERMIT: _relay,
    messages.LOG: _file,
    messages.POST_MORTEM: _file,
    messages.SHIP: _session,
}
