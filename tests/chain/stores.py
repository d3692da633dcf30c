"""An independent look into the stores: which identities are there, and how often."""

import json
import sqlite3
import urllib.parse
from collections import Counter
from pathlib import Path

from tests.chain.processes import get

Identity = tuple[str, int, int]


def sqlite_series(path: Path) -> Counter[Identity]:
    """Count the identities in every table of every month in a series folder."""
    found: Counter[Identity] = Counter()
    for month in path.glob("*.sqlite"):
        db = sqlite3.connect(f"file:{month}?mode=ro", uri=True)
        master = db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'")
        for table in [name for name, sql in master.fetchall() if "seq" in sql]:
            query = f'SELECT name, boot, seq FROM "{table}" JOIN devices USING (dev)'
            found.update(db.execute(query).fetchall())
        db.close()
    return found


def victoria_series(url: str) -> Counter[Identity]:
    """Count the identities in VictoriaMetrics: the points of every *_boot and *_seq."""
    get(f"{url}/internal/force_flush")
    query = urllib.parse.urlencode({"match[]": '{__name__=~".*_(boot|seq)"}'})
    boots: dict[tuple[str, str, int], list[int]] = {}
    seqs: dict[tuple[str, str, int], list[int]] = {}
    for line in get(f"{url}/api/v1/export?{query}").splitlines():
        series = json.loads(line)
        name, _, field = series["metric"]["__name__"].rpartition("_")
        into = boots if field == "boot" else seqs
        for at, value in zip(series["timestamps"], series["values"], strict=True):
            into.setdefault((name, series["metric"]["device"], at), []).append(int(value))
    found: Counter[Identity] = Counter()
    for (name, device, at), values in seqs.items():
        for boot, seq in zip(boots[name, device, at], values, strict=True):
            found[device, boot, seq] += 1
    return found


def centre_events(folder: Path) -> Counter[Identity]:
    """Count the identities of the centre's events."""
    db = sqlite3.connect(f"file:{folder / 'centre.sqlite'}?mode=ro", uri=True)
    rows = db.execute("SELECT device, boot, seq FROM events").fetchall()
    db.close()
    return Counter(rows)
