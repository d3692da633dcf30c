"""The tables: migrations, folds that no order of arrival can change, and what is forgotten."""

from contextlib import closing

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, text

from agent.wire import schema
from cloud import registry
from cloud.store import counts, latest, records
from cloud.store.database import Database, DatabaseError
from cloud.store.prune import prune
from cloud.store.records import Arrival
from cloud.store.tables import arrivals, asset_latest, device_latest, events, metadata, refused
from tests.cloud.support import REGISTRY, beacon, record

NOW_MS = 1_790_000_000_000


@pytest.fixture
def database(tmp_path):
    with closing(Database.open(f"sqlite:///{tmp_path / 'c.sqlite'}")) as opened:
        yield opened


@pytest.fixture(scope="module")
def known(tmp_path_factory):
    path = tmp_path_factory.mktemp("registry") / "registry.toml"
    path.write_text(REGISTRY, "utf-8")
    return registry.load(path)


def arrival(device, boot, seq, t, *, batt_mv=12_000, schema_id=schema.BEACON):
    raw = record(schema_id, boot, seq, t, beacon(batt_mv=batt_mv))
    return Arrival(device, boot, seq, schema_id, t, 0, 1, NOW_MS + seq, raw)


def rows(database, table):
    with database.read() as connection:
        return [
            tuple(row) for row in connection.execute(select(table).order_by(*table.primary_key))
        ]


def test_the_migrations_make_the_tables_that_the_program_means(database):
    with database.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_a_database_is_opened_again_with_what_is_in_it(tmp_path):
    url = f"sqlite:///{tmp_path / 'c.sqlite'}"
    with closing(Database.open(url)) as first, first.write() as connection:
        counts.set_fact(connection, "a", "b")
    with closing(Database.open(url)) as second, second.read() as connection:
        assert counts.fact(connection, "a") == "b"


def test_a_newer_versions_database_is_refused(tmp_path):
    url = f"sqlite:///{tmp_path / 'c.sqlite'}"
    with closing(Database.open(url)) as database, database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(DatabaseError, match="made by a newer version of Fairway"):
        Database.open(url)


def test_what_fails_in_a_transaction_leaves_nothing(database):
    with pytest.raises(ZeroDivisionError), database.write() as connection:
        counts.set_fact(connection, "a", "b")
        raise ZeroDivisionError
    with database.read() as connection:
        assert counts.fact(connection, "a") is None


def test_a_reader_sees_one_moment_and_holds_nobody_up(database):
    with database.read() as reading:
        assert counts.fact(reading, "a") is None
        with database.write() as writing:
            counts.set_fact(writing, "a", "b")
        assert counts.fact(reading, "a") is None
    with database.read() as reading:
        assert counts.fact(reading, "a") == "b"


arrived = st.lists(
    st.tuples(
        st.sampled_from(["buoy-1", "buoy-2"]),
        st.integers(1, 3),
        st.integers(0, 5),
        st.one_of(st.none(), st.integers(100, 104)),
    ),
    min_size=1,
    max_size=12,
    unique_by=lambda told: told[:3],
)


class TestFolds:
    @settings(max_examples=60, deadline=None)
    @given(told=arrived, order=st.randoms(use_true_random=False), cut=st.integers(0, 12))
    def test_no_order_of_arrival_changes_the_outcome(
        self, known, tmp_path_factory, told, order, cut
    ):
        """The interval is left out: it is what was seen, and depends on the seeing."""
        made = [arrival(*one) for one in told]
        shuffled = list(made)
        order.shuffle(shuffled)
        outcomes = []
        for batches in ([made], [shuffled[:cut], shuffled[cut:], shuffled[:3]]):
            folder = tmp_path_factory.mktemp("fold")
            with closing(Database.open(f"sqlite:///{folder / 'c.sqlite'}")) as database:
                for batch in batches:
                    with database.write() as connection:
                        latest.fold_devices(connection, batch)
                        latest.fold_assets(connection, known, batch)
                outcomes.append(
                    [
                        [
                            row[: table.c.keys().index("interval_s")]
                            for row in rows(database, table)
                        ]
                        for table in (device_latest, asset_latest)
                    ]
                )
        assert outcomes[0] == outcomes[1]

    def test_only_what_is_newer_is_told(self, database, known):
        with database.write() as connection:
            assert latest.fold_assets(connection, known, [arrival("buoy-1", 1, 1, 100)]) == {"c1"}
            assert latest.fold_assets(connection, known, [arrival("buoy-1", 1, 0, 99)]) == set()
            assert latest.fold_assets(connection, known, [arrival("buoy-1", 1, 1, 100)]) == set()
            assert latest.fold_assets(connection, known, [arrival("spare-1", 1, 1, 101)]) == set()


class TestIdentity:
    def test_what_is_known_is_known_for_two_days_and_an_event_for_ever(self, database):
        series = arrival("a", 1, 0, 100)
        event = arrival("a", 1, 1, 100, schema_id=schema.CLOCK)

        def keep(now_ms):
            with database.write() as connection:
                return records.keep(connection, [series, event], "gw", now_ms)

        assert len(keep(NOW_MS).new) == 2
        prune(database, NOW_MS + records.WINDOW_MS, ais_days=1)
        assert keep(NOW_MS + records.WINDOW_MS).duplicates == 2
        prune(database, NOW_MS + records.WINDOW_MS + 1, ais_days=1)
        again = keep(NOW_MS + records.WINDOW_MS + 1)
        assert (again.new, again.duplicates, again.conflicts) == ([series], 1, 0)

    def test_a_large_delivery_fits(self, database):
        many = [arrival("a", 1, n, 100 + n, schema_id=schema.CLOCK) for n in range(3000)]
        with database.write() as connection:
            assert len(records.keep(connection, many, "gw", NOW_MS).new) == 3000
            again = records.keep(connection, many, "gw", NOW_MS)
            assert (again.duplicates, again.conflicts) == (3000, 0)


class TestPrune:
    def count(self, database, table):
        with database.read() as connection:
            return connection.scalar(select(func.count()).select_from(table))

    def test_ais_events_go_after_their_days_and_others_stay(self, database):
        day = 86_400_000
        told = [
            arrival("a", 1, 0, 1, schema_id=schema.AIS)._replace(received_ms=NOW_MS - 3 * day),
            arrival("a", 1, 1, 1, schema_id=schema.AIS)._replace(received_ms=NOW_MS - day),
            arrival("a", 1, 2, 1, schema_id=schema.CLOCK)._replace(received_ms=NOW_MS - 900 * day),
        ]
        with database.write() as connection:
            records.keep(connection, told, "gw", NOW_MS)
        prune(database, NOW_MS, ais_days=2)
        assert self.count(database, events) == 2
        assert self.count(database, arrivals) == 3

    def test_what_is_set_apart_is_bounded(self, database):
        refusals = [
            records.Refusal(0, "a", "float", "", n.to_bytes(4, "big")) for n in range(10_050)
        ]
        with database.write() as connection:
            assert records.refuse(connection, refusals, "gw", NOW_MS) == 10_050
            assert records.refuse(connection, refusals, "gw", NOW_MS) == 0
        prune(database, NOW_MS, ais_days=1)
        assert self.count(database, refused) == 10_000
