"""The files of one of the application's slots: as Files, but with folders in it.

slot = SlotFiles("/b")
handle = slot.append("agent/link/mqtt.mpy")
"""

import os

from agent.hal.files import Files

_FOLDER = 0x4000  # of st_mode


class SlotFiles(Files):
    """A folder of folders; names have a slash between. Folders are made as they are needed."""

    def names(self):
        """Return the names of all files, those of folders within included."""
        found = []
        waiting = [""]
        while waiting:
            inner = waiting.pop()
            for name in os.listdir(self._folder + inner):
                name = inner + name
                if os.stat(self._folder + name)[0] & _FOLDER:
                    waiting.append(name + "/")
                else:
                    found.append(name)
        return found

    def append(self, name):
        parts = name.split("/")
        for n in range(1, len(parts)):
            try:
                os.mkdir(self._folder + "/".join(parts[:n]))
            except OSError:
                pass  # it is there, or the next line says what is wrong
        return open(self._folder + name, "ab")
