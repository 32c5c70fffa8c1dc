"""
The database held to the promises: durable, one writer, migrated once, refused where it would lie.
"""

from __future__ import annotations

import ast
import inspect
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine, event

import cobranza_sdk.store
from cobranza_sdk.loading import FixedClock, TimeIds
from cobranza_sdk.model import EventKind
from cobranza_sdk.store import Store, StoreError, _database, _migrate, open_engine, prepare_engine
from cobranza_sdk.store._database import reading, writing
from cobranza_sdk.store._schema import Instant, dumps, metadata

ROOM = Path(inspect.getfile(cobranza_sdk.store)).parent


@pytest.fixture
def opened(tmp_path: Path, clock: FixedClock) -> Any:
    """
    Opens the store of this test, with the settings that users get.
    """
    made: list[Store] = []

    def open_(url: str | None = None) -> Store:
        made.append(Store.open(url or f"sqlite:///{tmp_path / 'real.db'}", clock=clock, ids=TimeIds(clock)))
        return made[-1]

    yield open_
    for store in made:
        store.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Connections that wait 50 ms for a lock, not half a minute.
    """
    monkeypatch.setattr(_database, "_BUSY_MS", 50)


# -- settings --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pragma", "value"),
    [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1), ("trusted_schema", 0)],
)
def test_every_connection_is_durable_and_strict(opened: Any, pragma: str, value: object) -> None:
    """
    R-30: below FULL a power cut loses acknowledged commits; the settings are per connection, so each is asked.
    """
    engine = opened()._engine

    with engine.connect() as one, engine.connect().execution_options(cobranza_reads=True) as two:
        found = [connection.exec_driver_sql(f"PRAGMA {pragma}").scalar() for connection in (two, one)]

    assert found == [value, value]


def test_every_connection_waits_for_a_lock(opened: Any) -> None:
    """
    R-30: short writers queue for seconds before one of them is refused.
    """
    with opened()._engine.connect() as connection:
        assert (connection.exec_driver_sql("PRAGMA busy_timeout").scalar() or 0) >= 5000


def test_writers_take_the_lock_before_they_read(opened: Any) -> None:
    """
    Law 2: with a lock that is taken at the first write, two workers count the same contacts and overshoot the cap.
    """
    engine = opened()._engine
    said: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda _c, _cu, text, *_: said.append(text))

    with writing(engine) as connection:
        connection.exec_driver_sql("SELECT 1")
    with reading(engine) as connection:
        connection.exec_driver_sql("SELECT 2")

    assert said == ["BEGIN IMMEDIATE", "SELECT 1", "BEGIN", "SELECT 2"]


def test_readers_do_not_wait_for_a_writer(opened: Any, impatient: None) -> None:
    """
    A report may be made while an import runs, and sees what was before it.
    """
    store = opened()

    with writing(store._engine) as connection:
        connection.exec_driver_sql("INSERT INTO controls VALUES ('t1', 'stop', '{\"on\":true}', 1)")
        assert store.tenant("t1").switch.reason() is None
    assert store.tenant("t1").switch.reason() == "stopped"


def test_foreign_keys_are_in_force(opened: Any) -> None:
    """
    A row that points nowhere is refused by the database itself.
    """
    store = opened()

    with pytest.raises(StoreError, match="IntegrityError"), writing(store._engine) as connection:
        connection.exec_driver_sql("INSERT INTO person_guard (tenant_id, person_id) VALUES ('t1', 'nobody')")


def test_the_hosts_engine_is_prepared_once(tmp_path: Path, clock: FixedClock) -> None:
    """
    A host that hands one engine to two stores must not get two BEGINs in one transaction.
    """
    engine = create_engine(f"sqlite:///{tmp_path / 'host.db'}")
    for _ in range(2):
        store = Store(prepare_engine(engine), clock=clock, ids=TimeIds(clock))

    store.tenant("t1").switch.stop("x", by="ana")

    assert store.tenant("t1").switch.reason() == "x"
    with engine.connect().execution_options(cobranza_reads=True) as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
    engine.dispose()


# -- refusals --------------------------------------------------------------------------------------------------------


def test_a_database_held_by_another_is_a_store_error_and_nothing_is_applied(world: Any, impatient: None) -> None:
    """
    Another process holds the file: the caller gets one class of error, and the store is as it was.
    """
    world.owing()
    world.engine.dispose()
    before = world.dump()
    other = sqlite3.connect(world.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(StoreError, match="nothing was half-applied") as caught:
        world.acme.holds.place("D-1", "dispute", by="ana")

    other.execute("ROLLBACK")
    other.close()
    assert "another process" in (caught.value.hint or "")
    assert world.dump() == before
    assert world.acme.holds.place("D-1", "dispute", by="ana")


def test_a_lock_held_by_a_thread_is_waited_for(world: Any) -> None:
    """
    Short writers queue; they do not fail.
    """
    world.owing()
    entered, go = threading.Event(), threading.Event()

    def hold() -> None:
        with writing(world.engine):
            entered.set()
            go.wait()

    with ThreadPoolExecutor(2) as pool:
        holder = pool.submit(hold)
        entered.wait()
        waiting = pool.submit(world.acme.holds.place, "D-1", "dispute", by="ana")
        assert not waiting.done()
        go.set()
        holder.result()
        assert waiting.result()


def test_an_error_text_repeats_nothing_of_what_was_stored(world: Any) -> None:
    """
    Law 10: a driver quotes the statement's values, which are names and numbers here.
    """
    canary = "Ana Canario"

    with pytest.raises(StoreError) as caught, writing(world.engine) as connection:
        connection.exec_driver_sql("INSERT INTO personal_data VALUES ('t1', 'nobody', ?)", (canary,))

    chain: list[BaseException] = [caught.value]
    while chain[-1].__cause__ is not None:
        chain.append(chain[-1].__cause__)
    assert len(chain) > 1
    assert canary not in "".join(f"{error} {error!r}" for error in chain)


def test_what_cannot_be_stored_is_a_store_error(world: Any) -> None:
    """
    A plugin's event with fields that are no JSON harms its own request alone.
    """
    with pytest.raises(StoreError, match="TypeError"):
        world.tenant.inbox.store("sms", [world.event(EventKind.READ, raw={"x": object()})], world.clock.now())

    assert world.tenant.inbox.pending() == []


def test_an_error_of_the_callers_own_passes_through(world: Any) -> None:
    """
    Only the database's refusals are translated; the transaction is undone for any.
    """
    before = world.dump()

    def fail() -> None:
        with writing(world.engine) as connection:
            connection.exec_driver_sql("INSERT INTO controls VALUES ('t1', 'stop', '{}', 1)")
            raise LookupError

    with pytest.raises(LookupError):
        fail()

    assert world.dump() == before


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
def test_a_database_in_memory_is_refused(url: str) -> None:
    """
    Law 3: what is gone with the process can recover nothing.
    """
    with pytest.raises(StoreError, match="in memory"):
        open_engine(url)


@pytest.mark.parametrize("url", ["", "secret.db", "nosql://x/y", "sqlite+nothing:///x.db"])
def test_an_address_of_no_known_kind_is_refused_without_repeating_it(url: str) -> None:
    """
    An address may hold a password: the error names the key, not the value.
    """
    with pytest.raises(StoreError, match=r"store\.url") as caught:
        open_engine(url)

    assert not url or url not in str(caught.value)


def test_a_file_that_is_no_database_is_a_store_error(tmp_path: Path, opened: Any) -> None:
    """
    Somebody's spreadsheet under the configured name is neither read nor written over.
    """
    path = tmp_path / "notes.db"
    path.write_text("this is a text, and long enough to be looked at as a database header " * 20, "utf-8")
    before = path.read_bytes()

    with pytest.raises(StoreError):
        opened(f"sqlite:///{path}")

    assert path.read_bytes() == before


def test_a_directory_that_is_not_there_is_a_store_error(tmp_path: Path, opened: Any) -> None:
    """
    A mistyped path is the operator's to mend, not a traceback.
    """
    with pytest.raises(StoreError):
        opened(f"sqlite:///{tmp_path / 'none' / 'x.db'}")


def test_a_relative_path_is_relative_to_the_configuration(tmp_path: Path) -> None:
    """
    The same configuration opens the same file from any directory.
    """
    engine = open_engine("sqlite:///x.db", base=tmp_path)

    assert engine.url.database == str(tmp_path / "x.db")


# -- migrations ------------------------------------------------------------------------------------------------------


def test_migrations_make_what_the_code_expects(opened: Any) -> None:
    """
    A column that is in the code alone is missing at every user who upgrades.
    """
    engine = opened()._engine

    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": _migrate.VERSION_TABLE})
        assert compare_metadata(context, metadata) == []


def test_the_first_schema_comes_forward_with_its_rows(tmp_path: Path, clock: FixedClock) -> None:
    """
    What the first schema held is there after the newest.
    """
    url = f"sqlite:///{tmp_path / 'old.db'}"
    engine = open_engine(url)
    with as_file(files("cobranza_sdk.store") / "migrations") as scripts, writing(engine) as connection:
        config = Config()
        config.set_main_option("script_location", str(scripts))
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.exec_driver_sql(
            "INSERT INTO persons (id, tenant_id, external_key, kind) VALUES ('p1', 't', 'k', 'natural')"
        )

    store = Store.open(url, clock=clock, ids=TimeIds(clock))

    with reading(store._engine) as connection:
        assert connection.exec_driver_sql("SELECT version_num FROM cobranza_version").scalar() == _migrate.HEAD
        assert connection.exec_driver_sql("SELECT external_key FROM persons").scalars().all() == ["k"]
        assert connection.exec_driver_sql("SELECT count(*) FROM overrides").scalar() == 0


def test_head_is_the_newest_script() -> None:
    """
    A script that HEAD does not name would never run.
    """
    folder = files("cobranza_sdk.store") / "migrations" / "versions"
    revisions = [path.name.split("_")[0] for path in folder.iterdir() if path.name.endswith(".py")]

    assert max(revision for revision in revisions if revision.isdigit()) == _migrate.HEAD


def test_a_newer_schema_is_refused(opened: Any) -> None:
    """
    An older SDK must not write into what it does not understand.
    """
    store = opened()
    with writing(store._engine) as connection:
        connection.exec_driver_sql("UPDATE cobranza_version SET version_num = '9999'")

    with pytest.raises(StoreError, match="9999, newer than") as caught:
        opened()

    assert "newer cobranza-sdk" in (caught.value.hint or "")


def test_opening_again_changes_nothing(world: Any, clock: FixedClock) -> None:
    """
    Every process start runs the migrations: the second run finds nothing to do.
    """
    world.accepted()
    before = world.dump()

    Store.open(f"sqlite:///{world.path}", clock=clock, ids=world.ids).close()

    assert world.dump() == before


def test_four_workers_that_start_at_once_migrate_once(tmp_path: Path, clock: FixedClock) -> None:
    """
    A first start of several processes on an empty file leaves one schema and no error.
    """
    gate = threading.Barrier(4)

    def start(_: int) -> str | None:
        gate.wait()
        store = Store.open(f"sqlite:///{tmp_path / 'new.db'}", clock=clock, ids=TimeIds(clock))
        reason = store.tenant("t1").switch.reason()
        store.close()
        return reason

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(start, range(4))) == [None] * 4
    with sqlite3.connect(tmp_path / "new.db") as connection:
        assert connection.execute("SELECT version_num FROM cobranza_version").fetchall() == [(_migrate.HEAD,)]
    connection.close()


# -- the ledger ------------------------------------------------------------------------------------------------------


def test_no_code_changes_or_deletes_an_event() -> None:
    """
    The ledger is appended to: no statement in the room updates it or deletes anything at all.
    """
    found = []
    for path in sorted(ROOM.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            first = ast.unparse(node.args[0]) if node.args else ""
            if name == "delete" or (name == "update" and first == "events"):
                found.append(f"{path.name}:{node.lineno}")

    assert found == []


def test_events_are_read_past_a_page_in_order(world: Any) -> None:
    """
    A reader that stops at the first page would miss what happened since.
    """
    for number in range(1203):
        (world.tenant.switch.stop("x", by="ana") if number % 2 else world.tenant.switch.resume(by="ana"))
    found = [event.seq for event in world.tenant.events()]

    assert found == sorted(set(found))
    assert len(found) == 1203
    assert [event.seq for event in world.tenant.events(after=found[700])] == found[701:]
    assert len(list(world.tenant.events(kinds=["dispatch.stopped"]))) == 601


def test_events_are_found_by_what_they_concern(world: Any) -> None:
    """
    The history of one attempt is asked for by its id, whole and no part of another's.
    """
    one, two = world.accepted("D-1", "M-1"), world.accepted("D-2", "M-2")

    found = list(world.acme.events(subject=one))

    assert {event.subject_refs["attempt"] for event in found} == {one}
    assert [event.kind for event in found] == [event.kind for event in world.acme.events(subject=two)]
    assert list(world.acme.events(subject=one[:-1])) == []
    assert list(world.acme.events(subject="%")) == []


# -- types -----------------------------------------------------------------------------------------------------------

zones = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(st.datetimes(min_value=datetime(1, 1, 3), max_value=datetime(9999, 12, 29), timezones=zones))  # noqa: DTZ001  # bounds
def test_an_instant_comes_back_as_it_went(at: datetime) -> None:
    """
    To the microsecond and in UTC, before the epoch too.
    """
    column = Instant()

    stored = column.process_bind_param(at, None)
    found = column.process_result_value(stored, None)

    assert type(stored) is int
    assert (found, found and found.utcoffset()) == (at, timedelta(0))


def test_a_naive_instant_is_refused() -> None:
    """
    A time without an offset has no place on the clock.
    """
    with pytest.raises(TypeError):
        Instant().process_bind_param(datetime(2026, 8, 5), None)  # noqa: DTZ001  # the point


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=4), values, max_size=5), st.randoms(use_true_random=False))
def test_equal_data_are_equal_bytes(data: dict[str, Any], chance: Any) -> None:
    """
    Digests and fingerprints compare texts: the order of a dictionary must not show.
    """
    names = list(data)
    chance.shuffle(names)

    assert dumps({name: data[name] for name in names}) == dumps(data)


def test_canonical_json_is_short_and_keeps_letters() -> None:
    """
    The form is fixed: stored digests would change with it.
    """
    assert dumps({"b": [1, None], "a": "ñ"}) == '{"a":"ñ","b":[1,null]}'


def test_a_closed_store_lets_the_file_go(opened: Callable[[], Store], tmp_path: Path) -> None:
    """
    A host that stops must be able to move the file: no write-ahead log is left behind.
    """
    store = opened()
    store.tenant("t1").switch.stop("x", by="ana")

    store.close()

    assert not (tmp_path / "real.db-wal").exists()


def test_the_clock_of_events_is_the_stores(world: Any, later: Any) -> None:
    """
    Time is a port: what happened and when it was written come from one clock, in UTC.
    """
    later(hours=1)
    world.tenant.switch.stop("x", by="ana")

    (event_,) = world.tenant.events()

    assert (event_.at, event_.recorded_at) == (datetime(2026, 8, 5, 16, 0, tzinfo=UTC),) * 2
