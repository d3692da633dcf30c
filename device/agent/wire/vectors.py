"""Test vectors: good bytes with their meaning, bad bytes with the name of what is wrong. Host only.

They are written to config/wire-vectors.json for whoever builds another encoder or decoder.
"""

from collections.abc import Callable

import cbor2

from agent.wire import body, codes, frame, messages, schema
from agent.wire.encode import Encoder
from agent.wire.release import Facts, manifest

Value = int | bytes | None
Field = tuple[str, str, int, int, int]
Vector = dict[str, object]

# Who the vectors' commands are for.
VECTOR_DEVICE = "buoy-1"
VECTOR_KEY = bytes(range(32))

# One payload for each code that the record decoder finds in bytes alone.
REFUSED: dict[str, bytes] = {
    "empty": b"",
    "payload-too-long": bytes(schema.PAYLOAD_MAX + 1),
    "record-too-long": bytes.fromhex("8c01020304") + (b"\x58\x20" + bytes(32)) * 8,
    "truncated": bytes.fromhex("8401020319"),
    "malformed": bytes.fromhex("840102031c"),
    "not-an-array": bytes.fromhex("05"),
    "too-few-items": bytes.fromhex("83010203"),
    "too-many-items": bytes.fromhex("9831") + bytes([1]) * 49,
    "too-deep": bytes.fromhex("85010203048101"),
    "indefinite-length": bytes.fromhex("9f01020304ff"),
    "not-shortest": bytes.fromhex("840102180304"),
    "integer-range": bytes.fromhex("85010203041b0000000100000000"),
    "bytes-too-long": bytes.fromhex("85010203045821") + bytes(33),
    "text": bytes.fromhex("85010203046161"),
    "map": bytes.fromhex("8501020304a10102"),
    "duplicate-keys": bytes.fromhex("8501020304a201020102"),
    "tag": bytes.fromhex("8501020304c24105"),
    "float": bytes.fromhex("8501020304f93c00"),
    "nan": bytes.fromhex("8501020304f97e00"),
    "simple": bytes.fromhex("8501020304f5"),
}


def every() -> list[Vector]:
    """Return all vectors: name, kind of payload, hex, and `means` or `refused`."""
    out = [
        _vector(f"{row[1]}, {case}", "record", written_record(row[0], values))
        for row in schema.SCHEMAS[1:]
        for case, values in cases(row[3]).items()
    ]
    out.append(
        _vector(
            "beacon, before its clock was set",
            "record",
            written_record(schema.BEACON, [0x0101, 31234567, 122345678], t=-13),
        )
    )
    newer = cbor2.loads(written_record(schema.CLOCK, [42, codes.CLOCK_GNSS, 500, 0]))
    out.append(_vector("clock, two newer fields", "record", cbor2.dumps([*newer, 99, b"new"])))
    out.append(_vector("a schema of the future", "record", cbor2.dumps([999, 7, 8, 9, 10])))
    out.extend(_vector(name, kind, raw) for name, kind, raw in _messages())
    out.append(_vector("a delivery to the centre", "body", body.encode(_delivery())))
    out.extend(_frames())
    out.extend(
        {"name": f"refused: {code}", "kind": "record", "hex": raw.hex(), "refused": code}
        for code, raw in REFUSED.items()
    )
    return out


def cases(fields: tuple[Field, ...]) -> dict[str, list[Value]]:
    """Return the values of a schema's corner cases by name."""
    return {
        "lowest": [edge(field, field[3]) for field in fields],
        "highest": [edge(field, field[4]) for field in fields],
        "first field only": [edge(fields[0], fields[0][3])],
        "last field only": [*[None] * (len(fields) - 1), edge(fields[-1], fields[-1][4])],
        "nothing measured": [],
    }


def edge(field: Field, limit: int) -> Value:
    """Return the value of a field at one limit of its range."""
    return bytes(range(0x41, 0x41 + limit)) if field[1] == "bytes" else limit


def written_record(
    schema_id: int, values: list[Value], boot: int = 65535, seq: int = 100000, t: int = 217000000
) -> bytes:
    """Return one record's bytes."""
    encoder = Encoder()
    n = encoder.record(schema_id, boot, seq, t, values)
    return bytes(encoder.buf[:n])


def written(put: Callable[..., int], *items: object) -> bytes:
    """Return what one of the `messages.put_` functions writes."""
    buf = bytearray(schema.PAYLOAD_MAX)
    n = put(buf, *items)
    return bytes(buf[:n])


def signed_command(
    command: int,
    verb: int,
    until: int,
    nonce: bytes | None,
    arguments: bytes,
    size: int = messages.TAG_MIN,
) -> bytes:
    """Return a command for VECTOR_DEVICE, signed with VECTOR_KEY."""
    m = messages
    mark = m.mark(VECTOR_DEVICE)
    unsigned = written(m.put_do, command, mark, verb, until, nonce, arguments, bytes(size))
    part = unsigned[: m.signed_end(len(unsigned), bytes(size))]
    tag = m.command_tag(VECTOR_KEY, VECTOR_DEVICE, part)[:size]
    return written(m.put_do, command, mark, verb, until, nonce, arguments, tag)


