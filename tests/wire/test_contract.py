"""The generated files: CDDL against encoded bytes, vectors against the codecs, sizes."""

import functools
import json
import re
from pathlib import Path

import cbor2
import pycddl
import pytest

from agent.wire import body, decode, document, frame, manifest, messages, schema, vectors
from agent.wire.read import Reader

ROOT = Path(__file__).parents[2]
VECTORS = json.loads((ROOT / "config" / "wire-vectors.json").read_text("utf-8"))
FRAMES = [v for v in VECTORS if v["kind"] == "beidou-frame"]
GOOD = [v for v in VECTORS if "means" in v and v not in FRAMES]


@functools.cache
def rule(name: str) -> pycddl.Schema:
    """The contract with `name` as its first rule, which is the one that pycddl checks.

    pycddl 0.6 reads no range that begins below zero (the lower ends are held by the decoder's tests)
    and no optional items in arrays: those are written out, one choice for each length. It also takes
    text for bytes of that length, and bytes for a number.
    """
    text = (ROOT / "config" / "wire.cddl").read_text("utf-8")
    pycddl.Schema(text)
    text = re.sub(r"-\d+\.\.(\d+)", r"(0..\1) / (int .lt 0)", text)
    text = re.sub(
        r"^([a-z-]+) = \[(.*),\n((?:  \? \(.*\n)+)  \* newer\)+\]",
        lengths,
        text,
        flags=re.MULTILINE,
    )
    assert "?" not in text
    return pycddl.Schema(f"start = {name}\n{text}")


def lengths(match: re.Match[str]) -> str:
    name, head, optional = match.groups()
    fields = [line.strip().removeprefix("? (").removesuffix(",") for line in optional.splitlines()]
    items = [head, *fields, "newer"]
    choices = ["[" + ", ".join(items[:n]) + "]" for n in range(1, len(items) + 1)]
    return f"{name} = " + "\n  / ".join(choices)


def test_generated_files_are_up_to_date():
    for path, text in document.files(ROOT).items():
        assert path.read_text("utf-8") == text, f"run `make wire`: {path.name}"


def test_sizes(capsys):
    with capsys.disabled():
        print(
            "\nlongest record of each schema, in bytes (limit 240; beacon <= 45 with boot <= 65,535):"
        )
        for row in schema.SCHEMAS[1:]:
            print(f"  {row[1]:14} {document.longest(row[0]):4}")
            assert document.longest(row[0]) <= schema.RECORD_MAX


@pytest.mark.parametrize("vector", FRAMES, ids=lambda v: v["name"])
def test_frames_of_the_vectors_are_read(vector):
    means = vector["means"]
    content, key = bytes.fromhex(vector["hex"]), bytes.fromhex(means["key"])
    direction = means["direction"].encode()
    kind, body = frame.read_frame(content, key, direction, means["device"])
    assert (kind, bytes(body).hex()) == (means["kind"], means["body"])
    wrong = bytes([*content[:-1], content[-1] ^ 1])
    with pytest.raises(frame.FrameError):
        frame.read_frame(wrong, key, direction, means["device"])


@pytest.mark.parametrize("vector", GOOD, ids=lambda v: v["name"])
def test_good_vectors_follow_the_cddl(vector):
    raw = bytes.fromhex(vector["hex"])
    if vector["name"] == "clock, two newer fields":
        raw = cbor2.dumps(vector["means"][:-1])  # pycddl takes `* newer` for one item
    if vector["name"] == "a schema of the future":
        with pytest.raises(pycddl.ValidationError):
            rule("record").validate_cbor(raw)
        return
    kind = rule(vector["kind"])
    for item in vector["means"] if vector["kind"] == "ack" else [None]:
        kind.validate_cbor(raw if item is None else cbor2.dumps(item))


@pytest.mark.parametrize("row", schema.SCHEMAS[1:], ids=lambda row: row[1])
def test_the_cddl_refuses_each_field_beyond_its_range(row):
    kind = rule(row[1])
    head = [row[0], 1, 2, 3]
    kind.validate_cbor(cbor2.dumps(head))
    for n, (_, unit, _, _, high) in enumerate(row[3]):
        text = unit == "bytes"
        for wrong in (bytes(high + 1), high + 1000) if text else (high + 1, "text"):
            with pytest.raises(pycddl.ValidationError):
                kind.validate_cbor(cbor2.dumps([*head, *[None] * n, wrong]))


