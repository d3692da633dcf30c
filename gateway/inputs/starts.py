"""Identities of the records that the gateway makes itself: start numbers that never come twice.

    starts = Starts(data / "starts")
    numbers = Numbers(starts)
    boot, seq = numbers.take()

A device counts its starts in flash; for a station, an aid heard by AIS or a terminal of another make
the gateway counts. The number lies in one small file, for all of them: it is raised, and the new file
and its folder are synced, before the first record that carries it. It is never below the seconds since
2020, so that a lost file, or another gateway with a folder of its own that takes over the same station,
does not give numbers out again. Without file and clock it is drawn by chance, as a device does it
(DESIGN §2).
"""

import logging
import os
import random
import threading
import time
from pathlib import Path
from typing import Final

from agent.wire import schema
from agent.wire.series import EPOCH_2020

log = logging.getLogger(__name__)

_DRAWN: Final = 1 << 29
_CLOCK_MAX: Final = schema.BOOT_MAX - (1 << 24)  # of a clock that says 2053 we believe nothing
_LOCK: Final = threading.Lock()  # several inputs use the file


class Starts:
    """Gives start numbers, from any thread; `path` is the file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def next(self) -> int:
        """Return a number that no one has had; when it is returned it is on the disk.

        Raises:
            OSError: it cannot be written: no record may be made.
        """
        with _LOCK:
            last = self._read()
            clock = int(time.time()) - EPOCH_2020
            if last is None and not 0 < clock < _CLOCK_MAX:
                last = _DRAWN + random.SystemRandom().getrandbits(28)
            number = max((last or 0) + 1, clock if clock < _CLOCK_MAX else 0)
            if number > schema.BOOT_MAX:
                raise OSError(f"{self._path}: no start number is left; delete the file")
            self._write(number)
            return number

    def _read(self) -> int | None:
        try:
            text = self._path.read_text("ascii").strip()
        except FileNotFoundError:
            return None
        except UnicodeDecodeError:
            text = ""
        if text.isdecimal() and int(text) <= schema.BOOT_MAX:
            return int(text)
        log.warning("%s is no start number: it is begun anew, from the clock", self._path)
        return None

    def _write(self, number: int) -> None:
        fresh = self._path.with_name(self._path.name + ".new")
        with fresh.open("w", encoding="ascii") as out:
            out.write(f"{number}\n")
            out.flush()
            os.fsync(out.fileno())
        fresh.replace(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


class Numbers:
    """Identities of one device, one after the other; for one thread."""

    def __init__(self, starts: Starts) -> None:
        self._starts = starts
        self._boot = 0
        self._seq = schema.SEQ_MAX  # the first identity raises the start number

    def take(self) -> tuple[int, int]:
        """Return (boot, seq) of the next record.

        Raises:
            OSError: see `Starts.next`.
        """
        if self._seq >= schema.SEQ_MAX:
            self._boot = self._starts.next()
            self._seq = -1
        self._seq += 1
        return self._boot, self._seq
