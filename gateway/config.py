"""The gateway's configuration: one TOML file, and the environment or files for secrets.

docs/gateway.md lists the keys; config/demo/gateway.toml is an example. Relative paths are relative
to the file.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agent.wire.messages import valid_device
from gateway import keys
from toolkit.settings import Settings, Table

_SERIES: Final = r"sqlite:.+|https?://[^\s?#]+"
_SERIES_ALLOWED: Final = "sqlite:PATH, or http://HOST:PORT of a VictoriaMetrics or InfluxDB 2"
_URL: Final = r"https?://[^\s?#]+"
_PORT: Final = r"/\S+|COM\d+|socket://\S+:\d+"
_PORT_ALLOWED: Final = "a serial port, as /dev/ttyUSB0, or socket://HOST:PORT"
_CARD_MAX: Final = 0xFFFFFE  # 24 bits in the binary dialect


@dataclass(frozen=True, slots=True)
class Broker:
    """Where the MQTT broker is, and who we are to it."""

    host: str
    port: int
    user: str
    password: str
    keepalive_s: int
    shards: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Series:
    """The time-series store: `url` is sqlite:PATH or an address; the rest is for InfluxDB."""

    url: str
    org: str
    bucket: str
    token: str


@dataclass(frozen=True, slots=True)
class Centre:
    """The monitoring centre; no `url`, no centre."""

    url: str
    token: str


@dataclass(frozen=True, slots=True)
class BeiDou:
    """The command terminal for short messages; no `port`, no terminal.

    `cards` has a device for every card number, `keys` the key of each of these devices.
    """

    port: str
    baud: int
    gather_s: int
    cards: Mapping[int, str]
    keys: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that can be set. `keys` is the file that commands are signed from."""

    name: str
    data: Path
    keys: Path
    broker: Broker
    batch: int
    linger_ms: int
    queue: int
    undated_days: int
    keep_days: int
    series: Series
    centre: Centre
    beidou: BeiDou


def load(path: Path, environ: Mapping[str, str], data: Path | None = None) -> Config:
    """Read the configuration; `data` (the command line's) goes before the file's.

    Raises:
        SettingsError: every problem, with file, line, key, value and what is allowed.
    """
    settings = Settings(path)
    root, base = settings.root, path.parent
    in_file = base / root.string("data", default="data", allowed="a folder")
    data = in_file if data is None else data
    name = root.string("name", default="gateway-1")
    if not valid_device(name):
        root.problem("name", f"is {name!r}; allowed: a-z, 0-9 and -, 1 to 32 characters")
    keys_file = root.string("keys_file", default="", allowed="the file with the devices' keys")
    keys_path = base / keys_file if keys_file else data / "keys.toml"
    commit, keep = root.table("commit"), root.table("keep")
    config = Config(
        name=name,
        data=data,
        keys=keys_path,
        broker=_broker(root.table("broker"), base, environ),
        batch=commit.integer("batch", low=1, high=10_000, default=500),
        linger_ms=commit.integer("linger_ms", low=0, high=1000, default=5),
        queue=commit.integer("queue", low=1, high=1_000_000, default=5000),
        undated_days=keep.integer("undated_days", low=1, high=365, default=30),
        keep_days=keep.integer("journal_days", low=1, high=3650, default=30),
        series=_series(root.table("series"), base, data, environ),
        centre=_centre(root.table("centre"), base, environ),
        beidou=_beidou(root.table("beidou"), keys_path),
    )
    commit.finish()
    keep.finish()
    root.finish()
    settings.finish()
    return config


def _broker(table: Table, base: Path, environ: Mapping[str, str]) -> Broker:
    shards = table.string("shards", default="+", allowed="+ or two-digit hex shards, as in 00,7f")
    parts = tuple(part.strip() for part in shards.split(","))
    for part in parts:
        hexadecimal = len(part) == 2 and all(c in "0123456789abcdef" for c in part)
        if part != "+" and not hexadecimal:
            table.problem("shards", f"holds {part!r}; allowed: + or 00 to ff, comma between")
    broker = Broker(
        host=table.string("host", default="127.0.0.1", pattern=r"\S+", allowed="an address"),
        port=table.integer("port", low=1, high=65535, default=1883),
        user=table.string("user", default="gateway"),
        password=_secret(table, "password", base, environ, "FAIRWAY_BROKER_PASSWORD"),
        keepalive_s=table.integer("keepalive_s", low=5, high=3600, default=30),
        shards=parts,
    )
    table.finish()
    return broker


def _series(table: Table, base: Path, data: Path, environ: Mapping[str, str]) -> Series:
    url = table.string(
        "url", default="sqlite:series.sqlite", pattern=_SERIES, allowed=_SERIES_ALLOWED
    )
    if url.startswith("sqlite:"):
        url = f"sqlite:{data / url.removeprefix('sqlite:')}"
    series = Series(
        url=url,
        org=table.string("org", default="fairway"),
        bucket=table.string("bucket", default="fairway"),
        token=_secret(table, "token", base, environ, "FAIRWAY_SERIES_TOKEN"),
    )
    table.finish()
    return series


def _centre(table: Table, base: Path, environ: Mapping[str, str]) -> Centre:
    centre = Centre(
        url=table.string("url", default="", pattern=_URL, allowed="http://HOST:PORT"),
        token=_secret(table, "token", base, environ, "FAIRWAY_INGEST_TOKEN"),
    )
    table.finish()
    return centre


def _beidou(table: Table, keys_path: Path) -> BeiDou:
    cards: dict[int, str] = {}
    known: dict[str, bytes] = {}
    listed = table.table("cards")
    if listed.names():
        try:
            known = keys.read(keys_path)
        except keys.KeysError as error:
            table.problem("cards", f"needs the devices' keys: {error}")
    for digits in listed.names():
        device = listed.string(digits, allowed="the id of the device that has the card")
        number = int(digits) if digits.isdecimal() else 0
        if not 0 < number <= _CARD_MAX:
            listed.problem(digits, f"is no card number; allowed: 1 to {_CARD_MAX}")
        elif device in cards.values() or number in cards:
            listed.problem(digits, f"names card {number} or device {device!r} a second time")
        else:
            cards[number] = device
            if device not in known:
                listed.problem(digits, f"is {device!r}, of which {keys_path} has no key")
    beidou = BeiDou(
        port=table.string("port", default="", pattern=_PORT, allowed=_PORT_ALLOWED),
        baud=table.integer("baud", low=1200, high=921_600, default=115_200),
        gather_s=table.integer("gather_s", low=0, high=3600, default=10),
        cards=cards,
        keys={device: key for device, key in known.items() if device in cards.values()},
    )
    table.finish()
    return beidou


def _secret(table: Table, key: str, base: Path, environ: Mapping[str, str], variable: str) -> str:
    """Read a secret from the environment, or from the file that `<key>_file` names."""
    name = table.string(f"{key}_file", default="", allowed="a file with the secret in it")
    if variable in environ:
        return environ[variable]
    if not name:
        return ""
    try:
        return (base / name).read_text("utf-8").strip()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        table.problem(f"{key}_file", f"is {name!r}: cannot be read: {reason}; or set {variable}")
        return ""
