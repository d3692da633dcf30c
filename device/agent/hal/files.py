"""Files written so that a power cut leaves the old content or the new (reference B6).

    files = Files("/data")
    files.replace("access-a", data)
    handle = files.append("log");  handle.write(frame);  handle.flush();  handle.close()

On littlefs `flush()` is the sync: what was not flushed is lost whole, never half. On a host it hands
the bytes to the operating system: the death of the process is survived, not that of the machine.
"""

import errno
import os

_BESIDE = ".new"  # what a replace writes first; a leftover of a cut, nobody's file


class Files:
    """A flat folder of files; it is made if there is none. Every method raises OSError."""

    def __init__(self, folder):
        self._folder = folder + "/"
        try:
            os.mkdir(folder)
        except OSError as error:
            if error.errno != errno.EEXIST:
                raise

    def names(self):
        """Return the names of all files, in no order."""
        return [name for name in os.listdir(self._folder[:-1]) if not name.endswith(_BESIDE)]

    def size(self, name):
        """Return a file's bytes, 0 if there is none."""
        try:
            return os.stat(self._folder + name)[6]
        except OSError as error:
            if error.errno != errno.ENOENT:
                raise
        return 0

    def read(self, name):
        """Return a file's content, None if there is none."""
        try:
            with open(self._folder + name, "rb") as file:
                return file.read()
        except OSError as error:
            if error.errno != errno.ENOENT:
                raise
        return None

    def replace(self, name, data):
        """Write beside, flush, rename: the rename is what littlefs does atomically."""
        _replace(self._folder + name, data)

    def append(self, name):
        """Return a handle that writes behind what the file has: write(buf), flush(), close()."""
        return open(self._folder + name, "ab")

    def open(self, name):
        """Return a handle that reads: readinto(buf), seek(pos), close()."""
        return open(self._folder + name, "rb")

    def remove(self, name):
        os.remove(self._folder + name)

    def rename(self, old, new):
        os.rename(self._folder + old, self._folder + new)

    def free(self):
        """Return the bytes that the file system has left."""
        told = os.statvfs(self._folder[:-1])
        return told[1] * told[4]


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
        """Replace the content; raise OSError when the flash refuses."""
        _replace(self._path, data)


def _replace(path, data):
    with open(path + _BESIDE, "wb") as file:
        file.write(data)
        file.flush()
    os.rename(path + _BESIDE, path)
