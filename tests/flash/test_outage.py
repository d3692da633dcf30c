"""Ten days without a broker, in simulated time, on the real littlefs; then the link returns."""

from agent.keep.outbox import Outbox
from agent.wire import codes
from tests.device.records import record
from tests.flash.chip import Chip, LittleFiles, mount
from tests.flash.hour import steady
from tests.flash.peers import Device, Gateway

DAY_S = 86400
FLASH_BYTES = 262144
_WAY_MS = 50  # one way; a round trip is 100 ms


class Buoy:
    """Makes a beacon's records, and a pile's sessions, for days."""

    def __init__(self, outbox):
        self.outbox = outbox
        self.made = []
        self.alarms = []
        self.bytes = 0

    def run(self, begin_s, end_s):
        for now_s in range(begin_s, end_s, 60):
            minute = now_s // 60
            if minute % 10 == 0:
                self._put(codes.LANE_STATUS, 45)
                self._put(codes.LANE_BULK, 36)
            if minute % 60 == 0:
                for size in (44, 70, 60):
                    self._put(codes.LANE_STATUS, size)
            if minute % 700 == 300:
                self.alarms.append(len(self.made))
                self._put(codes.LANE_ALARM, 28)
            if minute % 360 == 5:
                self._put(codes.LANE_SESSION, 90)
            self.outbox.poll(now_s * 1000)

    def _put(self, lane, size):
        data = record(3, len(self.made), size)
        self.bytes += len(data)
        self.outbox.put(data, len(data), 3, len(self.made), lane)
        self.made.append((3, len(self.made)))


def drain(outbox, now_ms, limit_s=300):
    """Connect over a link of 100 ms there and back; return (gateway, milliseconds until all came)."""
    device = Device(outbox, now_ms)
    gateway = Gateway()
    up, down = [], []  # (when it arrives, bytes)
    begin_ms = now_ms
    while outbox.kept and now_ms - begin_ms < limit_s * 1000:
        while down and down[0][0] <= now_ms:
            device.feed(down.pop(0)[1], now_ms)
        if data := device.talk(now_ms):
            up.append((now_ms + _WAY_MS, data))
        while up and up[0][0] <= now_ms:
            down.append((now_ms + _WAY_MS, gateway.take(up.pop(0)[1])))
        now_ms += 5
    return gateway, now_ms - begin_ms


def test_ten_days_without_a_broker(capsys):
    chip = Chip(blocks=128)
    files = LittleFiles(mount(chip, fresh=True))
    outbox = Outbox(8192, steady, files, FLASH_BYTES)
    buoy = Buoy(outbox)
    buoy.run(0, 5 * DAY_S)
    outbox.sync()
    # The power fails in the middle; that the boot's number stays is of this test only.
    outbox = buoy.outbox = Outbox(8192, steady, LittleFiles(mount(chip)), FLASH_BYTES)
    buoy.run(5 * DAY_S, 10 * DAY_S)
    stored, erases = outbox.stored_bytes, chip.erases
    assert (outbox.kept, outbox.dropped, outbox.errors) == (len(buoy.made), 0, 0)
    gateway, took_ms = drain(outbox, 10 * DAY_S * 1000)
    with capsys.disabled():
        print(
            f"\nten days: {len(buoy.made)} records, {buoy.bytes:,} bytes, {stored:,} on flash of"
            f" {FLASH_BYTES:,}; {erases // 10} erases a day;"
            f" drained in {took_ms / 1000:.1f} s, {len(buoy.made) * 1000 // took_ms} records/s"
        )
    assert sorted(gateway.records) == buoy.made, "each arrives once"
    newest_first = [seq for _, seq in gateway.records[: len(buoy.alarms)]]
    assert newest_first == buoy.alarms[::-1]
    assert outbox.resent == 0
    assert (outbox.stored_bytes, outbox.kept_bytes) == (0, 0)


def test_a_good_day_hardly_writes(capsys):
    """An ordinary day: the link is there but for an hour, each record is acknowledged at once."""
    chip = Chip(blocks=128)
    outbox = Outbox(8192, steady, LittleFiles(mount(chip, fresh=True)), FLASH_BYTES)
    before = chip.erases
    buoy = Buoy(outbox)
    for minute in range(1440):
        buoy.run(minute * 60, minute * 60 + 60)
        if not 600 <= minute < 660 and outbox.kept:
            outbox.ack(3, 0, len(buoy.made))
    erases = chip.erases - before
    with capsys.disabled():
        print(f"\nan ordinary day: {erases} erases, the outbox's estimate {outbox.erases}")
    assert erases < 40


def test_the_estimate_of_erases_is_near_the_truth():
    """Within a quarter of what littlefs does, over two days of outage."""
    chip = Chip(blocks=128)
    outbox = Outbox(8192, steady, LittleFiles(mount(chip, fresh=True)), FLASH_BYTES)
    before = chip.erases
    Buoy(outbox).run(0, 2 * DAY_S)
    erases = chip.erases - before
    assert abs(outbox.erases - erases) * 4 <= erases, (outbox.erases, erases)


def test_a_file_system_smaller_than_the_budget():
    """The oldest make room before littlefs has to say ENOSPC, long before the budget is used."""
    chip = Chip(blocks=16)
    files = LittleFiles(mount(chip, fresh=True))
    files.replace("settings-a", bytes(3000))
    outbox = Outbox(4096, steady, files, FLASH_BYTES)
    buoy = Buoy(outbox)
    buoy.run(0, 4 * DAY_S)
    outbox.sync()
    made = len(buoy.made)
    assert outbox.errors == 0
    assert files.free() >= 8192
    assert outbox.dropped > 100
    assert outbox.kept + outbox.dropped == made
    again = Outbox(4096, steady, LittleFiles(mount(chip)), FLASH_BYTES)
    kept = again.kept
    # Bulk that found no room lived in RAM.
    assert outbox.kept - 100 < kept <= outbox.kept
    assert again.errors == 0
    gateway, _ = drain(again, 4 * DAY_S * 1000)
    assert len(gateway.records) == len(set(gateway.records)) == kept
    assert {seq for _, seq in gateway.records} >= set(buoy.alarms)
    assert len(files.read("settings-a")) == 3000
