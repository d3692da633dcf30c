"""A small store in a file, written so that a power cut leaves the old content or the new."""

import os


class FileStore:
    """`load()` gives what `save()` wrote last, or None."""

    def __init__(self, path):
        self._path = path

    def load(self):
        try:
            with open(self._path, "rb") as file:
                return file.read()
        except OSError:
            return None

    def save(self, data):
        """Write beside, flush, rename: the rename is what littlefs does atomically (reference B6).

        Raises OSError when the flash refuses.
        """
        beside = self._path + ".new"
        with open(beside, "wb") as file:
            file.write(data)
            file.flush()
        os.rename(beside, self._path)
