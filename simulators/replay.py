"""Playing a recorded log with the pacing of the device that made it.

A log with NMEA 0183 or AIS sentences is played line by line. Where it has times (in GNSS sentences,
`$PGHP` lines or TAG blocks), a line that begins a new epoch waits for it; otherwise lines follow each
other as fast as the serial line carries them, and never faster. What is not a comment goes out as it
is, also what is no sentence: the board has to cope with it.

Any other file is a capture of bytes, as of RS-485. Nothing in it means anything here: every byte
goes out as it is, at the serial line's rate.
"""

import json
import re
import socket
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self

_DAY_S = 86_400.0
_LONGEST_GAP_S = 10.0  # a hole in the log is not waited out
_BACKWARDS_S = 10.0  # lines of one moment may be a little out of order
_PIECE = 16  # bytes of a capture sent at once: 73 ms at 2400 baud, well within a meter's time-outs
_ANSWER_S = 10.0

_SENTENCE = re.compile(rb"(?:\\[^\\]*\\)?[!$][A-Z]{2}[A-Z0-9]{2,},")

_CLOCK = rb"(\d\d)(\d\d)(\d\d(?:\.\d+)?)"
_TIMES = (
    re.compile(rb"\$..(?:GGA|GNS|RMC|ZDA)," + _CLOCK),
    re.compile(rb"\$..GLL,[^,]*,[^,]*,[^,]*,[^,]*," + _CLOCK),
    re.compile(rb"\$PGHP,1,\d+,\d+,\d+,(\d+),(\d+),(\d+),(\d+)"),
    re.compile(rb"\\(?:[^\\]*,)?c:(\d+)"),
)


class ReplayError(Exception):
    """A replay that cannot begin or go on: cause and what to do."""

    def __init__(self, cause: str, action: str = "") -> None:
        super().__init__(cause)
        self.cause = cause
        self.action = action


@dataclass(frozen=True)
class Log:
    """A recorded log.

    Attributes:
        pieces: what is sent at once: a line with its end, or some bytes of a capture.
        lines: whether it has lines.
    """

    pieces: list[bytes]
    lines: bool

    @property
    def size(self) -> str:
        """How long it is, for people."""
        return f"{len(self.pieces)} lines" if self.lines else f"{sum(map(len, self.pieces))} bytes"

    @property
    def uart(self) -> str | None:
        """Whose log it is by most of its sentences, gnss or ais; None if they do not tell."""
        if not self.lines:
            return None
        ais = sum(line.startswith((b"!", b"\\")) for line in self.pieces)
        gnss = sum(line.startswith((b"$G", b"$B")) for line in self.pieces)
        if not ais and not gnss:
            return None
        return "ais" if ais > gnss else "gnss"


class Timed(NamedTuple):
    """A piece of a log and when it is due, in seconds from the start."""

    at_s: float
    piece: bytes


