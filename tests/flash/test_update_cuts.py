"""The power fails at any byte that an update writes to real littlefs: the device ends as it should.

"… the same for configuration, credentials and update" (issue 3): the flash's every write of a whole
update is recorded, then done again up to a byte, mounted, and the update goes on from there.
"""

import random

import pytest
from littlefs import lfs
from littlefs.errors import LittleFSError
from releases import FILES, Release
from updating import OLD, Device, Gateway, carry, slot

from agent.wire import codes
from tests.flash.chip import Chip, LittleFiles, apply, mount

SEED = 20261122
SAMPLE = 60
# Some of it inside littlefs's directories, some in blocks of its own.
IMAGE = (*FILES[:-1], ("agent/big.mpy", bytes(range(256)) * 20), FILES[-1])
RELEASE = Release(files=IMAGE, chunk=512)


class ChipFlash:
    """What an update's Device wants of a flash, on littlefs: names with folders in them."""

    def __init__(self, chip):
        self.chip = chip
        self._mounted = mount(chip)
        self._files = LittleFiles(self._mounted)
        for name in ("read", "replace", "open", "remove", "size"):
            setattr(self, name, getattr(self._files, name))

    def names(self):
        return [
            f"{folder}/{name}".lstrip("/")
            for folder, _, names in self._mounted.walk("/")
            for name in names
            if not name.endswith(".new")
        ]

    def append(self, name):
        for n, letter in enumerate(name):
            if letter == "/":
                try:
                    lfs.mkdir(self._mounted.fs, name[:n])
                except LittleFSError as error:
                    if error.code != LittleFSError.Error.LFS_ERR_EXIST:
                        raise OSError(-error.code) from error
        return self._files.append(name)

    def free(self):
        return (self.chip.blocks - self._mounted.used_block_count) * 4096

    @property
    def files(self):
        """A copy of everything, as FakeFiles has it."""
        return {name: self.read(name) for name in self.names()}


def device_on(chip, works):
    device = Device.__new__(Device)
    device.flash = ChipFlash(chip)
    device.finish(works)
    return device


def whole_update(works):
    """Return (the image before, every write, the result) of an update without a cut."""
    chip = Chip()
    mount(chip, fresh=True)
    flash = ChipFlash(chip)
    lfs.mkdir(flash._mounted.fs, "data")
    for name, data in OLD:
        handle = flash.append("a/" + name)
        handle.write(data)
        handle.close()
    before = bytes(chip.image)
    chip.writes = []
    device = device_on(chip, works)
    return before, chip.writes, carry(device, Gateway(RELEASE))


def go_on(before, writes, n, upto, works):
    """Return the device after the power failed in write `n` after `upto` bytes, and its result."""
    chip = Chip(image=bytearray(before))
    for write in writes[:n]:
        apply(chip.image, write)
    apply(chip.image, writes[n], upto)
    device = device_on(chip, works)
    return device, carry(device, Gateway(RELEASE))


def check(before, writes, cut, works, result):
    n, upto = cut
    device, ended = go_on(before, writes, n, upto, works)
    files = device.flash.files
    said = f"cut in write {n} after {upto} bytes: {ended}"
    assert ended == result, said
    assert {name: files[f"a/{name}"] for name, _ in OLD} == dict(OLD), said
    if works == "well":
        assert device.version == b"new", said
        assert slot(device.flash, "b") == dict(IMAGE), said
    else:
        assert device.version == b"old", said


CASES = [("well", codes.UPDATE_CONFIRMED), ("silent", codes.UPDATE_ROLLED_BACK)]


@pytest.mark.parametrize(("works", "result"), CASES)
def test_a_sample_of_all_cuts(works, result):
    before, writes, ended = whole_update(works)
    assert ended == result
    cuts = [
        (n, k) for n, write in enumerate(writes) for k in range(len(write.data or bytes(4096)))
    ]
    print(f"{len(writes)} writes, {len(cuts)} bytes")
    assert len(writes) > 100
    for cut in random.Random(SEED).sample(cuts, SAMPLE):
        check(before, writes, cut, works, result)
    # And between any two writes, of which there are fewer.
    for n in range(0, len(writes), 7):
        check(before, writes, (n, 0), works, result)


@pytest.mark.prove
@pytest.mark.parametrize(("works", "result"), CASES)
def test_every_byte_of_every_write(works, result):
    before, writes, _ = whole_update(works)
    for n, write in enumerate(writes):
        # An erase: nobody promises in which order it takes a block's bytes.
        erased = (0, 1, 100, 2048, 4095)
        sizes = erased if write.data is None else range(len(write.data))
        for upto in sizes:
            check(before, writes, (n, upto), works, result)
