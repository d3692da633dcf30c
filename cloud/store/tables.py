"""The centre's tables.

Every column named `t` is a record's time (seconds since 2020-01-01 UTC, null while unknown), every
`…_ms` is Unix milliseconds by a clock on shore, `record` are a record's bytes as its device made
them. What is worked out from records (`…_latest`, `targets`) can be worked out again.

A change here needs a migration in `migrations/versions`; a test compares the two.
"""

from typing import Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)

_ID: Final = String(32)  # a device, an asset, a gateway
_ROW_ID: Final = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers INTEGER keys only

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

# Records of class EVENT, and of schemas this version does not know, whole and for ever (AIS
# targets: for `keep.ais_days`). Their identity is (device, boot, seq).
events = Table(
    "events",
    metadata,
    Column("id", _ROW_ID, primary_key=True),
    Column("device", _ID, nullable=False),
    Column("boot", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("schema", Integer, nullable=False),
    Column("t", BigInteger),
    Column("dated", Integer, nullable=False),
    Column("link", Integer, nullable=False),
    Column("gateway", _ID, nullable=False),
    Column("received_ms", BigInteger, nullable=False),
    Column("record", LargeBinary, nullable=False),
    UniqueConstraint("device", "boot", "seq"),
    Index(None, "device", "schema", "t"),
    Index(None, "schema", "received_ms"),
)

# Identities of series records lately delivered. Their values go to the live view; the history is
# the time-series store's, so this is only to tell a second delivery from a conflict.
arrivals = Table(
    "arrivals",
    metadata,
    Column("device", _ID, primary_key=True),
    Column("boot", BigInteger, primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("digest", BigInteger, nullable=False),
    Column("delivered_ms", BigInteger, nullable=False),
    Index(None, "delivered_ms"),
)

# The same identity with other bytes: the first stays, the others come here.
conflicts = Table(
    "conflicts",
    metadata,
    Column("id", _ROW_ID, primary_key=True),
    Column("device", _ID, nullable=False),
    Column("boot", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("gateway", _ID, nullable=False),
    Column("received_ms", BigInteger, nullable=False),
    Column("record", LargeBinary, nullable=False),
    UniqueConstraint("device", "boot", "seq", "record"),
)

# Bytes in a delivery that are no record.
refused = Table(
    "refused",
    metadata,
    Column("id", _ROW_ID, primary_key=True),
    Column("device", _ID, nullable=False),
    Column("gateway", _ID, nullable=False),
    Column("received_ms", BigInteger, nullable=False),
    Column("code", String(32), nullable=False),
    Column("detail", String(200), nullable=False),
    Column("record", LargeBinary, nullable=False),
    UniqueConstraint("device", "record"),
)

# Who was ever heard of.
devices = Table(
    "devices",
    metadata,
    Column("device", _ID, primary_key=True),
    Column("first_ms", BigInteger, nullable=False),
    Column("last_ms", BigInteger, nullable=False),
)

# The newest record of each schema by its own time, and apart from it the newest undated one.
device_latest = Table(
    "device_latest",
    metadata,
    Column("device", _ID, primary_key=True),
    Column("schema", Integer, primary_key=True, autoincrement=False),
    Column("undated", Boolean, primary_key=True),
    Column("t", BigInteger),
    Column("boot", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("received_ms", BigInteger, nullable=False),
    Column("interval_s", Float),
    Column("record", LargeBinary, nullable=False),
)

# The newest record of each schema that some device made while it served the asset.
asset_latest = Table(
    "asset_latest",
    metadata,
    Column("asset", _ID, primary_key=True),
    Column("schema", Integer, primary_key=True, autoincrement=False),
    Column("device", _ID, nullable=False),
    Column("t", BigInteger, nullable=False),
    Column("boot", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("received_ms", BigInteger, nullable=False),
    Column("interval_s", Float),
    Column("record", LargeBinary, nullable=False),
)

# The newest word of a device on each of its alarms; `part` is -1 where an alarm has none.
device_alarms = Table(
    "device_alarms",
    metadata,
    Column("device", _ID, primary_key=True),
    Column("what", Integer, primary_key=True, autoincrement=False),
    Column("part", BigInteger, primary_key=True, autoincrement=False),
    Column("active", Boolean, nullable=False),
    Column("level", Integer, nullable=False),
    Column("value", BigInteger),
    Column("limit", BigInteger),
    Column("t", BigInteger),
    Column("boot", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("received_ms", BigInteger, nullable=False),
)

# Whether a device is connected, as its newest state said.
presence = Table(
    "presence",
    metadata,
    Column("device", _ID, primary_key=True),
    Column("boot", BigInteger, nullable=False),
    Column("connection", BigInteger, nullable=False),
    Column("up", Boolean, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
)

# What came of each start of a device at each gateway, as the gateway counts it (agent.wire.body,
# Account); of the last starts only. `links` are [link, last_ms], `gaps` are [first, last].
accounts = Table(
    "accounts",
    metadata,
    Column("gateway", _ID, primary_key=True),
    Column("device", _ID, primary_key=True),
    Column("boot", BigInteger, primary_key=True, autoincrement=False),
    Column("sight", BigInteger, nullable=False),
    Column("first_ms", BigInteger, nullable=False),
    Column("last_ms", BigInteger, nullable=False),
    Column("records", BigInteger, nullable=False),
    Column("duplicates", BigInteger, nullable=False),
    Column("conflicts", BigInteger, nullable=False),
    Column("highest", BigInteger, nullable=False),
    Column("missing", BigInteger, nullable=False),
    Column("filled", BigInteger, nullable=False),
    Column("told", BigInteger, nullable=False),
    Column("source", BigInteger),
    Column("uncertainty_ms", BigInteger),
    Column("links", JSON, nullable=False),
    Column("gaps", JSON, nullable=False),
    Index(None, "device"),
)

# What was heard of a ship, aid or base station by AIS; `part` is which of its messages.
targets = Table(
    "targets",
    metadata,
    Column("mmsi", BigInteger, primary_key=True, autoincrement=False),
    Column("part", Integer, primary_key=True, autoincrement=False),
    Column("device", _ID, nullable=False),
    Column("t", BigInteger, nullable=False),
    Column("boot", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("record", LargeBinary, nullable=False),
    Index(None, "t"),
)

# Gateways and the counters they report, as they report them.
gateways = Table(
    "gateways",
    metadata,
    Column("gateway", _ID, primary_key=True),
    Column("delivered_ms", BigInteger, nullable=False),
)
counters = Table(
    "counters",
    metadata,
    Column("gateway", _ID, primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("value", BigInteger, nullable=False),
)

# What this centre counted itself since its database was made.
tallies = Table(
    "tallies",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("value", BigInteger, nullable=False),
)

# Single facts: which registry the live view was worked out by.
facts = Table(
    "facts",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("value", String(200), nullable=False),
)
