"""The gateway's configuration: one TOML file, and the environment or files for secrets.

docs/gateway.md lists the keys; config/demo/gateway.toml is an example. Relative paths are relative
to the file.
"""

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agent.wire.messages import valid_device
from gateway import config_inputs
from gateway.access.tls import TLS, TLSError, context
from gateway.down import keys
from toolkit.settings import Settings, Table

_SERIES: Final = r"sqlite:.+|https?://[^\s?#]+"
_SERIES_ALLOWED: Final = "sqlite:FOLDER, or http://HOST:PORT of a VictoriaMetrics or InfluxDB 2"
_URL: Final = r"https?://[^\s?#]+"
_PORT: Final = r"/\S+|COM\d+|socket://\S+:\d+"
_PORT_ALLOWED: Final = "a serial port, as /dev/ttyUSB0, or socket://HOST:PORT"
_CARD_MAX: Final = 0xFFFFFE  # 24 bits in the binary dialect
_LISTENER: Final = r"\S+:\d{1,5}"
_PORT_MAX: Final = 65535
_SHARD: Final = r"[0-9a-f]{2}(-[0-9a-f]{2})?"
_LISTEN: Final = r"(\[[0-9a-fA-F:.]+\]|[^\s:]+):\d{1,5}"


@dataclass(frozen=True, slots=True)
class Broker:
    """Where the MQTT broker is, and who we are to it.

    `settings` is its mosquitto.conf, where that lies on this machine.
    """

    host: str
    port: int
    user: str
    password: str
    keepalive_s: int
    shards: tuple[str, ...]
    settings: Path | None = None
    tls: TLS | None = None


@dataclass(frozen=True, slots=True)
class Series:
    """The time-series store: `url` is sqlite:FOLDER or an address.

    `org`, `bucket` and `token` are for InfluxDB; `gzip` is auto, on or off. A point later than
    `future_s` after it was received, or older than `past_days` before it, is set aside. `months`
    (0: all) are kept by SQLite.
    """

    url: str
    org: str = "fairway"
    bucket: str = "fairway"
    token: str = ""
    gzip: str = "auto"
    future_s: int = 600
    past_days: int = 400
    months: int = 0


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
class Operation:
    """Where metrics and health checks answer (HOST:PORT, or "" for nowhere), and how the log looks."""

    listen: str
    log: str


@dataclass(frozen=True, slots=True)
class Revocation:
    """Where a device's credentials are, and how the broker hears of a change; None: not here.

    `certificates` is a folder with the devices' certificates, `listener` where devices show theirs.
    """

    password_file: Path | None
    crl_file: Path | None
    ca_cert: Path | None
    ca_key: Path | None
    certificates: Path | None
    listener: str
    reload: str


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
    keep_mib: int
    series: Series
    centre: Centre
    beidou: BeiDou
    operation: Operation
    revocation: Revocation
    inputs: config_inputs.Inputs


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
        keep_mib=keep.integer("journal_mib", low=16, high=16_777_216, default=10_240),
        series=_series(root.table("series"), base, data, environ),
        centre=_centre(root.table("centre"), base, environ),
        beidou=_beidou(root.table("beidou"), keys_path),
        revocation=_revocation(root.table("revocation"), base),
        operation=_operation(root.table("operation")),
        inputs=config_inputs.read(root),
    )
    commit.finish()
    keep.finish()
    root.finish()
    settings.finish()
    return config


def _broker(table: Table, base: Path, environ: Mapping[str, str]) -> Broker:
    settings = table.string("settings_file", default="", allowed="the broker's mosquitto.conf")
    tls = _tls(table, base)
    broker = Broker(
        host=table.string("host", default="127.0.0.1", pattern=r"\S+", allowed="an address"),
        port=table.integer("port", low=1, high=65535, default=8883 if tls else 1883),
        user=table.string("user", default="gateway"),
        password=_secret(table, "password", base, environ, "FAIRWAY_BROKER_PASSWORD"),
        keepalive_s=table.integer("keepalive_s", low=5, high=3600, default=30),
        shards=_shards(table),
        settings=base / settings if settings else None,
        tls=tls,
    )
    table.finish()
    return broker


