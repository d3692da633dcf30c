"""AIS at the gateway against the device: the same sentences give the same records."""

import random
from functools import reduce
from operator import xor
from pathlib import Path

import pytest

from agent.sense import targets as on_device
from agent.sense.ais import AIS
from agent.sense.nmea import Assembler
from agent.wire import schema
from agent.wire.encode import Encoder
from gateway.inputs.counts import Counts
from gateway.inputs.station import ais as module
from gateway.inputs.station.ais import AISReader, is_ais
from gateway.inputs.station.ais_records import records_of
from gateway.inputs.station.sentences import SentenceReader
from gateway.inputs.station.targets import Targets

LOGS = Path(__file__).parents[3] / "shared" / "data" / "ais"
NAMES = (
    "aislib-stream_example.txt",
    "signalk-merrimac.log",
    "ais-raw-messages.log",
    "gpsd-sample.aivdm",
)
COUNTERS = ("ships", "statics", "bases", "atons", "others", "own", "malformed", "torn")
ARMOUR = b"0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVW`abcdefghijklmnopqrstuvw"
STEP_MS = 130
SEEDS = [0, *(pytest.param(seed, marks=pytest.mark.prove) for seed in range(1, 12))]


@pytest.fixture(autouse=True)
def _room(monkeypatch):
    """Let the device remember as many ships as the gateway."""
    monkeypatch.setattr(on_device, "_SLOTS", 1_000_000)


def log(name):
    path = LOGS / name
    if not path.exists():
        pytest.skip(f"the recorded log {path} is not here")
    return path.read_bytes().splitlines(keepends=True)


def encoded(encoder, n, schema_id, values):
    size = encoder.record(schema_id, 1, n, 1, list(values))
    return bytes(encoder.buf[:size])


def noted(encoder, n, targets, report, now_ms):
    """Return a report's bytes and whether it is sent on.

    Of MMSI 0 the device keeps position and name under one key, so there it may differ.
    """
    wanted = targets.wanted(*report, now_ms)
    mmsi = report[1][0 if report[0] == schema.AIS_ATON else 1]
    return encoded(encoder, n, *report), wanted if mmsi else None


def by_the_device(lines, interval_s=60, still_s=600, step_ms=STEP_MS):
    """Return (record bytes, whether it is sent on) of every report, and the counters."""
    assembler, ais = Assembler(), AIS()
    targets, encoder = on_device.Targets(interval_s, still_s), Encoder()
    out = []
    for n, line in enumerate(lines, 1):
        assembler.feed(line, len(line))
        while (sentence := assembler.next_sentence()) is not None:
            ais.take(sentence, n * step_ms)
            while (report := ais.next_report()) is not None:
                if not ais.own:
                    out.append(noted(encoder, n, targets, report, n * step_ms))
        ais.poll(n * step_ms)
    counts = (
        ais.ships,
        ais.statics,
        ais.bases,
        ais.atons,
        ais.others,
        ais.owns,
        ais.bad,
        ais.torn,
    )
    return out, counts


def by_the_gateway(lines, interval_s=60, still_s=600, step_ms=STEP_MS):
    counts = Counts("")
    reader, ais = SentenceReader(counts), AISReader(counts)
    targets, encoder = Targets(interval_s, still_s), Encoder()
    out = []
    for n, line in enumerate(lines, 1):
        for sentence in reader.feed(line, n * step_ms):
            heard = ais.take(sentence, n * step_ms) if is_ais(sentence) else None
            if heard is not None and not heard.own:
                reports = records_of(heard)
                out += [noted(encoder, n, targets, report, n * step_ms) for report in reports]
        ais.expire(n * step_ms)
    found = tuple(ais.totals.get(f"ais-{name}", 0) for name in COUNTERS)
    return out, found


def checked(body):
    return b"!" + body + b"*%02X\r\n" % reduce(xor, body, 0)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("interval_s", "still_s"), [(60, 600), (10, 30)])
def test_a_recorded_log(name, interval_s, still_s):
    lines = log(name)
    lines = lines if len(lines) > 2000 else lines * 3
    ours = by_the_gateway(lines, interval_s, still_s)
    assert ours == by_the_device(lines, interval_s, still_s)
    assert len(ours[0]) > 80


def changed(rng, line):
    """Change characters of a sentence, and give it a right checksum."""
    start, end = line.rfind(b"!"), line.rfind(b"*")
    if start < 0 or end < start + 8:
        return line
    body = bytearray(line[start + 1 : end])
    for _ in range(rng.choice((1, 1, 2))):
        at = rng.randrange(len(body))
        what = rng.random()
        if what < 0.6:
            body[at] = rng.choice(b"0123456789,,,ABw`a x")
        elif what < 0.8:
            del body[at]
        else:
            body.insert(at, rng.choice(b",0159"))
    return checked(bytes(body))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_recorded_log_with_damage_that_has_a_right_checksum(seed):
    rng = random.Random(seed)
    lines = [changed(rng, line) if rng.random() < 0.3 else line for line in log(NAMES[0])]
    ours = by_the_gateway(lines)
    assert ours == by_the_device(lines)
    assert ours[1][6] > 100, "hundreds of damaged ones are refused"


