"""The journal: the one place that keeps results. SQLite by default, PostgreSQL with `--store`.

Reading and writing are functions over a connection (`runs`, `items`); `Journal` says where and in
which thread they run: `await journal.write(items.add_items, run, rows)`, `journal.read(…)`.
"""

import asyncio
import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from amx_kimi.arguments import text, wrong
from amx_kimi.conceal import conceal_url
from amx_kimi.config import journal_path
from amx_kimi.databases.drivers import with_driver
from amx_kimi.errors import JournalError
from amx_kimi.files import private_file, private_folder
from amx_kimi.interrupts import held_back
from amx_kimi.journal.lease import Claim, check_claim, taken_over
from amx_kimi.journal.meant import run_itself, run_with_results
from amx_kimi.journal.results import Described, described
from amx_kimi.journal.runs import (
    Run,
    Totals,
    begin_request,
    list_runs,
    settle_request,
    totals,
)
from amx_kimi.journal.schema import is_journal, meta, migrate
from amx_kimi.journal.writer import Writer
from amx_kimi.settings import Settings
from amx_kimi.types import Ask, Attempt, Message

__all__ = ["Journal", "RunRecorder", "digest_of"]

_P = ParamSpec("_P")
_T = TypeVar("_T")
_BUSY_SECONDS = 30.0
_NOT_IN_PATHS = frozenset("@=:")
_FIRST = "The first `amx-kimi run` creates it."