def _shards(table: Table) -> tuple[str, ...]:
    """Read which shards are ours: "+" for all, or two-digit hex numbers and ranges of them."""
    allowed = "+ for all, or 00 to ff and ranges of them, as in 00-7f,a0"
    text = table.string("shards", default="+", allowed=allowed)
    if text == "+":
        return ("+",)
    shards: list[str] = []
    for part in (part.strip() for part in text.split(",")):
        first, _, last = part.partition("-")
        if not re.fullmatch(_SHARD, part) or (last and last < first):
            table.problem("shards", f"holds {part!r}; allowed: {allowed}")
            continue
        numbers = range(int(first, 16), int(last or first, 16) + 1)
        shards += [f"{number:02x}" for number in numbers]
    if len(set(shards)) < len(shards):
        table.problem("shards", f"is {text!r}, which names a shard twice")
    return tuple(shards)


def _tls(table: Table, base: Path) -> TLS | None:
    ca, cert, key = (
        _path(table, base, name, what)
        for name, what in (
            ("tls_ca", "a PEM file with the CA of the broker's certificate"),
            ("tls_cert", "a PEM file with the gateway's certificate"),
            ("tls_key", "a PEM file with its key"),
        )
    )
    if ca is None:
        if cert or key:
            table.problem("tls_ca", "is missing; allowed: the CA of the broker's certificate")
        return None
    if (cert is None) != (key is None):
        table.problem("tls_key" if cert else "tls_cert", "is missing; the two belong together")
        return None
    tls = TLS(ca, cert, key)
    try:
        context(tls)
    except TLSError as error:
        table.problem(
            f"tls_{error.which}", f"is {str(getattr(tls, error.which))!r}: {error.reason}"
        )
    return tls


def _revocation(table: Table, base: Path) -> Revocation:
    revocation = Revocation(
        password_file=_path(table, base, "password_file", "the broker's password file"),
        crl_file=_path(table, base, "crl_file", "the broker's revocation list (crlfile)"),
        ca_cert=_path(table, base, "ca_cert", "the certificate of the devices' CA"),
        ca_key=_path(table, base, "ca_key", "its key"),
        certificates=_path(table, base, "certificates", "a folder with the devices' certificates"),
        listener=table.string("listener", default="", pattern=_LISTENER, allowed="HOST:PORT"),
        reload=table.string("reload", default="", allowed="a command"),
    )
    try:
        shlex.split(revocation.reload)
    except ValueError as error:
        table.problem("reload", f"is {revocation.reload!r}: {error}")
    if revocation.crl_file and revocation.ca_key and not revocation.ca_cert:
        table.problem("ca_cert", "is missing; ca_key needs it")
    table.finish()
    return revocation


def _path(table: Table, base: Path, key: str, what: str) -> Path | None:
    name = table.string(key, default="", allowed=what)
    return base / name if name else None


def _series(table: Table, base: Path, data: Path, environ: Mapping[str, str]) -> Series:
    url = table.string("url", default="sqlite:series", pattern=_SERIES, allowed=_SERIES_ALLOWED)
    if url.startswith("sqlite:"):
        url = f"sqlite:{data / url.removeprefix('sqlite:')}"
    series = Series(
        url=url,
        org=table.string("org", default="fairway"),
        bucket=table.string("bucket", default="fairway"),
        token=_secret(table, "token", base, environ, "FAIRWAY_SERIES_TOKEN"),
        gzip=table.choice("gzip", ("auto", "on", "off"), "auto"),
        future_s=table.integer("future_s", low=0, high=86_400, default=600),
        past_days=table.integer("past_days", low=1, high=3650, default=400),
        months=table.integer("months", low=0, high=1200, default=0),
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


def _operation(table: Table) -> Operation:
    listen = table.string(
        "listen",
        default="127.0.0.1:9108",
        pattern=_LISTEN + "|",
        allowed='HOST:PORT, or "" for no pages',
    )
    if listen and int(listen.rpartition(":")[2]) > _PORT_MAX:
        table.problem(
            "listen", f"is {listen!r}; allowed: ports 0 to {_PORT_MAX}, 0 takes a free one"
        )
    operation = Operation(listen=listen, log=table.choice("log", ("text", "json"), "text"))
    table.finish()
    return operation


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