@pytest.mark.parametrize(
    "vector", [v for v in VECTORS if v not in FRAMES], ids=lambda v: v["name"]
)
def test_vectors_are_what_our_own_codecs_say(vector):
    raw = bytes.fromhex(vector["hex"])
    if "refused" in vector:
        assert decode.sequence(raw)[0].error.code == vector["refused"]
        return
    read = {
        "record": lambda: decode.one(raw).items,
        "state": lambda: list(messages.read_state(raw)),
        "ack": lambda: acks(raw),
        "cmd-up": lambda: list(messages.read_cmd_up(raw)),
        "cmd-dn": lambda: list(messages.read_cmd_down(raw, 0, len(raw))),
        "ota-up": lambda: [messages.OFFER, *messages.read_ota_up(raw)],
        "ota-dn": lambda: list(messages.read_ota_down(raw, 0, len(raw))),
        "manifest": lambda: [1, *manifest.read(raw)],
        "body": lambda: cbor2.loads(body.encode(body.decode(raw))),
    }[vector["kind"]]()
    assert vectors._plain(read) == vector["means"]


def acks(raw: bytes) -> list[list[int]]:
    reader = Reader(raw, 0, len(raw))
    out = []
    while not reader.at_end():
        out.append(list(messages.read_ack(reader)))
    return out


BODY = {
    "too-long": bytes(body.BODY_MAX + 1),
    "malformed": b"\x85\x01",
    "version": cbor2.dumps([2, "gw", [], [], []]),
    "type": cbor2.dumps([1, "GW!", [], [], []]),
    "range": cbor2.dumps([1, "gw", [["buoy-1", 1, 1, None, 0, b"\x80"]], [], []]),
}
ACCOUNT = ["buoy-1", 12, 3, 100, 200, 70, 2, 0, 77, 3, 1, 5, 1, 500, [[1, 200]], [[4, 5], [9, 9]]]


def test_a_body_without_accounts_is_read():
    assert body.decode(cbor2.dumps([1, "gw", [], [], []])) == body.Body("gw", [], [], {}, [])


def test_an_account_is_read():
    read = body.decode(cbor2.dumps([1, "gw", [], [], [], [ACCOUNT]])).accounts
    assert read == [body.Account(*ACCOUNT[:14], [(1, 200)], [(4, 5), (9, 9)])]


@pytest.mark.parametrize(
    ("n", "value"),
    [
        (0, "BUOY"),
        (1, None),
        (2, -1),
        (4, 1 << 44),
        (5, schema.SEQ_MAX + 2),
        (8, schema.SEQ_MAX + 1),
        (12, "gnss"),
        (13, -1),
        (14, [[256, 1]]),
        (14, [[1, 200]] * (body.LINKS_MAX + 1)),
        (14, [[1]]),
        (15, [[5, 4]]),
        (15, [[1, 1]] * (body.GAPS_MAX + 1)),
        (15, [[[[[[1]]]]]]),
        (15, None),
    ],
)
def test_accounts_that_are_refused(n, value):
    wrong = [*ACCOUNT[:n], value, *ACCOUNT[n + 1 :]]
    with pytest.raises(body.BodyError):
        body.decode(cbor2.dumps([1, "gw", [], [], [], [wrong]]))


@pytest.mark.parametrize(
    ("first", "last", "code"),
    [(5, 4, "range"), (0, messages.WANT_MAX, "range"), (0, schema.SEQ_MAX + 1, "range")],
)
def test_a_wish_beyond_its_bounds_is_refused(first, last, code):
    raw = vectors.written(messages.put_want, 12, first, last)
    with pytest.raises(messages.MessageError) as caught:
        messages.read_cmd_down(raw, 0, len(raw))
    assert caught.value.code == code


def test_the_longest_wish_is_read():
    raw = vectors.written(messages.put_want, 12, 1, messages.WANT_MAX)
    assert messages.read_cmd_down(raw, 0, len(raw)) == (messages.WANT, 12, 1, messages.WANT_MAX)


@pytest.mark.parametrize("code", BODY)
def test_each_refused_body_has_its_name(code):
    with pytest.raises(body.BodyError) as caught:
        body.decode(BODY[code])
    assert caught.value.code == code


@pytest.mark.parametrize(
    "raw",
    [
        cbor2.dumps([1, "gw", [], []]),
        cbor2.dumps([1, "gw", {}, [], []]),
        cbor2.dumps([1, "gw", [["buoy-1", 1, 1, 1, 0, b""]], [], []]),
        cbor2.dumps([1, "gw", [["buoy-1", 1, 1, 1, 0, bytes(241)]], [], []]),
        cbor2.dumps([1, "gw", [["buoy-1", 1, -1, 1, 0, b"\x80"]], [], []]),
        cbor2.dumps([1, "gw", [], [["buoy-1", 1, 1, 2, 0]], []]),
        cbor2.dumps([1, "gw", [], [], [["a", -1]]]),
        cbor2.dumps([1, "gw", [], [], [[b"a", 1]]]),
        b"\x9f\x01\xff",
    ],
)
def test_bodies_that_are_refused(raw):
    with pytest.raises(body.BodyError):
        body.decode(raw)