def messages(rng, count):
    """Return sentences with random bits of every type, as no receiver would send them."""
    lines = []
    for n in range(count):
        kind = rng.choice((1, 2, 3, 4, 5, 5, 6, 8, 18, 19, 21, 21, 24, 24, 27, 0, 28, 63))
        length = rng.choice((28, 28, 27, 29, 53, 60, 71, 16))
        body = bytes([ARMOUR[kind]]) + bytes(
            rng.choice(ARMOUR if rng.random() < 0.8 else b"0w") for _ in range(length - 1)
        )
        fill = rng.choice((0, 0, 2, 4))
        talker = rng.choice((b"AIVDM", b"BSVDM", b"ABVDM", b"AIVDO"))
        if length < 40 and rng.random() < 0.9:
            lines.append(checked(talker + b",1,1,,A,%b,%d" % (body, fill)))
        else:
            cut = rng.randrange(5, length - 5)
            parts = [
                checked(talker + b",2,1,%d,B,%b,0" % (n % 10, body[:cut])),
                checked(talker + b",2,2,%d,B,%b,%d" % (n % 10, body[cut:], fill)),
            ]
            if rng.random() < 0.2:
                parts.reverse()
            if rng.random() < 0.1:
                parts.pop()
            lines += parts
    return lines


@pytest.mark.parametrize("seed", SEEDS)
def test_random_bits_of_every_type(seed):
    lines = messages(random.Random(seed), 1500)
    ours = by_the_gateway(lines, 0)
    assert ours == by_the_device(lines, 0)
    assert {row[0][1] for row in ours[0]} == {schema.AIS, schema.AIS_STATIC, schema.AIS_ATON}


def walk(rng):
    """Return reports of ships that sail, stop, swing and drag, as (schema, values, now_ms)."""
    out = []
    ships = [
        {"mmsi": 100 + n, "lat": rng.randrange(-80, 80) * 10**6, "lon": rng.randrange(-170, 170) * 10**6,
         "sog": rng.choice((0, 3, 90, None)), "cog": rng.randrange(3600), "hdg": rng.choice((None, 10)),
         "status": rng.choice((0, 1, 5, 15))}
        for n in range(12)
    ]  # fmt: skip
    for n in range(4000):
        ship = rng.choice(ships)
        what = rng.random()
        if what < 0.1:
            ship["sog"] = rng.choice((0, 4, 5, 14, 15, 60, 200, None))
        elif what < 0.2:
            ship["cog"] = None if what < 0.11 else rng.randrange(3600)
        elif what < 0.25:
            ship["lat"] += rng.randrange(-4000, 4000)
        elif what < 0.27:
            ship["status"] = rng.choice((0, 1, 5, 6, None))
        values = [1, ship["mmsi"], ship["lat"], ship["lon"], ship["sog"], ship["cog"], ship["hdg"],
                  ship["status"], 0, 0, n % 60, 0, None]  # fmt: skip
        kind = schema.AIS
        if what > 0.97:
            kind = schema.AIS_STATIC
            part = rng.choice((None, 0, 1))
            values = [5, ship["mmsi"], part, None, None, rng.choice((b"A", b"B"))] + [None] * 11
        elif what > 0.94:
            kind = schema.AIS_ATON
            values = [990000000 + ship["mmsi"], 1, b"X", None, n, n, 0, rng.randrange(2)]
            values += [0xE0, 0, n % 60] + [None] * 7
        out.append((kind, values, n * 900))
    return out


@pytest.mark.parametrize("seed", SEEDS)
def test_thinning_of_a_day_of_ships(seed):
    ours, device = Targets(60, 600), on_device.Targets(60, 600)
    reports = walk(random.Random(seed))
    assert [ours.wanted(*r) for r in reports] == [device.wanted(*r) for r in reports]
    assert 0.2 < ours.thinned / len(reports) < 0.95
    assert ours.thinned == device.thinned


def test_ships_that_are_remembered_are_bounded(monkeypatch):
    from gateway.inputs.station import targets

    monkeypatch.setattr(targets, "SLOTS", 100)
    some = Targets(60, 600)
    for n in range(1000):
        some.wanted(schema.AIS, [1, n, 0, 0, 90, 0, 0, 0], n)
    assert len(some._sent) + len(some._older) <= 201


def test_messages_in_parts_are_bounded_and_given_up():
    reader = AISReader(Counts(""))
    sentences = SentenceReader(Counts(""))

    def part(channel, sequence, number=1, source=b""):
        body = b"AIVDM,2,%d,%d,%b,55NPrf02?O>uT@=C:20P@u8Hu8000000000,0" % (
            number,
            sequence,
            channel,
        )
        line = b"\\s:%b*%02X\\" % (source, reduce(xor, b"s:" + source, 0)) if source else b""
        (found,) = sentences.feed(line + checked(body), 1_000)
        return found

    for n in range(200):
        reader.take(part(b"A", n % 10, source=b"S%d" % n), 1000)
    assert len(reader._open) == module.OPEN_MAX
    assert reader.totals["ais-torn"] == 200 - module.OPEN_MAX
    reader.expire(1000 + module.EXPIRY_MS + 1)
    assert not reader._open
    assert reader.totals["ais-torn"] == 200
    # Two talkers behind one port use the same number at the same time.
    reader.take(part(b"A", 3, 1, b"EAST"), 5000)
    reader.take(part(b"A", 3, 1, b"WEST"), 5000)
    assert len(reader._open) == 2


def test_the_bounds_are_the_devices():
    from agent.sense import ais_messages, ais_parts

    assert module.PARTS_MAX == ais_parts.PARTS_MAX
    assert module.EXPIRY_MS == ais_parts.EXPIRY_MS
    assert {k: n for k, n in enumerate(ais_messages.BITS_MIN) if n} == module.BITS_MIN
