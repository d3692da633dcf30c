"""A flash chip of ours under the real littlefs, as MicroPython sets it up, and `hal.files()` over it."""

from collections.abc import Callable
from dataclasses import dataclass, field

from littlefs import LittleFS, lfs
from littlefs.errors import LittleFSError

BLOCK = 4096
_CACHE = 128  # MicroPython's VfsLfs2: read and prog 32, cache four times that
_LOOKAHEAD = 32
_CYCLES = 100
_APPEND = lfs.LFSFileFlag.wronly | lfs.LFSFileFlag.creat | lfs.LFSFileFlag.append


@dataclass
class Write:
    """One access that changes the chip: `data` programmed at `at`, or a block erased (no data)."""

    at: int
    data: bytes | None


@dataclass
class Chip:
    """A NOR flash: programming can only clear bits, erasing sets a block's.

    `writes` keeps all of them when it is a list; `erases` counts.
    """

    blocks: int = 64
    image: bytearray = field(default_factory=bytearray)
    writes: list[Write] | None = None
    erases: int = 0
    programmed: int = 0

    def __post_init__(self) -> None:
        if not self.image:
            self.image = bytearray(b"\xff" * self.blocks * BLOCK)
        self.in_size = len(self.image)

    # What littlefs calls.

    def read(self, cfg: object, block: int, off: int, size: int) -> bytearray:
        at = block * BLOCK + off
        return self.image[at : at + size]

    def prog(self, cfg: object, block: int, off: int, data: bytes) -> int:
        write = Write(block * BLOCK + off, bytes(data))
        if self.writes is not None:
            self.writes.append(write)
        self.programmed += len(data)
        apply(self.image, write)
        return 0

    def erase(self, cfg: object, block: int) -> int:
        write = Write(block * BLOCK, None)
        if self.writes is not None:
            self.writes.append(write)
        self.erases += 1
        apply(self.image, write)
        return 0

    def sync(self, cfg: object) -> int:
        return 0


def apply(image: bytearray, write: Write, upto: int | None = None) -> None:
    """Do a write to an image, or its first `upto` bytes."""
    if write.data is None:
        size = BLOCK if upto is None else upto
        image[write.at : write.at + size] = b"\xff" * size
        return
    data = write.data[:upto]
    old = image[write.at : write.at + len(data)]
    both = int.from_bytes(old) & int.from_bytes(data)
    image[write.at : write.at + len(data)] = both.to_bytes(len(data))


def mount(chip: Chip, *, fresh: bool = False) -> LittleFS:
    """Mount the chip; `fresh`: format it before. Raises LittleFSError where a board would not boot."""
    fs = LittleFS(
        context=chip,
        mount=False,
        block_size=BLOCK,
        block_count=chip.blocks,
        read_size=32,
        prog_size=32,
        cache_size=_CACHE,
        lookahead_size=_LOOKAHEAD,
        block_cycles=_CYCLES,
    )
    if fresh:
        fs.format()
    fs.mount()
    return fs


def _as_os_error(call: Callable[..., object], *args: object) -> object:
    try:
        return call(*args)
    except LittleFSError as error:
        raise OSError(-error.code, str(error)) from error


class LittleFiles:
    """`hal.files()` (agent/hal/files.py) on a mounted littlefs, without an operating system."""

    def __init__(self, fs: LittleFS) -> None:
        self._fs = fs.fs
        self._names = fs.listdir
        self._blocks = fs.cfg.block_count

    def names(self):
        return [name for name in _as_os_error(self._names, "/") if not name.endswith(".new")]

    def size(self, name):
        try:
            return _as_os_error(lfs.stat, self._fs, name).size
        except FileNotFoundError:
            return 0

    def read(self, name):
        try:
            handle = self.open(name)
        except FileNotFoundError:
            return None
        data = bytearray(self.size(name))
        handle.readinto(data)
        handle.close()
        return bytes(data)

    def replace(self, name, data):
        handle = _Handle(self._fs, name + ".new", "w")
        handle.write(data)
        handle.flush()
        handle.close()
        self.rename(name + ".new", name)

    def append(self, name):
        return _Handle(self._fs, name, _APPEND)

    def open(self, name):
        return _Handle(self._fs, name, "r")

    def remove(self, name):
        _as_os_error(lfs.remove, self._fs, name)

    def rename(self, old, new):
        _as_os_error(lfs.rename, self._fs, old, new)

    def free(self):
        return (self._blocks - lfs.fs_size(self._fs)) * BLOCK


class _Handle:
    def __init__(self, fs, name, mode):
        self._fs = fs
        self._file = _as_os_error(lfs.file_open, fs, name, mode)

    def write(self, buf):
        return _as_os_error(lfs.file_write, self._fs, self._file, bytes(buf))

    def flush(self):
        _as_os_error(lfs.file_sync, self._fs, self._file)

    def readinto(self, buf):
        data = _as_os_error(lfs.file_read, self._fs, self._file, len(buf))
        buf[: len(data)] = data
        return len(data)

    def seek(self, pos):
        return _as_os_error(lfs.file_seek, self._fs, self._file, pos, 0)

    def close(self):
        _as_os_error(lfs.file_close, self._fs, self._file)


class Store:
    """A boot store: one small file."""

    def __init__(self, files: LittleFiles, name: str) -> None:
        self._files = files
        self._name = name

    def load(self):
        return self._files.read(self._name)

    def save(self, data):
        self._files.replace(self._name, data)
