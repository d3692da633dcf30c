"""Room on the disk that is kept for the moment when there is none.

    reserve = Reserve(folder / "journal.reserve")
    reserve.hold()        now and then, while all is well
    reserve.give()        when a commit finds the disk full

SQLite needs room to give room back: to empty its write-ahead log, and to delete rows. On a disk that the
log itself has filled it would never go on by itself.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

SIZE: Final = 8 << 20  # bytes; the log is emptied at 4 MiB as a rule
_FREE_LEAST: Final = 4 * SIZE  # below this it is not taken: others need it more
_PAGE: Final = 4096


class Reserve:
    """A file that is there to be deleted. `held` says whether it is."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def held(self) -> bool:
        """Whether there is something to give."""
        return self._path.exists()

    def hold(self) -> None:
        """Take the room, if there is plenty and it is not taken yet."""
        if not self.held and self._free() >= _FREE_LEAST:
            self._take(SIZE)

    def hold_again(self) -> None:
        """Take back what there still is of it."""
        size = min(SIZE, self._free() // _PAGE * _PAGE)
        if not self.held and size:
            self._take(size)

    def _free(self) -> int:
        try:
            found = os.statvfs(self._path.parent)
        except OSError:
            return 0
        return found.f_bavail * found.f_frsize

    def _take(self, size: int) -> None:
        part = self._path.with_suffix(".part")
        try:
            with part.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, size)
            part.replace(self._path)
        except OSError:
            part.unlink(missing_ok=True)

    def give(self) -> bool:
        """Give the room back; return whether there was any."""
        with suppress(OSError):
            self._path.unlink()
            return True
        return False
