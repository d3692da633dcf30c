"""The power goes at every byte of every write of an hour's work, on the real littlefs.

Reference: regression 8 of reference/micropython.md (littlefs#758). After each cut the image is mounted
and a board starts on it: nothing that was synced is lost, no identity is used twice, and it works on.
"""

import random

import pytest

from agent.wire import codes
from tests.device.records import identities, record
from tests.flash.chip import BLOCK, Chip, apply
from tests.flash.hour import WINDOW, Hour, start

_ALL = 32768  # a window that holds the whole hour
_SAMPLE = 0.005


@pytest.fixture(scope="module")
def hour() -> Hour:
    return Hour()


def drain(outbox, *, acknowledge):
    """Send everything, and acknowledge it; return the records' identities."""
    payload = bytearray(4096)
    found = []
    while outbox.due(0):
        got = identities(bytes(payload[: outbox.fill(payload, 0, 0)]))
        assert got, "due, and nothing comes"
        found += got
        for boot, seq in got:
            assert not acknowledge or outbox.ack(boot, seq, seq) == 1
    return found


def check(hour: Hour, image: bytearray, cut: int, *, fully: bool) -> None:
    """Start a board on `image`, which write `cut` of the hour left unfinished."""
    chip = Chip(image=image)
    boot, outbox = start(chip, WINDOW if fully else _ALL)
    ledger = hour.ledger
    used = {b for b, at in ledger.boots.items() if at <= cut}
    assert boot.value not in used and not boot.lost(), "a boot number is used twice"
    assert boot.value < 10
    assert outbox.errors == 0
    found = drain(outbox, acknowledge=fully)
    assert len(found) == len(set(found))
    there = set(found)
    assert all(ledger.made[i] <= cut for i in there), "a record that was never made"
    lost = [
        i
        for i, at in ledger.synced.items()
        if at <= cut and i not in there and ledger.acked.get(i, cut + 1) > cut
    ]
    assert not lost, "synced records are lost"
    assert outbox.take_gap() is None
    if fully:
        for seq in range(40):
            data = record(boot.value, seq, 40)
            outbox.put(data, len(data), boot.value, seq, codes.LANE_STATUS)
        outbox.sync()
        again, kept = start(chip)
        assert again.value == boot.value + 1
        assert kept.kept == 40


def cuts(hour: Hour):
    """Yield (number of the write, bytes of it that are done, image), each image once.

    An erase is cut at a few places, and once as a block that is neither old nor erased.
    """
    image = bytearray(hour.before)
    for number, write in enumerate(hour.writes):
        if write.data is None:
            old = image[write.at : write.at + BLOCK]
            for upto in (0, 1, 32, 100, BLOCK // 2, BLOCK - 1):
                torn = bytearray(image)
                apply(torn, write, upto)
                yield number, upto, torn
            torn = bytearray(image)
            noise = random.Random(number).randbytes(BLOCK)
            torn[write.at : write.at + BLOCK] = bytes(
                a | b for a, b in zip(old, noise, strict=True)
            )
            yield number, BLOCK, torn
        else:
            for upto in range(1, len(write.data)):
                at = write.at + upto - 1
                if write.data[upto - 1] & image[at] != image[at]:
                    torn = bytearray(image)
                    apply(torn, write, upto)
                    yield number, upto, torn
        apply(image, write)
    yield len(hour.writes), 0, image


def test_the_hour_is_worth_cutting(hour):
    made = len(hour.ledger.made)
    assert made > 150
    # A restart without a word loses what had not gathered for a minute, and nothing else.
    assert made - 3 * 6 < len(hour.ledger.synced) < made
    assert 30 < len(hour.ledger.acked) < made
    assert len(hour.ledger.boots) == 4
    assert hour.outbox.dropped == 0


def test_a_sample_of_cuts(hour):
    chosen = random.Random(1)
    done = 0
    for number, _upto, image in cuts(hour):
        if chosen.random() < _SAMPLE:
            check(hour, image, number, fully=done % 10 == 0)
            done += 1
    assert done > 100


@pytest.mark.prove
@pytest.mark.parametrize("part", range(8))
def test_every_byte(hour, part):
    done = 0
    for n, (number, _upto, image) in enumerate(cuts(hour)):
        if n % 8 == part:
            check(hour, image, number, fully=n % 10 == 0)
            done += 1
    print(f"{done} cuts")
