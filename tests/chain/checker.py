"""Counts what was lost, doubled or altered between the devices' ledgers and the stores.

    ledger = read(load.ledgers)
    verdict = compare(ledger, "http://127.0.0.1:8428", folder / "centre")
    assert verdict.clean, verdict

Independent of the gateway and the centre: the ledger's bytes are decoded with cbor2 alone, the time
of a point is worked out here after docs/wire.md, VictoriaMetrics is asked by export and the centre's
events are read from its file. Every field of every point is compared, because a store that was killed
can lose one field of a point and keep another.
"""

import json
import sqlite3
import subprocess
import sys
import urllib.parse
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import cbor2

from agent.wire import schema
from tests.chain.processes import get

EPOCH_2020 = 1_577_836_800
EXAMPLES = 5


@dataclass
class Verdict:
    """What was found; `clean` when every record is in its store once, as it was made."""

    series: int = 0
    events: int = 0
    lost: int = 0
    doubled: int = 0
    altered: int = 0
    strange: int = 0  # in a store, and never made
    examples: list = field(default_factory=list)

    @property
    def clean(self):
        return not (self.lost or self.doubled or self.altered or self.strange)

    def note(self, what, example):
        setattr(self, what, getattr(self, what) + 1)
        if len(self.examples) < EXAMPLES:
            self.examples.append((what, example))


def read(paths):
    """Return {device: {(boot, seq): bytes}} of ledgers; an identity used twice is the test's fault."""
    out = {}
    for path in paths:
        for line in path.read_bytes().splitlines():
            device, boot, seq, text = line.split(b" ")
            records = out.setdefault(device.decode(), {})
            key = (int(boot), int(seq))
            assert key not in records, f"{path}: {device} used {key} twice"
            records[key] = bytes.fromhex(text.decode())
    return out


def size(ledger):
    """Return how many records it has."""
    return sum(map(len, ledger.values()))


def is_series(raw):
    """Return whether a record belongs in the time series (else it is an event, for the centre)."""
    return schema.SCHEMAS[cbor2.loads(raw)[0]][2] == schema.SERIES


def compare(ledger, store, centre=None):
    """Hold the stores against a ledger; without `centre` only the series are looked at.

    `store` is a VictoriaMetrics' address, or the folder of SQLite series.
    """
    verdict = Verdict()
    if centre is not None:
        _compare_events(ledger, centre, verdict)
    if not isinstance(store, Path):
        get(f"{store}/internal/force_flush")
    for device, records in ledger.items():
        look = rows if isinstance(store, Path) else points
        _compare_series(device, records, look(store, device), verdict)
    return verdict


def count(url, expected):
    """Return whether a VictoriaMetrics has at least so many points, by a look that costs little."""
    query = urllib.parse.urlencode(
        {"query": 'sum(count_over_time({__name__=~".*_seq"}[1h]))', "nocache": "1"}
    )
    try:
        get(f"{url}/internal/force_flush")
        (found,) = json.loads(get(f"{url}/api/v1/query?{query}"))["data"]["result"] or [None]
    except OSError:
        return False  # it is starting
    return found is not None and int(found["value"][1]) >= expected


def points(url, device):
    """Return {(table, ms): {field: [value, …]}} of a device in VictoriaMetrics."""
    query = urllib.parse.urlencode({"match[]": f'{{device="{device}"}}'})
    out = {}
    for line in get(f"{url}/api/v1/export?{query}").splitlines():
        series = json.loads(line)
        table, _, name = series["metric"]["__name__"].partition("_")
        for ms, value in zip(series["timestamps"], series["values"], strict=True):
            out.setdefault((table, ms), {}).setdefault(name, []).append(value)
    return out


def counters(config):
    """Return what `fairway gateway accounts` counts, by name."""
    command = [sys.executable, "-m", "toolkit", "gateway", "accounts", "--config", str(config)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return {
        name: int(value)
        for name, colon, value in (line.partition(": ") for line in said.splitlines())
        if colon and " " not in name and value.isdecimal()
    }


def rows(folder, device):
    """Return the same of a folder of SQLite series."""
    out = {}
    for month in folder.glob("*.sqlite"):
        db = sqlite3.connect(f"file:{month}?mode=ro", uri=True)
        db.row_factory = sqlite3.Row
        for row in schema.SCHEMAS[1:]:
            table = row[1].replace("-", "_")
            if not db.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table,)).fetchone():
                continue
            query = f'SELECT * FROM "{table}" JOIN devices USING (dev) WHERE devices.name = ?'
            for found in db.execute(query, (device,)):
                point = out.setdefault((table, found["ts"]), {})
                for name in set(found.keys()) - {"dev", "name", "ts", "newer"}:
                    if found[name] is not None:
                        point.setdefault(name, []).append(found[name])
        db.close()
    return out


def _compare_series(device, records, found, verdict):
    epochs = {
        boot: items[3] - items[4]
        for (boot, _), raw in records.items()
        if (items := cbor2.loads(raw))[0] == schema.CLOCK
    }
    for (boot, seq), raw in records.items():
        which, _, _, t, *values = cbor2.loads(raw)
        _, table, kind, fields = schema.SCHEMAS[which]
        if kind != schema.SERIES:
            continue
        verdict.series += 1
        dated = 0
        if t < 0:
            t, dated = epochs[boot] - 1 - t, 1
        point = found.pop((table, (t + EPOCH_2020) * 1000 + seq % 1000), None)
        if point is None:
            verdict.note("lost", (device, boot, seq))
            continue
        expected = {"boot": boot, "seq": seq} | ({"dated": dated} if dated else {})
        expected |= {
            name: value
            for (name, *_), value in zip(fields, values, strict=False)
            if value is not None
        }
        if any(len(stored) > 1 for stored in point.values()):
            verdict.note("doubled", (device, boot, seq))
        told = {name: stored[0] for name, stored in point.items()}
        if not told.get("dated"):
            told.pop("dated", None)  # SQLite writes it, VictoriaMetrics is not told
        if told != expected:
            verdict.note("altered", (device, boot, seq, expected, point))
    for at, point in found.items():
        identity = (int(point.get("boot", [-1])[0]), int(point.get("seq", [-1])[0]))
        verdict.note("doubled" if identity in records else "strange", (device, at, identity))


def _compare_events(ledger, folder, verdict):
    db = sqlite3.connect(f"file:{folder / 'centre.sqlite'}?mode=ro", uri=True)
    stored = {}
    counts = Counter()
    for device, boot, seq, raw in db.execute("SELECT device, boot, seq, record FROM events"):
        counts[device, boot, seq] += 1
        stored[device, boot, seq] = raw
    for table in ("conflicts", "refused"):
        (rows,) = db.execute(f"SELECT count(*) FROM {table}").fetchone()
        if rows:
            verdict.note("strange", (table, rows))
    db.close()
    for device, records in ledger.items():
        for (boot, seq), raw in records.items():
            if is_series(raw):
                continue
            verdict.events += 1
            identity = (device, boot, seq)
            if identity not in stored:
                verdict.note("lost", identity)
                continue
            if counts.pop(identity) > 1:
                verdict.note("doubled", identity)
            if stored[identity] != raw:
                verdict.note("altered", identity)
    for identity in counts:
        verdict.note("strange", identity)
