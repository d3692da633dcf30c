"""The centre's configuration: one TOML file, and the environment for secrets.

docs/centre.md lists the keys; config/demo/centre.toml is an example. Relative paths are relative to
the file. Secrets never stand in it: FAIRWAY_INGEST_TOKEN, FAIRWAY_DATABASE (a URL with a password).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from toolkit.settings import Settings, Table

TOKEN_VARIABLE: Final = "FAIRWAY_INGEST_TOKEN"  # noqa: S105  (the name, not the secret)
DATABASE_VARIABLE: Final = "FAIRWAY_DATABASE"

_TOKEN: Final = re.compile(r"[\x21-\x7e]{16,256}")
_TOKEN_ALLOWED: Final = "16 to 256 printable ASCII characters without spaces"  # noqa: S105
_DATABASE: Final = r"sqlite:///.+|postgresql(\+\w+)?://.+"
_DATABASE_ALLOWED: Final = "sqlite:///PATH or postgresql+psycopg://USER:PASSWORD@HOST/NAME"
SERIES: Final = r"sqlite:.+|https?://[^\s?#]+"
SERIES_ALLOWED: Final = "sqlite:FOLDER or http://HOST:PORT of a VictoriaMetrics"
_TILE_URL: Final = r"(https?:/)?/[^\s\"';,]*\{z\}[^\s\"';,]*"
_TILE_URL_ALLOWED: Final = "an address with {z}, {x} and {y}, beginning http:// or https:// or /"
_ZOOM_MAX: Final = 22
_DAYS_MAX: Final = 36_500


@dataclass(frozen=True, slots=True)
class Tiles:
    """A source of map tiles and what must be known of it.

    `datum` is "wgs84" (also CGCS2000) or "gcj02"; `approval` is the map approval number (审图号)
    that a public map in China must show.
    """

    name: str
    url: str
    datum: str
    attribution: str
    approval: str
    max_zoom: int


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that can be set. `database` is an SQLAlchemy URL, `series` as in the file."""

    host: str
    port: int
    data: Path
    database: str
    series: str
    registry: Path
    token: str
    ais_days: int
    tiles: tuple[Tiles, ...]


@dataclass(frozen=True, slots=True)
class Overrides:
    """What the command line says, before the file: a folder, an address, a series store."""

    data: Path | None = None
    listen: tuple[str, int] | None = None
    series: str | None = None


def load(path: Path, environ: Mapping[str, str], overrides: Overrides = Overrides()) -> Config:
    """Read the configuration.

    Raises:
        SettingsError: every problem, with file, line, key, value and what is allowed.
    """
    settings = Settings(path)
    root, base = settings.root, path.parent
    listen, keep, ingest = root.table("listen"), root.table("keep"), root.table("ingest")
    data = base / root.string("data", default="data", allowed="a folder")
    host = listen.string("host", default="127.0.0.1", pattern=r"\S+", allowed="an address")
    port = listen.integer("port", low=0, high=65535, default=8080)
    if overrides.listen:
        host, port = overrides.listen
    data = overrides.data or data
    series = _series(root, base, data)
    config = Config(
        host=host,
        port=port,
        data=data,
        database=_database(root, base, data, environ),
        series=overrides.series or series,
        registry=base / root.string("registry", allowed="the registry file"),
        token=_token(ingest, base, environ),
        ais_days=keep.integer("ais_days", low=1, high=_DAYS_MAX, default=90),
        tiles=tuple(_tiles(table) for table in root.tables("tiles")),
    )
    for table in (listen, keep, ingest, root):
        table.finish()
    settings.finish()
    return config


def _database(root: Table, base: Path, data: Path, environ: Mapping[str, str]) -> str:
    default = f"sqlite:///{data / 'centre.sqlite'}"
    url = root.string("database", default=default, pattern=_DATABASE, allowed=_DATABASE_ALLOWED)
    if given := environ.get(DATABASE_VARIABLE):
        if not re.fullmatch(_DATABASE, given):
            root.problem("database", f"from {DATABASE_VARIABLE}; allowed: {_DATABASE_ALLOWED}")
        return given
    scheme, _, file = url.partition(":///")
    if scheme == "sqlite" and url != default:
        return f"sqlite:///{base / file}"
    return url


def _series(root: Table, base: Path, data: Path) -> str:
    default = f"sqlite:{data / 'series'}"
    text = root.string("series", default=default, pattern=SERIES, allowed=SERIES_ALLOWED)
    scheme, _, file = text.partition(":")
    return f"sqlite:{base / file}" if scheme == "sqlite" and text != default else text


def _token(ingest: Table, base: Path, environ: Mapping[str, str]) -> str:
    file = ingest.string("token_file", default="", allowed="the file that holds the token")
    token, source = environ.get(TOKEN_VARIABLE, ""), TOKEN_VARIABLE
    if not token and file:
        source = str(base / file)
        try:
            token = (base / file).read_text("ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            ingest.problem("token_file", f"is {file!r}, which cannot be read: {error}")
            return ""
    if not token:
        ingest.problem("token_file", f"is missing; allowed: a file, or {TOKEN_VARIABLE} instead")
    elif not _TOKEN.fullmatch(token):
        ingest.problem("token_file", f"from {source}; allowed: {_TOKEN_ALLOWED}")
    return token


def _tiles(table: Table) -> Tiles:
    url = table.string("url", pattern=_TILE_URL, allowed=_TILE_URL_ALLOWED)
    if url and not ("{x}" in url and "{y}" in url):
        table.problem("url", f"is {url!r}; allowed: {_TILE_URL_ALLOWED}")
    tiles = Tiles(
        name=table.string("name"),
        url=url,
        datum=table.choice("datum", ("wgs84", "gcj02")),
        attribution=table.string("attribution", default=""),
        approval=table.string("approval", default=""),
        max_zoom=table.integer("max_zoom", low=1, high=_ZOOM_MAX, default=18),
    )
    table.finish()
    return tiles
