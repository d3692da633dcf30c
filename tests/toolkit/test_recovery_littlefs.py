"""The recovery of device/boards against real littlefs: what is damaged is seen, and left as it is."""

import random
import sys

import pytest

from toolkit import bundle

sys.path.append(str(bundle.DEVICE / "boards" / "common"))

from recovery import MAIN, RAM, SPARE, Volume, bring_up

littlefs = pytest.importorskip("littlefs")

BLOCK, BLOCKS = 4096, 64


class Flash:
    """A flash as MicroPython's block devices are, and as littlefs-python wants one."""

    def __init__(self):
        self.data = bytearray(b"\xff" * (BLOCK * BLOCKS))

    def ioctl(self, op, argument):
        return {4: BLOCKS, 5: BLOCK}.get(op, 0)

    def readblocks(self, block, buf):
        buf[:] = self.data[block * BLOCK : block * BLOCK + len(buf)]

    # littlefs-python's user context

    def read(self, cfg, block, off, size):
        return self.data[block * BLOCK + off : block * BLOCK + off + size]

    def prog(self, cfg, block, off, data):
        at = block * BLOCK + off
        for i, byte in enumerate(data):
            self.data[at + i] &= byte
        return 0

    def erase(self, cfg, block):
        self.data[block * BLOCK : (block + 1) * BLOCK] = b"\xff" * BLOCK
        return 0

    def sync(self, cfg):
        return 0


def open_fs(flash, *, mount=True):
    fs = littlefs.LittleFS(
        context=flash, block_size=BLOCK, block_count=BLOCKS, mount=False, block_cycles=100
    )
    if mount:
        fs.mount()
    return fs


def volume(flash, mounts):
    def make(device):
        try:
            return open_fs(device)
        except littlefs.LittleFSError as error:
            raise OSError(error.code) from error

    return Volume(flash, make, lambda device: open_fs(device, mount=False).format(), mounts.append)


class Mounts(dict):
    def append(self, fs, path):
        self[path] = fs


def used():
    """Return a flash with the files of a device on it."""
    flash = Flash()
    fs = open_fs(flash, mount=False)
    fs.format()
    fs.mount()
    fs.mkdir("/data")
    for n in range(20):
        with fs.open(f"/data/log-{n}", "wb") as file:
            file.write(bytes(n for _ in range(500)))
    return flash


def test_a_new_flash_is_formatted_once():
    flash, mounts = Flash(), Mounts()
    assert bring_up(volume(flash, mounts), None, None) == MAIN
    with mounts["/"].open("/kept", "wb") as file:
        file.write(b"yes")
    mounts.clear()
    assert bring_up(volume(flash, mounts), None, None) == MAIN
    assert mounts["/"].open("/kept", "rb").read() == b"yes"


@pytest.mark.parametrize("seed", range(20))
def test_a_damaged_superblock_is_left_as_it_is(seed):
    rng = random.Random(seed)
    flash, spare, mounts = used(), Flash(), Mounts()
    for at in (0, BLOCK):
        # Both copies: erased, overwritten, or with single bytes turned.
        kind = rng.randrange(3)
        if kind == 0:
            flash.data[at : at + BLOCK] = b"\xff" * BLOCK
        elif kind == 1:
            flash.data[at : at + BLOCK] = rng.randbytes(BLOCK)
        else:
            for i in range(0, BLOCK, 7):
                flash.data[at + i] ^= 1 + rng.randrange(255)
    before = bytes(flash.data)
    assert bring_up(volume(flash, mounts), volume(spare, mounts), None) == SPARE
    assert bytes(flash.data) == before


def test_both_damaged():
    mounts = Mounts()
    flashes = [used(), used()]
    for flash in flashes:
        flash.data[: 2 * BLOCK] = bytes(2 * BLOCK)
    before = [bytes(flash.data) for flash in flashes]
    ram = volume(Flash(), mounts)
    assert bring_up(volume(flashes[0], mounts), volume(flashes[1], mounts), ram) == RAM
    assert [bytes(flash.data) for flash in flashes] == before