def read_log(path: Path) -> Log:
    """Return a log's lines, each with the line end that a receiver sends, or a capture's bytes.

    Raises:
        ReplayError: the file cannot be read or is empty.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ReplayError(f"{path}: {error.strerror or error}") from error
    if not data:
        raise ReplayError(f"{path} is empty")
    lines = [line.strip() for line in data.split(b"\n")]
    if any(map(_SENTENCE.match, lines)):
        return Log([line + b"\r\n" for line in lines if line and line[:1] != b"#"], lines=True)
    return Log([data[i : i + _PIECE] for i in range(0, len(data), _PIECE)], lines=False)


def schedule(log: Log, baud: int, rate: float = 1.0, bits: int = 10) -> Iterator[Timed]:
    """Yield the log's pieces with the times at which they are due.

    Args:
        log: the log.
        baud: the serial line's rate, which nothing exceeds.
        rate: how many times faster than recorded.
        bits: what a byte takes on the line: start, data, parity and stop.
    """
    free_s = epoch_s = 0.0  # when the line is free again; when the present epoch begins
    last: float | None = None
    for piece in log.pieces:
        now = _time_of_day(piece) if log.lines else None
        if now is not None:
            ahead = (now - last) % _DAY_S if last is not None else 0.0
            if ahead < _DAY_S - _BACKWARDS_S:
                epoch_s += min(ahead, _LONGEST_GAP_S) / rate
                last = now
        at_s = max(free_s, epoch_s)
        yield Timed(at_s, piece)
        free_s = at_s + len(piece) * bits / baud


def play(
    log: Log, sink: "Sink", *, rate: float = 1.0, loop: bool = False,
    clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep,
) -> None:  # fmt: skip
    """Send the log's pieces when they are due, again and again with `loop`.

    Raises:
        ReplayError: the other end went away.
    """
    while True:
        start = clock()
        for at_s, piece in schedule(log, sink.baud, rate, sink.bits):
            wait = start + at_s - clock()
            if wait > 0:
                sleep(wait)
            sink.send(piece)
        if not loop:
            return


class Sink(ABC):
    """Where a log is played to; a context manager that lets go of it at its end.

    Attributes:
        baud: the line's rate.
        bits: what a byte takes on it: start, data, parity and stop.
    """

    baud: int
    bits: int = 10

    @abstractmethod
    def send(self, data: bytes) -> None:
        """Send bytes.

        Raises:
            ReplayError: the other end went away.
        """

    @abstractmethod
    def close(self) -> None:
        """Let go."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class EstuaryLine(Sink):
    """A line of a running estuary, taken through its control port.

    Args:
        state: the estuary's address book.
        device: whose line.
        uart: which line.
        baud: the rate; None for the line's own.

    Raises:
        ReplayError: no estuary is running there, or it has no such line.
    """

    def __init__(self, state: Path, device: str, uart: str, baud: int | None = None) -> None:
        start = "start one: fairway estuary"
        try:
            book = json.loads(state.read_text("utf-8"))
            host, port = str(book["control"]).rsplit(":", 1)
            self._socket = socket.create_connection((host, int(port)), _ANSWER_S)
        except FileNotFoundError as error:
            raise ReplayError(f"no estuary is running: there is no {state}", start) from error
        except OSError as error:
            raise ReplayError(f"no estuary answers where {state} says it is", start) from error
        except (ValueError, KeyError, TypeError) as error:
            raise ReplayError(f"{state} is not an estuary's address book", start) from error
        try:
            request = json.dumps({"take": {"device": device, "uart": uart}})
            self._socket.sendall(request.encode() + b"\n")
            with self._socket.makefile("rb") as answers:
                answer = json.loads(answers.readline())
        except (OSError, ValueError) as error:
            self._socket.close()
            raise ReplayError("the estuary did not answer") from error
        if "error" in answer:
            self._socket.close()
            raise ReplayError(answer["error"], answer.get("action", ""))
        self.baud = baud or int(answer["baud"])
        self.bits = int(answer["bits"])

    def send(self, data: bytes) -> None:
        """Send bytes to the board."""
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise ReplayError("the estuary went away") from error

    def close(self) -> None:
        """Give the line back to the simulation."""
        self._socket.close()


class SerialLine(Sink):
    """A real serial port; eight data bits, no parity.

    Raises:
        ReplayError: the port cannot be opened.
    """

    def __init__(self, port: str, baud: int) -> None:
        import serial

        self.baud = baud
        self._error = serial.SerialException
        try:
            self._port = serial.Serial(port, baud)
        except (serial.SerialException, ValueError) as error:
            raise ReplayError(f"{port} cannot be opened: {error}") from error

    def send(self, data: bytes) -> None:
        """Send bytes down the line, no faster than it carries them."""
        try:
            self._port.write(data)
        except self._error as error:
            raise ReplayError("the serial port went away") from error

    def close(self) -> None:
        """Close the port after the last byte has left."""
        try:
            self._port.flush()
        finally:
            self._port.close()


def _time_of_day(line: bytes) -> float | None:
    """Return the seconds of the day that a line carries, if it carries a time."""
    for pattern in _TIMES:
        match = pattern.match(line)
        if match is None:
            continue
        numbers = [float(group) for group in match.groups()]
        if len(numbers) == 1:
            return numbers[0] % _DAY_S
        hours, minutes, seconds = numbers[:3]
        thousandths = numbers[3] if len(numbers) > 3 else 0.0
        return hours * 3600 + minutes * 60 + seconds + thousandths / 1000
    return None
