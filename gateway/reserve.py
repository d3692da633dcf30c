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
FREE_LEAST: Final = 4 * SIZE  # below this it is not taken: others need it more


class Reserve:
    """A file that is there to be deleted. `held` says whether it is."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def held(self) -> bool:
        """Whether there is something to give."""
        return self._path.exists()

    def hold(self, least: int = FREE_LEAST) -> None:
        """Take the room, if `least` bytes are free and it is not taken yet."""
        if self.held:
            return
        with suppress(OSError):
            free = os.statvfs(self._path.parent)
            if free.f_bavail * free.f_frsize < least:
                return
            part = self._path.with_suffix(".part")
            with part.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, SIZE)
            part.replace(self._path)

    def give(self) -> bool:
        """Give the room back; return whether there was any."""
        with suppress(OSError):
            self._path.unlink()
            return True
        return False
