"""Opening a journal, its schema, and where functions run."""

from __future__ import annotations

import asyncio
import sqlite3
import stat
import threading
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, insert, select, text
from sqlalchemy.engine import make_url

from amx_kimi.errors import JournalError
from amx_kimi.journal import Journal, RunRecorder, items, results, runs, schema
from amx_kimi.types import Ask, Item

from .helpers import add, all_of, attempt, begin, column, columns, save, states, until_async


def version_of(connection: Connection) -> int:
    return int(connection.execute(schema.meta.select()).scalar_one())


def test_opening_it_twice_keeps_what_is_there(store: str | Path) -> None:
    with Journal(store) as first:
        run = begin(first)
    with Journal(store) as second:
        assert second.read(runs.find_run, run).id == run
        assert second.read(version_of) == schema.SCHEMA_VERSION
        second.write_now(schema.migrate)
        assert second.read(version_of) == schema.SCHEMA_VERSION


def test_a_newer_schema_is_refused(store: str | Path) -> None:
    with Journal(store) as journal:
        journal.write_now(lambda c: c.execute(schema.meta.update().values(schema_version=99)))
    with pytest.raises(JournalError, match=r"(?s)version 99.*Upgrade amx-kimi"):
        Journal(store)


def test_an_older_schema_is_brought_forward(
    store: str | Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Journal(store):
        pass
    steps: list[int] = []

    def second_step(connection: Connection) -> None:
        steps.append(2)
        connection.execute(text("CREATE TABLE added (a INTEGER)"))

    now = schema.SCHEMA_VERSION
    later = {now: lambda _: steps.append(1), now + 1: second_step}
    monkeypatch.setattr(schema, "_MIGRATIONS", later)
    monkeypatch.setattr(schema, "SCHEMA_VERSION", now + 2)
    with Journal(store) as journal:
        assert journal.read(version_of) == now + 2
        journal.write_now(lambda c: c.execute(text("INSERT INTO added VALUES (1)")))
    with Journal(store):
        assert steps == [1, 2]


def test_the_first_versions_journal_is_brought_forward(store: str | Path) -> None:
    with Journal(store) as journal:
        run = begin(journal)
        for statement in (
            "ALTER TABLE columns DROP COLUMN details",
            "ALTER TABLE columns DROP COLUMN shared_with",
            "ALTER TABLE requests DROP COLUMN digest",
            "ALTER TABLE runs DROP COLUMN fence",
            "ALTER TABLE runs DROP COLUMN lease_until",
            "UPDATE kimi_meta SET schema_version = 1",
        ):
            journal.write_now(lambda c, s=statement: c.execute(text(s)))
    with Journal(store) as journal:
        item = Item("s", "t", "c", "column", 1, details={"values": ["a"]})
        journal.write_now(items.add_items, run, [(item, "k", "pending")])
        (stored,) = journal.read(items.pending, run, 0, 5)
        assert stored.item == item


def test_a_migration_that_fails_changes_nothing(
    store: str | Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Journal(store) as journal:
        run = begin(journal)

    def fail(connection: Connection) -> None:
        connection.execute(text("CREATE TABLE half (a INTEGER)"))
        connection.execute(text("SELECT * FROM nowhere"))

    with monkeypatch.context() as patch:
        now = schema.SCHEMA_VERSION
        patch.setattr(schema, "_MIGRATIONS", {now: fail})
        patch.setattr(schema, "SCHEMA_VERSION", now + 1)
        with pytest.raises(JournalError, match=r"(?s)cannot be opened.*nowhere"):
            Journal(store)
    with Journal(store) as journal:
        assert journal.read(version_of) == now
        assert journal.read(runs.find_run, run)
        with pytest.raises(JournalError):
            journal.read(lambda c: c.execute(text("SELECT * FROM half")).all())


def test_a_file_of_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "new" / "kimi.db"
    with Journal(path) as journal:
        begin(journal)
        for file in path.parent.iterdir():  # -wal and -shm too
            assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    "name", ["a b.db", "what?.db", "50%41.db", "#1.db", "é表😀.db", "q'uote.db"]
)
def test_odd_names_of_the_file(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with Journal(path) as journal:
        begin(journal)
    assert path.stat().st_size > 1000
    assert {file.name for file in tmp_path.iterdir()} <= {name, "home"}


def test_it_may_be_a_url_of_a_sqlite_file(tmp_path: Path) -> None:
    with Journal(f"sqlite:///{tmp_path}/x.db") as journal:
        run = begin(journal)
        assert journal.read(runs.find_run, run)


def test_the_file_of_a_url_is_its_owners_only_too(tmp_path: Path) -> None:
    with Journal(f"sqlite:///{tmp_path}/x.db"):
        assert stat.S_IMODE((tmp_path / "x.db").stat().st_mode) == 0o600


@pytest.mark.parametrize("form", ["{}", "sqlite:///{}"])
def test_a_reader_makes_no_journal(tmp_path: Path, form: str) -> None:
    path = tmp_path / "absent" / "kimi.db"
    store = form.format(path)
    with pytest.raises(JournalError, match=r"(?s)There is no journal .*kimi\.db yet.*run"):
        Journal(store if "://" in store else path, create=False)
    assert not path.parent.exists()


def test_a_reader_reads_what_is_there(store: str | Path) -> None:
    with Journal(store) as journal:
        run = begin(journal)
    with Journal(store, create=False) as reader:
        assert reader.read(runs.find_run, run).id == run


def test_a_reader_leaves_another_database_as_it_is(tmp_path: Path, fresh_postgres: str) -> None:
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE theirs (a INTEGER)")
    other.close()
    before = path.read_bytes()
    for place in (path, f"sqlite:///{path}", fresh_postgres):
        with pytest.raises(JournalError, match=r"contains no journal|something else"):
            Journal(place, create=False)
    assert path.read_bytes() == before
    assert not list(tmp_path.glob("other.db-*"))
    with Journal(fresh_postgres) as journal:  # its tables were not there yet
        assert journal.read(runs_of) == []


def runs_of(connection: Connection) -> list[str]:
    return [run.id for run in runs.list_runs(connection)]


def test_the_file_is_safe_against_a_power_cut(tmp_path: Path) -> None:
    with Journal(tmp_path / "kimi.db") as journal:
        pragmas = ("journal_mode", "synchronous", "foreign_keys")

        def read(connection: Connection) -> list[object]:
            return [connection.execute(text(f"PRAGMA {p}")).scalar() for p in pragmas]

        assert journal.read(read) == ["wal", 2, 1]


def test_a_broken_file(tmp_path: Path) -> None:
    path = tmp_path / "kimi.db"
    path.write_bytes(b"this is no database at all" * 100)
    with pytest.raises(JournalError, match=r"kimi\.db cannot be opened: file is not a database"):
        Journal(path)


def test_a_file_of_somebody_else(tmp_path: Path) -> None:
    path = tmp_path / "kimi.db"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE runs (a INTEGER)")
    other.close()
    with pytest.raises(JournalError, match="something else, not a journal"):
        Journal(path)
    with sqlite3.connect(path) as other:
        tables = other.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    other.close()
    assert tables == [("runs",)]


def test_a_folder_or_nothing_where_the_file_should_be(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="AMX_CONFIG_DIR"):
        Journal(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(JournalError, match="cannot be opened"):
        Journal(tmp_path / "file" / "kimi.db")
    with pytest.raises(JournalError, match="cannot be opened"):
        Journal(f"sqlite:///{tmp_path}/no/such/folder/kimi.db")


@pytest.mark.parametrize(
    ("store", "text"),
    [
        ("mysql://u:secret-pw@host/db", "not in mysql|No module|cannot be opened"),
        ("duckdb:///x", "not in duckdb|cannot be opened"),
        ("postgresql+nosuch://u:secret-pw@host/db", "'nosuch' is not supported by amx-kimi"),
        ("postgresql://u:secret-pw@host:port/db", "cannot be opened: .*'port'"),
        ("postgresql://u:secret-pw@more@host/db", "more than one @"),
        ("postgresql://h/db?password=secret-pw&sslpassword=secret-pw2", "cannot be opened"),
        ("sqlite:///x.db?mode=rwc", "has no options"),
        ("sqlite:///file:x.db?uri=true", "has no options"),
        ("sqlite:///file:x.db", "has no options"),
        ("sqlite://", "has no options"),
        ("sqlite+aiosqlite:///x.db", "has no options"),
        ("postgresql://u:secret-pw@127.0.0.1:9/db", "cannot be opened"),
    ],
)
def test_a_store_that_is_none(store: str, text: str) -> None:
    with pytest.raises(JournalError, match=text) as caught:
        Journal(store)
    assert "secret-pw" not in str(caught.value)


def test_its_name_hides_the_password(fresh_postgres: str) -> None:
    url = make_url(fresh_postgres).set(password="secret-pw")
    with Journal(url.render_as_string(hide_password=False)) as journal:
        assert "secret-pw" not in journal.name
        assert ":…@" in journal.name


def test_writing_from_an_event_loop_returns_the_result(journal: Journal) -> None:
    async def main() -> None:
        run = begin(journal)
        recorder = RunRecorder(journal, run)
        ask = Ask([], 0, label="orders")
        request = await recorder.begin(ask, model="m", budget=1, reason="first", worst=None)
        await recorder.settle(request, attempt(None))
        totals = journal.read(runs.totals, run)
        assert (totals.requests, totals.prompt) == (1, 100)

    asyncio.run(main())


def test_an_event_loop_is_not_held_up_by_a_full_queue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from amx_kimi.journal import writer

    monkeypatch.setattr(writer, "_MOST_WAITING", 2)
    entered, gate = threading.Event(), threading.Event()

    def hold(_: Connection) -> bool:
        entered.set()
        return gate.wait(10)

    async def main() -> None:
        with Journal(tmp_path / "kimi.db") as journal:
            jobs: list[asyncio.Task[Any]] = [asyncio.create_task(journal.write(hold))]
            await until_async(lambda: entered.is_set())
            jobs += [asyncio.create_task(journal.write(lambda _: 1)) for _ in range(6)]
            await until_async(lambda: journal._writer.full)
            for _ in range(50):
                await asyncio.sleep(0)  # the loop runs on
            gate.set()
            assert await asyncio.gather(*jobs) == [True, 1, 1, 1, 1, 1, 1]

    asyncio.run(asyncio.wait_for(main(), 20))


def test_what_fails_is_said_in_plain_words(journal: Journal) -> None:
    nowhere = text("SELECT * FROM nowhere")
    for call in (journal.read, journal.write_now):
        with pytest.raises(JournalError, match=r"failed: .*nowhere") as caught:
            call(lambda c: c.execute(nowhere))
        assert "resume" in caught.value.remedy
        assert "sqlalche.me" not in str(caught.value)
    with pytest.raises(JournalError):
        list(journal.stream(lambda c: iter(c.execute(nowhere))))
    with pytest.raises(JournalError):
        asyncio.run(journal.write(lambda c: c.execute(nowhere)))


def test_text_that_cannot_be_stored_is_said_in_plain_words(journal: Journal) -> None:
    run = begin(journal)
    with pytest.raises(JournalError, match="failed"):
        add(journal, run, column("a lone \ud83d surrogate"))
    assert states(journal, run) == {}


def test_other_errors_stay_what_they_are(journal: Journal) -> None:
    with pytest.raises(ZeroDivisionError):
        journal.write_now(lambda _: 1 // 0)


def test_a_file_that_becomes_unwritable(tmp_path: Path) -> None:
    path = tmp_path / "kimi.db"
    with Journal(path) as journal:
        run = begin(journal)
        add(journal, run, *columns(3))
        journal.write_now(lambda c: c.execute(text("PRAGMA query_only=ON")) and None)
        with pytest.raises(JournalError, match=r"kimi\.db failed: .*readonly"):
            begin(journal)
        assert len(states(journal, run)) == 3


def test_a_closed_journal_says_so(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "kimi.db")
    journal.close()
    journal.close()
    with pytest.raises(JournalError, match="closed"):
        begin(journal)
    with pytest.raises(JournalError, match="closed"):
        asyncio.run(journal.write(lambda _: 1))


def test_reading_does_not_wait_for_a_long_export(tmp_path: Path) -> None:
    with Journal(tmp_path / "kimi.db") as journal:
        run = begin(journal)
        add(journal, run, *columns(2000))
        export = journal.stream(results.described, run)
        next(export)
        save(journal, *journal.read(items.pending, run, 0, 10))
        assert journal.read(items.count_pending, run) == 1990
        assert sum(1 for _ in export) == 1999


def test_a_stream_is_not_held_in_memory_and_may_be_left(journal: Journal) -> None:
    run = begin(journal)
    add(journal, run, *columns(3000))
    stream = journal.stream(results.described, run)
    assert next(stream).item.column == "c1"
    stream.close()  # type: ignore[attr-defined]
    assert len(all_of(journal, run)) == 3000


def test_foreign_keys_hold(journal: Journal) -> None:
    with pytest.raises(JournalError, match="failed"):
        add(journal, "no-such-run", column("a"))
    with pytest.raises(JournalError, match="failed"):
        journal.write_now(
            lambda c: c.execute(
                insert(schema.decisions).values(
                    column_id=7, action="accept", decided_by="me", decided_at="now"
                )
            )
        )
    assert journal.read(lambda c: c.execute(select(schema.writes)).all()) == []
