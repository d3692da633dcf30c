"""Mounts the file system at every start, in place of what the port does. Frozen into the firmware.

    main       rescue
    mounts     "/" is main, "/spare" the spare (for copies of identity and access)
    blank      a new board: main is formatted; it never was before
    neither    main stays as it is, for whoever wants to know what happened. "/" is the spare, else
               RAM, and the safe agent runs from the firmware

A stock ESP32 prints for ever when its file system is damaged, a stock RP2 formats it: both before any
code of ours could run. `blank` is all ones to the last block: the first two may have been lost, and
littlefs begins anywhere with what follows them.

Not yet run on hardware.
"""

MAIN = 0
SPARE = 1
RAM = 2

_TRIES = 3
_AGAIN_MS = 3600000  # until the next look at a file system that could not be mounted

_SAFE = 2  # codes.MODE_SAFE
_FROZEN = ".frozen"


class Volume:
    """A block device and the file system on it. `make(device)` gives the file system's object."""

    def __init__(self, device, make, mkfs, mount):
        self._device = device
        self._make = make
        self._mkfs = mkfs
        self._mount = mount

    def mount(self, path):
        """Raise OSError when there is no whole file system."""
        self._mount(self._make(self._device), path)

    def format(self):
        self._mkfs(self._device)

    def blank(self):
        """Return whether nothing was ever written; takes a second or so for some MiB."""
        size = self._device.ioctl(5, 0)
        buf = bytearray(size)
        for block in range(self._device.ioctl(4, 0)):
            self._device.readblocks(block, buf)
            if buf.count(b"\xff") != size:
                return False
        return True


class RAMBlocks:
    """A block device in RAM, for the few stores of a safe agent."""

    def __init__(self, blocks=64, size=512):
        self._size = size
        self._data = bytearray(blocks * size)

    def readblocks(self, block, buf, offset=0):
        at = block * self._size + offset
        buf[:] = self._data[at : at + len(buf)]

    def writeblocks(self, block, buf, offset=0):
        at = block * self._size + offset
        self._data[at : at + len(buf)] = buf

    def ioctl(self, op, arg):
        if op == 4:
            return len(self._data) // self._size
        if op == 5:
            return self._size
        return 0


def bring_up(main, spare, ram):
    """Mount what can be mounted; return what "/" is now. `spare` may be None."""
    if _mounted(main, "/", _TRIES) or _made(main, "/"):
        if spare is not None and not _mounted(spare, "/spare", 1):
            _made(spare, "/spare")
        return MAIN
    if spare is not None and (_mounted(spare, "/", _TRIES) or _made(spare, "/")):
        return SPARE
    ram.format()
    ram.mount("/")
    return RAM


def run(where, returns=False):
    """Run the firmware's own safe agent, under the guard as every other.

    `returns`: the agent hands over and returns, as on the virtual board.
    """
    import guard
    import launch

    print("recovery: the file system cannot be mounted and is left as it is")
    print("recovery: the safe agent runs, with its stores in", ("?", "the spare", "RAM")[where])
    board = launch.Board()
    running = guard.Guard(board.stores(), lambda path: False)
    running.choose(board.innocent())
    running.mode = _SAFE
    running.folder = _FROZEN
    guard.running = running
    launch.launch(running, board, launch.start)
    if not returns:
        # No identity, nothing to do: the damage may have been a bad night's.
        board.pause(_AGAIN_MS)


def _mounted(volume, path, tries):
    for _ in range(tries):
        try:
            volume.mount(path)
        except Exception as error:  # noqa: BLE001  (ports differ in what they raise)
            print("recovery: %s: %r" % (path, error))
        else:
            return True
    return False


def _made(volume, path):
    """Make a file system where there never was one."""
    try:
        if not volume.blank():
            return False
        volume.format()
        volume.mount(path)
    except Exception as error:  # noqa: BLE001  (a flash that fails is not a blank one)
        print("recovery: %s: %r" % (path, error))
        return False
    return True