class Journal:
    """An open journal.

    Args:
        store: a SQLAlchemy URL, or the path of a SQLite file (made 0600); by default kimi.db in
            AMX's folder.
        create: False for those who only read: an absent journal is then an error.

    Raises:
        JournalError: it cannot be opened, or a newer amx-kimi wrote it.
        ConfigError: `store` is neither a text nor a path.
    """

    def __init__(self, store: str | Path | None = None, *, create: bool = True) -> None:
        if store is None:
            store = journal_path(Settings.from_environment().config_dir)
        if not isinstance(store, str | Path):
            raise wrong("store", "a text or a path", store)
        if isinstance(store, str) and "://" not in text("store", store):
            store = _path_of(store)
        self.name = str(store) if isinstance(store, Path) else conceal_url(store)
        try:
            self._engine = _open(store, create)
            _prepare(self._engine, create)
        except (SQLAlchemyError, OSError, ImportError, ValueError) as error:
            reason = getattr(error, "orig", None) or error
            raise JournalError(
                f"The journal {self.name} cannot be opened: {reason}",
                remedy="Use --store for another one, or set AMX_CONFIG_DIR to another folder.",
            ) from None
        self.claim: Claim | None = None
        """The claim of the run that this process is at work on: whatever `write` does is done under
        it, or not at all."""
        self._reader = self._engine.execution_options(reading=True)
        self._writer = Writer(self._engine)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Finish writing and close the file."""
        with held_back():
            self._writer.close()
            self._engine.dispose()

    def runs(self) -> list[Run]:
        """Every run, newest first."""
        return list(self.stream(list_runs))

    def run(self, name: str = "last") -> Run:
        """A run, by its id or the beginning of it; `last` is the newest in which something is
        described.

        Raises:
            JournalError: there is none, or several begin so.
        """
        return self.read(run_with_results, text("run", name))

    def suggestions(self, run: str) -> Iterator[Described]:
        """Every column and table of a run (named as for `run`), in the database's order: each
        table, then its columns; with what was suggested, and what people decided.

        Raises:
            JournalError: there is no such run.
        """
        return self.stream(described, self.read(run_itself, text("run", run)).id)

    def totals(self, run: str) -> Totals:
        """A run (named as for `run`) in figures: columns, requests, tokens, cost.

        Raises:
            JournalError: there is no such run.
        """
        return self.read(totals, self.read(run_itself, text("run", run)).id)

    def compact(self) -> None:
        """Give the room of deleted rows back; a PostgreSQL server does that by itself.

        Raises:
            JournalError: another process is at work in it.
        """
        self._writer.check_open()
        if self._engine.dialect.name == "sqlite":
            with self._explained(), closing(self._engine.raw_connection()) as connection:
                connection.cursor().execute("VACUUM")

    async def write(
        self, function: Callable[Concatenate[Connection, _P], _T], *args: _P.args, **kw: _P.kwargs
    ) -> _T:
        """Run a writing function in the writer's thread; returns once it is committed.

        Raises:
            JournalError: the journal could not be written, or another worker has taken over the run
                that is claimed.
        """
        claim = self.claim

        def job(connection: Connection) -> _T:
            if claim is not None:
                check_claim(connection, claim)
            return function(connection, *args, **kw)

        return await self._queue(job)

    async def write_anyway(
        self, function: Callable[Concatenate[Connection, _P], _T], *args: _P.args, **kw: _P.kwargs
    ) -> _T:
        """The same of what is kept under whosever claim, such as money that was spent."""
        return await self._queue(lambda connection: function(connection, *args, **kw))

    async def _queue(self, job: Callable[[Connection], _T]) -> _T:
        if self._writer.full:  # then queueing may block, which an event loop must not
            future = await asyncio.to_thread(self._writer.submit, job)
        else:
            future = self._writer.submit(job)
        with self._explained():
            result: _T = await asyncio.wrap_future(future)
        return result

    def write_now(
        self, function: Callable[Concatenate[Connection, _P], _T], *args: _P.args, **kw: _P.kwargs
    ) -> _T:
        """The same for callers without an event loop."""
        future = self._writer.submit(lambda connection: function(connection, *args, **kw))
        with self._explained():
            result: _T = future.result()
        return result

    def read(
        self, function: Callable[Concatenate[Connection, _P], _T], *args: _P.args, **kw: _P.kwargs
    ) -> _T:
        """Run a reading function in this thread.

        Raises:
            JournalError: the journal could not be read, or is closed.
        """
        self._writer.check_open()
        with self._explained(), self._reader.connect() as connection:
            return function(connection, *args, **kw)

    def stream(
        self,
        function: Callable[Concatenate[Connection, _P], Iterator[_T]],
        *args: _P.args,
        **kw: _P.kwargs,
    ) -> Iterator[_T]:
        """Yield from a reading function without holding its rows in memory."""
        self._writer.check_open()
        with self._explained(), self._reader.connect() as connection:
            options = connection.execution_options(stream_results=True, max_row_buffer=500)
            yield from function(options, *args, **kw)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (SQLAlchemyError, UnicodeError) as error:
            reason = getattr(error, "orig", None) or error
            raise JournalError(
                f"The journal {self.name} failed: {reason}",
                remedy="Earlier results are kept. Free some space or repair it, then resume.",
            ) from None


class RunRecorder:
    """Keeps a run's attempts: a row before sending, settled after."""

    def __init__(self, journal: Journal, run: str) -> None:
        self._journal = journal
        self._run = run

    async def begin(self, ask: Ask, *, worst: Decimal | None, **sent: Any) -> int:
        """A durable row; returns its id.

        Raises:
            JournalError: another worker has taken the run over: nothing may be sent.
        """
        fields = {"label": ask.label, "digest": digest_of(ask.messages), **sent}
        return await self._journal.write(begin_request, self._run, worst, fields)

    async def settle(self, request: int, attempt: Attempt) -> None:
        """How the attempt ended; what it cost is kept in any case.

        Raises:
            JournalError: another worker has taken the run over: the answer is not to be kept.
        """
        fence = await self._journal.write_anyway(settle_request, request, attempt)
        claim = self._journal.claim
        if claim is not None and fence != claim.fence:
            raise taken_over(claim.run)


