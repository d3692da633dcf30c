"""Writes the contract down: CDDL (RFC 8610), the tables in docs/wire.md, and the test vectors.

Host only. Everything comes from the schema table and from the codecs themselves; `fairway wire`
writes the files and `fairway wire --check` (part of `make check`) holds them equal.
"""

import json
import re
from pathlib import Path
from typing import Final

from agent.wire import body, codes, decode, messages, schema, vectors, words
from agent.wire.encode import Encoder

_HEADER: Final = """\
; Fairway's wire contract in CDDL (RFC 8610). Generated from the schema table by `fairway wire`.
; The text behind it is docs/wire.md; bytes to test against are in wire-vectors.json.

any-payload = record / state / ack / cmd-up / cmd-dn / ota-up / ota-dn / body

; up/rec: a CBOR sequence (RFC 8742) of records, at most {payload} bytes. A record is at most
; {record} bytes and {items} items, in the one deterministic encoding (RFC 8949, 4.2.1).
record = {names}

boot = 0..{boot}
seq = 0..{seq}
; Seconds since 2020-01-01 UTC; negative: -1 - uptime in seconds, the clock being unset.
t = {tmin}..{tmax}
; What a newer version of a schema adds at its end: kept, whatever it is.
newer = null / -4294967296..4294967295 / bstr .size (0..{bytes})

; up/state, retained, and the will with up = 0. A lower (boot, connection) is ignored.
state = [boot, connection: 0..{boot}, up: 0..1]

; dn/ack: a CBOR sequence of these; exactly the committed ranges.
ack = [boot, first: seq, last: seq]

; up/cmd: the question for the time, the answer to a command, and a nonce.
cmd-up = [1, ask: uint32, uptime-s: 0..{tmax}]
       / [2, id: uint32, result: uint32, detail: bstr .size (0..{detail})]
       / [3, ask: uint32, nonce: bstr .size (0..{nonce}), uptime-s: 0..{tmax}]
; dn/cmd: the time with a fresh boot number for a device that lost its own, a command, the question
; for a nonce, and the request for at most {want} records that are missed. `to` is the first bytes of SHA-256(device). `tag` is HMAC-SHA-256(device key,
; "fw1-cmd" || length of the device id in one byte || device id || the payload up to the tag), cut.
cmd-dn = [1, ask: uint32, t-now: 0..{tmax}, ms: 0..999, fresh-boot: null / boot]
       / [2, id: uint32, to: bstr .size (0..{mark}), verb: uint32,
          until: -4294967296..4294967295, nonce: null / bstr .size (0..{nonce}),
          arguments: bstr .size (0..{args}), tag: bstr .size (0..{tag})]
       / [3, ask: uint32]
       / [4, boot, first: seq, last: seq]

; dn/ota: the offer of an update, and one chunk of it. The manifest's bytes hold `manifest`; the
; signature is Ed25519 by the release key over "fw1-release" || manifest.
ota-dn = [1, image: uint32, size: uint32, manifest: bstr .size (0..{manifest}),
          signature: bstr .size (0..{signature})]
       / [2, image: uint32, index: uint32, data: bstr .size (0..{data})]
; up/ota: how far it is. `state` is a code of birth.update; 0 asks for the offer again. `have` is a
; bitmap of chunks, the first in the lowest bit, while any are missing; else empty.
ota-up = [1, image: uint32, state-of-update: uint32, have: bstr .size (0..{bitmap})]
manifest = [1, version: bstr .size (0..16), rollback: uint32, size: uint32, digest: bstr .size 32,
            profile: uint32, board: bstr .size (0..32), chunk: 64..{data}, abi: uint32]

; POST /api/ingest, gateway to centre.
body = [{version}, gateway: device, entries: [* entry], states: [* presence], counters: [* counter],
        accounts: [* account]]
entry = [device, link: 0..255, received-ms: uint, t-known: null / 0..{tmax}, dated: 0..2,
         record-bytes: bstr .size (1..{record})]
presence = [device, boot, connection: 0..{boot}, up: 0..1, at-ms: uint]
counter = [name: tstr .size (0..64), value: uint]
account = [device, boot, sight: uint, first-ms: uint, last-ms: uint, records: uint, duplicates: uint,
           conflicts: uint, highest: seq, missing: uint, filled: uint, told: uint,
           source: null / uint, uncertainty-ms: null / uint, links: [* heard], gaps: [* open]]
heard = [link: 0..255, last-ms: uint]
open = [first: seq, last: seq]
device = tstr .size (1..32)
uint32 = 0..4294967295
"""


