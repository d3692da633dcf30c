"""Opens the database, brings its tables up to date, and hands out transactions.

    database = Database.open("sqlite:///data/centre.sqlite")
    with database.write() as connection: …
    with database.read() as connection: …

One centre process writes to one database.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Self

from alembic import command
from alembic.config import Config as AlembicConfig
from alembic.util import CommandError as AlembicError
from sqlalchemy import Connection, Engine, Table, create_engine, event, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

_MIGRATIONS: Final = Path(__file__).parent / "migrations"
_BUSY_MS: Final = 5_000  # how long a statement waits for another process, e.g. a backup
_CHUNK: Final = 500  # rows of one statement; SQLite takes 32,766 parameters, older ones 999
_JOURNAL_BYTES: Final = 64 * 1024 * 1024  # what the WAL file is cut back to after a checkpoint

Row = Mapping[str, Any]


class DatabaseError(Exception):
    """The database cannot be opened or brought up to date; says why."""


class Database:
    """A database whose tables are up to date. `where` names it without its password."""

    def __init__(self, engine: Engine) -> None:
        self.where = engine.url.render_as_string(hide_password=True)
        self._engine = engine
        # SQLite: a transaction that will write says so at its start; one that turned from reading
        # to writing could be refused in the middle.
        self._writer = engine.execution_options(sqlite_begin="BEGIN IMMEDIATE")
        # PostgreSQL: everything read in one transaction is of one moment, as it is in SQLite.
        isolation = (
            {} if engine.dialect.name == "sqlite" else {"isolation_level": "REPEATABLE READ"}
        )
        self._reader = engine.execution_options(**isolation)

    @classmethod
    def open(cls, url: str) -> Self:
        """Open a database and run the migrations it lacks.

        Raises:
            DatabaseError: no such driver or folder, wrong password, a newer version's tables, …
        """
        try:
            engine = _engine(url)
            database = cls(engine)
            with database.write() as connection:
                command.upgrade(_alembic(connection), "head")
        except (SQLAlchemyError, AlembicError, OSError, ModuleNotFoundError) as error:
            raise DatabaseError(f"{_without_password(url)}: {_cause(error)}") from error
        return database

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Enter a transaction that may write; committed at the end, rolled back on an exception."""
        with self._writer.begin() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Enter a transaction that sees one moment of the database."""
        with self._reader.begin() as connection:
            yield connection

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()


def insert(
    connection: Connection, table: Table, rows: Sequence[Row], key: Sequence[str]
) -> set[tuple[Any, ...]]:
    """Insert rows, leaving out those that are there already; return the keys of those that went in.

    `key` are the columns that tell the rows apart.
    """
    if not rows:
        return set()
    statement = _dialect(connection).insert(table).on_conflict_do_nothing()
    returning = statement.returning(*(table.c[name] for name in key))
    return {tuple(row) for row in connection.execute(returning, list(rows))}


def upsert(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert rows; where the primary key is there already, take the new values."""
    if not rows:
        return
    key = [column.name for column in table.primary_key]
    statement = _dialect(connection).insert(table)
    others = {name: statement.excluded[name] for name in rows[0] if name not in key}
    connection.execute(
        statement.on_conflict_do_update(index_elements=key, set_=others), list(rows)
    )


def chunks(keys: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Cut keys into pieces that fit into one statement."""
    for start in range(0, len(keys), _CHUNK):
        yield keys[start : start + _CHUNK]


def _dialect(connection: Connection) -> Any:
    return sqlite if connection.dialect.name == "sqlite" else postgresql


def _engine(url: str) -> Engine:
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return create_engine(parsed, pool_pre_ping=True)
    Path(str(parsed.database)).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(parsed)

    @event.listens_for(engine, "connect")
    def on_connect(connection: DBAPIConnection, _: object) -> None:
        # The driver must not begin transactions by itself: it would not do so before a SELECT or
        # a CREATE TABLE, and a migration cut short would leave half a table behind.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",  # what we answered for, no gateway will send again
            "foreign_keys=ON",
            f"busy_timeout={_BUSY_MS}",
            f"journal_size_limit={_JOURNAL_BYTES}",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        begin = connection.get_execution_options().get("sqlite_begin", "BEGIN")
        connection.exec_driver_sql(begin)

    return engine


def _alembic(connection: Connection) -> AlembicConfig:
    config = AlembicConfig()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["connection"] = connection
    return config


def _without_password(url: str) -> str:
    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        return "database"


def _cause(error: Exception) -> str:
    """Say in one line why a database cannot be used."""
    if isinstance(error, ModuleNotFoundError):
        return f"the driver {error.name} is not installed"
    if isinstance(error, NoSuchModuleError):
        return "no such kind of database"
    if isinstance(error, AlembicError):
        return f"made by a newer version of Fairway? {error}"
    return str(error).splitlines()[0]
