"""
Opens the database and holds it to the promises: durable, one writer, no transaction that only looks like one.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, StatementError

from cobranza_sdk.model import CobranzaError

_BUSY_MS = 30_000
_WAL_PAUSE_MS = 20
#: Execution option with which a reading connection opts out of BEGIN IMMEDIATE.
_READS = "cobranza_reads"
#: What a database refuses; the driver's own errors come bare from a connection that is being opened.
_REFUSALS = (StatementError, sqlite3.Error)
_HINT = "is the disk full, or does another process hold the database?"


class StoreError(CobranzaError):
    """
    The store cannot be opened or used.
    """


def open_engine(url: str, *, base: Path | None = None) -> Engine:
    """
    Make an engine for *url*; a SQLite path is relative to *base*.

    Raises:
        StoreError: The address is of no known kind.
    """
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite":
            if not parsed.database or parsed.database == ":memory:":
                msg = "store.url: found SQLite in memory, expected a file: sqlite:///cobranza.db"
                raise StoreError(msg)
            path = (base or Path()) / parsed.database
            return prepare_engine(create_engine(parsed.set(database=str(path))))
        return prepare_engine(create_engine(parsed))
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        msg = "store.url: found no address that SQLAlchemy knows, expected sqlite:///cobranza.db"
        raise StoreError(msg) from error


def prepare_engine(engine: Engine) -> Engine:
    """
    Put the settings on *engine* that the store's promises rest on. The host's own engine is taken as well.

    SQLite: WAL, ``synchronous=FULL``, foreign keys, and BEGIN IMMEDIATE for every transaction that may write: with the
    driver's default a read before the first write is outside the transaction, and caps are overshot. Law 10: what a
    statement was given stands in no error text and in no log.
    """
    engine.hide_parameters = True
    if engine.dialect.name == "sqlite" and not event.contains(engine, "begin", _on_begin):
        event.listen(engine, "connect", _on_connect)
        event.listen(engine, "begin", _on_begin)
    return engine


def _on_connect(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the driver opens no transactions of its own
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={_BUSY_MS}")
    _into_wal(cursor)
    for pragma in (
        "synchronous=FULL",
        "foreign_keys=ON",
        "trusted_schema=OFF",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _into_wal(cursor: Any) -> None:
    """
    Switch the file to WAL. While another process does so, SQLite refuses at once: its busy timeout has no say here.
    """
    for _ in range(_BUSY_MS // _WAL_PAUSE_MS):
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error):
                raise
        else:
            return
        threading.Event().wait(_WAL_PAUSE_MS / 1000)
    cursor.execute("PRAGMA journal_mode=WAL")


def _on_begin(connection: Connection) -> None:
    reads = connection.get_execution_options().get(_READS, False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """
    One transaction that may write; committed at the end, rolled back on any exception.

    Raises:
        StoreError: The database refused, for example because it is full or locked by another process.
    """
    try:
        with engine.begin() as connection:
            yield connection
    except _REFUSALS as error:
        msg = f"the store refused the transaction ({_cause(error)}); nothing was half-applied"
        raise StoreError(msg, hint=_HINT) from error


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """
    One consistent view that writes nothing.

    Raises:
        StoreError: The database cannot be read.
    """
    try:
        with engine.connect().execution_options(**{_READS: True}) as connection:
            yield connection
            connection.rollback()
    except _REFUSALS as error:
        msg = f"the store cannot be read ({_cause(error)})"
        raise StoreError(msg, hint=_HINT) from error


def _cause(error: Exception) -> str:
    return type(getattr(error, "orig", None) or error).__name__


def insert_ignoring(connection: Connection, table: Any) -> Any:
    """
    An INSERT that skips rows which a unique key refuses.
    """
    dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
    return dialect.insert(table).on_conflict_do_nothing()


def upsert(connection: Connection, table: Any, values: dict[str, Any], *, keys: tuple[str, ...]) -> Any:
    """
    An INSERT that replaces the other columns of the row with the same *keys*.
    """
    dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(table).values(**values)
    changed = {name: statement.excluded[name] for name in values if name not in keys}
    return statement.on_conflict_do_update(index_elements=list(keys), set_=changed)