def cddl() -> str:
    """Return config/wire.cddl."""
    rows = [row for row in schema.SCHEMAS if row is not None]
    parts = [
        _HEADER.format(
            names=" / ".join(row[1] for row in rows),
            payload=schema.PAYLOAD_MAX,
            record=schema.RECORD_MAX,
            items=schema.ITEMS_MAX,
            boot=schema.BOOT_MAX,
            seq=schema.SEQ_MAX,
            tmin=schema.T_MIN,
            tmax=schema.T_MAX,
            bytes=schema.BYTES_MAX,
            want=messages.WANT_MAX,
            args=messages.ARGUMENTS_MAX,
            detail=messages.DETAIL_MAX,
            mark=messages.MARK,
            nonce=messages.NONCE_MAX,
            tag=messages.TAG_MAX,
            manifest=messages.MANIFEST_MAX,
            signature=messages.SIGNATURE_MAX,
            data=messages.DATA_MAX,
            bitmap=messages.BITMAP_MAX,
            version=body.VERSION,
        )
    ]
    for schema_id, name, _, fields in rows:
        # Nested, because an item that is out of its range must not be taken for the next field.
        lines = [f"\n{name} = [{schema_id}, boot, seq, t,"]
        for field, unit, _, low, high in fields:
            size = f"bstr .size ({low}..{high})" if unit == "bytes" else f"{low}..{high}"
            lines.append(f"  ? ({field}: null / {size},")
        lines.append("  * newer" + ")" * len(fields) + "]")
        parts.append("\n".join(lines) + "\n")
    return "".join(parts)


def table() -> str:
    """Return the Markdown tables of docs/wire.md, one per schema."""
    texts = _comments()
    kinds = {schema.SERIES: "time series", schema.EVENT: "event"}
    parts = []
    for row in schema.SCHEMAS[1:]:
        schema_id, name, kind, fields = row
        size = longest(schema_id)
        parts.append(f"\n### {schema_id} `{name}` ({kinds[kind]}, at most {size} bytes)\n\n")
        parts.append("| # | field | unit | one count is | range | meaning |\n")
        parts.append("|---|---|---|---|---|---|\n")
        for n, (field, unit, exponent, low, high) in enumerate(fields, schema.HEAD_ITEMS):
            step = {"bytes": "", "bits": "", "code": ""}.get(unit, _step(exponent))
            limits = f"{low} to {high}" + (" bytes" if unit == "bytes" else "")
            text = texts[name, field]
            parts.append(f"| {n} | `{field}` | {unit} | {step} | {limits} | {text} |\n")
    parts.append("\n### Codes\n\n| where | code | meaning |\n|---|---|---|\n")
    coded = {f"`{field}`": names for field, names in words.FIELDS.items()}
    coded |= {"`cmd` verb": words.VERBS, "`cmd` result": words.RESULTS}
    coded |= {"entry `link`": body.LINKS, "entry `dated`": body.DATED}
    for where, names in coded.items():
        parts.extend(f"| {where} | {code} | {text} |\n" for code, text in names.items())
    for where, flags in words.FLAGS.items():
        parts.extend(
            f"| `{where}.flags` | bit {n}, known by bit {n + codes.KNOWN_SHIFT} | {text} |\n"
            for n, text in enumerate(flags)
        )
    parts.append("\n### What a decoder refuses\n\n| name | meaning |\n|---|---|\n")
    parts.extend(f"| `{code}` | {text} |\n" for code, text in decode.CODES.items())
    return "".join(parts)


def longest(schema_id: int) -> int:
    """Return the most bytes a record of this schema can have."""
    fields = schema.SCHEMAS[schema_id][3]
    values = [widest(field) for field in fields]
    return Encoder().record(schema_id, schema.BOOT_MAX, schema.SEQ_MAX, schema.T_MIN, values)


def widest(field: vectors.Field) -> vectors.Value:
    """Return the value of a field that takes the most bytes."""
    by_high = field[1] == "bytes" or field[4] > -field[3]
    return vectors.edge(field, field[4] if by_high else field[3])


def files(root: Path) -> dict[Path, str]:
    """Return every generated file below the repository's root with its content."""
    page = root / "docs" / "wire.md"
    head, _, rest = page.read_text("utf-8").partition(_BEGIN)
    _, _, tail = rest.partition(_END)
    rows = ",\n".join(" " + json.dumps(vector) for vector in vectors.every())
    return {
        root / "config" / "wire.cddl": cddl(),
        root / "config" / "wire-vectors.json": f"[\n{rows}\n]\n",
        page: f"{head}{_BEGIN}\n{table()}\n{_END}{tail}",
    }


_BEGIN: Final = "<!-- generated by `fairway wire` from here -->"
_END: Final = "<!-- to here -->"


def _step(exponent: int) -> str:
    return "1" if exponent == 0 else f"10{'⁻' if exponent < 0 else ''}{_SUPER[abs(exponent)]}"


_ROW: Final = re.compile(r'    \(\d+, "([a-z-]+)", (?:SERIES|EVENT), \($')
_FIELD: Final = re.compile(r'        \("(\w+)", .*\),  # (.+)$')
_SUPER: Final = "⁰¹²³⁴⁵⁶⁷⁸⁹"


def _comments() -> dict[tuple[str, str], str]:
    """Return the comment behind each field of the table, by schema and field name."""
    texts: dict[tuple[str, str], str] = {}
    name = ""
    for line in Path(schema.__file__).read_text("utf-8").splitlines():
        if row := _ROW.match(line):
            name = row[1]
        elif field := _FIELD.match(line):
            texts[name, field[1]] = field[2]
    return texts