def _messages() -> list[tuple[str, str, bytes]]:
    m = messages
    two = written(m.put_ack, 0, 11, 0, 0) + written(m.put_ack, 0, 12, 0, schema.SEQ_MAX)
    fresh = written(m.put_clock_tell, 1, 217000000, 0, 4096)
    nonce = bytes(range(0xA0, 0xA8))
    command = signed_command(9, m.REPORT, 217000600, None, b"")
    by_uptime = signed_command(10, m.LAMP_MODE, -3601, nonce, b"\x82\x01\x18\x3c")
    whole_tag = signed_command(11, m.LAMP_TEST, 217000600, None, b"\x81\x0a", m.TAG_MAX)
    answer = written(m.put_done, 9, m.RESULT_UNSUPPORTED, b"")
    digest = bytes(range(32))
    facts = Facts(b"0.2.0", 4, 61440, digest, codes.PROFILE_BEACON, b"virtual", 1024, 6)
    signed = manifest(facts)
    offer = written(m.put_ota_offer, 5, 61440, signed, bytes(64))
    receiving = written(m.put_ota_report, 5, codes.UPDATE_RECEIVING, b"\x0b")
    return [
        ("connected", "state", written(m.put_state, 12, 3, codes.STATE_UP)),
        ("the will", "state", written(m.put_state, 12, 3, codes.STATE_LOST)),
        ("one range", "ack", written(m.put_ack, 0, 12, 40, 77)),
        ("two boots", "ack", two),
        ("what time is it", "cmd-up", written(m.put_clock_ask, 1, 42)),
        ("the time", "cmd-dn", written(m.put_clock_tell, 1, 217000000, 250, None)),
        ("the time, and a fresh boot number", "cmd-dn", fresh),
        ("a command", "cmd-dn", command),
        ("a command that ends by uptime", "cmd-dn", by_uptime),
        ("a command with its whole tag", "cmd-dn", whole_tag),
        ("give me a nonce", "cmd-dn", written(m.put_nonce_ask, 77)),
        ("send these again", "cmd-dn", written(m.put_want, 12, 40, 77)),
        ("a nonce", "cmd-up", written(m.put_nonce, 77, nonce, 3000)),
        ("the answer to a command", "cmd-up", answer),
        ("an update is offered", "ota-dn", offer),
        ("what a release says of itself", "manifest", signed),
        ("one chunk", "ota-dn", written(m.put_ota_chunk, 5, 3, b"code")),
        ("chunks 0, 1 and 3 have come", "ota-up", receiving),
        ("it is confirmed", "ota-up", written(m.put_ota_report, 5, codes.UPDATE_CONFIRMED, b"")),
    ]


def _delivery() -> body.Body:
    record = written_record(schema.CLOCK, [42, codes.CLOCK_GNSS, 500], boot=12, seq=1)
    entry = body.Entry("buoy-1", body.LINK_MQTT, 1794835200123, 217000000, 0, record)
    state = body.State("buoy-1", 12, 3, codes.STATE_UP, 1794835200100)
    account = body.Account(
        "buoy-1",
        12,
        sight=3,
        first_ms=1794835100000,
        last_ms=1794835200123,
        records=70,
        duplicates=2,
        conflicts=0,
        highest=77,
        missing=3,
        filled=1,
        told=5,
        source=codes.CLOCK_GNSS,
        uncertainty_ms=500,
        links=[(body.LINK_MQTT, 1794835200123), (body.LINK_BEIDOU, 1794835190000)],
        gaps=[(4, 5), (9, 9)],
    )
    return body.Body("gateway-1", [entry], [state], {"dead_letters": 0}, [account])


def _frames() -> list[Vector]:
    """BeiDou short messages: no CBOR around the body, so the CDDL does not know them (`wire.frame`)."""
    alarm = written_record(schema.ALARM, [codes.ALARM_BATTERY_LOW, 1, 10900, 11000])
    ack = written(messages.put_ack, 0, 12, 3, 7)
    cases = (
        ("an alarm by BeiDou", frame.UP, frame.RECORDS, alarm),
        ("an acknowledgement by BeiDou", frame.DOWN, frame.ACK, ack),
    )
    out: list[Vector] = []
    for name, direction, kind, inner in cases:
        buf = bytearray(frame.FRAME_MAX)
        n = frame.put_frame(
            buf, VECTOR_KEY, direction, VECTOR_DEVICE, kind, bytearray(inner), len(inner)
        )
        means = {
            "key": VECTOR_KEY.hex(),
            "direction": direction.decode(),
            "device": VECTOR_DEVICE,
            "kind": kind,
            "body": inner.hex(),
        }
        out.append({"name": name, "kind": "beidou-frame", "hex": buf[:n].hex(), "means": means})
    return out


def _vector(name: str, kind: str, raw: bytes) -> Vector:
    stream = []
    rest = raw
    while rest:
        item = cbor2.loads(rest)
        stream.append(item)
        rest = rest[len(cbor2.dumps(item, canonical=kind == "body")) :]
    means = stream if kind == "ack" else stream[0]
    return {"name": name, "kind": kind, "hex": raw.hex(), "means": _plain(means)}


def _plain(item: object) -> object:
    """Return an item with its byte strings as {"hex": …}, for JSON."""
    if isinstance(item, bytes):
        return {"hex": item.hex()}
    if isinstance(item, list):
        return [_plain(i) for i in item]
    return item