def digest_of(messages: Sequence[Message]) -> str:
    """SHA-256 of chat messages, in hexadecimal: what `payload` prints and a run keeps."""
    text = json.dumps(list(messages), ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _path_of(store: str) -> Path:
    """The path of a journal's file, and not a connection string with a password in it."""
    path = Path(store)
    if set(store) & _NOT_IN_PATHS and not path.is_file():
        raise JournalError(
            "The journal (--store) must be a database URL or a file path",
            remedy="Examples: postgresql://user@host/database, sqlite:///folder/file.db, or "
            "folder/file.db.",
        )
    return path


def _open(store: str | Path, create: bool) -> Engine:
    if create and isinstance(store, Path):
        private_folder(store.parent)
    if isinstance(store, Path):
        url = _private_sqlite(store, create)
    else:
        url = with_driver(make_url(store), JournalError)
        if url.get_backend_name() == "sqlite":
            url = _private_sqlite(_file_of(url), create)
        elif url.get_backend_name() != "postgresql":
            raise JournalError(
                f"A journal must be in SQLite or PostgreSQL, not in {url.get_backend_name()}"
            )
    if url.get_backend_name() != "sqlite":
        return create_engine(url)
    engine = create_engine(url, connect_args={"timeout": _BUSY_SECONDS})
    event.listen(engine, "connect", _set_up_sqlite)
    if create:  # a reader changes nothing, not even the header of a file that is no journal
        event.listen(engine, "connect", _write_ahead)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _file_of(url: URL) -> Path:
    """The file that a SQLite URL means, in its one spelling."""
    is_plain = url.drivername in ("sqlite", "sqlite+pysqlite") and not url.query
    if not is_plain or not url.database or url.database.startswith((":", "file:")):
        raise JournalError(
            "A journal in SQLite is a file, and its URL has no options",
            remedy="Example: sqlite:///folder/file.db.",
        )
    return Path(url.database)


def _private_sqlite(file: Path, create: bool) -> URL:
    """The URL of a file that is made readable by its owner only, and is no link."""
    if not create and not file.exists():
        raise JournalError(f"There is no journal {file} yet", remedy=_FIRST)
    if file.is_symlink():
        raise JournalError(
            f"The journal {file} is a link to {file.readlink()}; it must not be one",
            remedy="Put the file itself there, or name it with --store.",
        )
    if _is_of_others(file):
        raise JournalError(
            f"{file} is a database of something else, not a journal: nothing was written to it",
            remedy="Name another file; a new one is created.",
        )
    private_file(file, tighten=False)  # a team may share one
    return URL.create("sqlite", database=str(file))


def _is_of_others(file: Path) -> bool:
    """Whether a file is a SQLite database with tables, but without ours. One without tables may be
    a journal that another process is creating now."""
    if not file.is_file():  # a pipe would be waited for
        return False
    readable = f"{file.absolute().as_uri()}?mode=ro"
    try:
        with closing(sqlite3.connect(readable, uri=True)) as connection:
            rows = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
            names = {name for (name,) in rows}
    except sqlite3.Error:  # there is no such file yet, or opening it says what is wrong
        return False
    return bool(names) and meta.name not in names


def _prepare(engine: Engine, create: bool) -> None:
    try:
        with engine.begin() as connection:
            if not create and not is_journal(connection):
                raise JournalError("This database contains no journal", remedy=_FIRST)
            migrate(connection)
    except BaseException:
        engine.dispose()
        raise


def _set_up_sqlite(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # transactions begin where we say: see _begin_sqlite
    cursor = connection.cursor()
    cursor.execute("PRAGMA synchronous=FULL")  # a paid answer survives a power cut
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _write_ahead(connection: Any, _: Any) -> None:
    connection.execute("PRAGMA journal_mode=WAL").close()


def _begin_sqlite(connection: Connection) -> None:
    # The driver itself would leave CREATE TABLE and reads before a write outside the transaction.
    reading = connection.get_execution_options().get("reading")
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")
