"""Items, batches and profiles in few words; a database of either kind; a run from end to end."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import text

from amx_kimi.annotate.asking import Progress
from amx_kimi.annotate.batch import Batch, Piece
from amx_kimi.annotate.ending import Result
from amx_kimi.annotate.job import Job
from amx_kimi.annotate.opening import Target
from amx_kimi.annotate.prompt import Wanted
from amx_kimi.annotate.run import RunSpec, Watch, execute
from amx_kimi.config import LearnedStore, Overlay, Profile
from amx_kimi.facts import EndpointRow, Quirk
from amx_kimi.journal import Described, Journal, Run, Stored, results, runs
from amx_kimi.redact import ColumnFacts, Masked, Redactor, kept
from amx_kimi.sandbox import Sandbox
from amx_kimi.settings import Settings
from amx_kimi.types import Item, RawFacts
from tests.conftest import KEY

THINKING = "kimi-k2-thinking"
CHAT = "kimi-k2-0905-preview"
"""A model that does not think and returns log-probabilities."""


def table_item(name: str, schema: str = "public", **more: Any) -> Item:
    """A table."""
    return Item(schema, name, "", more.pop("kind", "table"), 0, **more)


def column_item(table: Item, name: str, position: int = 1, **more: Any) -> Item:
    """A column of a table."""
    return Item(table.schema, table.table, name, "column", position, **more)


def mask(column: str, value: str, occurrences: int) -> Masked:
    """A value of a column, as it may leave under no rules."""
    return Redactor().mask(column_item(table_item("t"), column), value, occurrences)


def redact(column: str, raw: RawFacts, *, values: bool = True) -> ColumnFacts:
    """A column's facts, as they may leave under no rules."""
    return Redactor(samples=values).column(column_item(table_item("t"), column), raw)


def piece_of(table: Item, columns: Sequence[str], *, first_id: int = 1, ask: bool = True) -> Piece:
    """A table's piece; ids in the journal count from `first_id`, the table's own first."""
    stored = Stored(first_id, table, "key")
    pairs = tuple(
        (Stored(first_id + n, column_item(table, name, n), "key"), ColumnFacts())
        for n, name in enumerate(columns, 1)
    )
    return Piece(table, stored if ask else None, pairs, tuple(columns), kept(table))


def batch_of(*columns: str, table: str = "orders", ask: bool = True) -> Batch:
    """A batch of one table."""
    return Batch((piece_of(table_item(table), columns, ask=ask),))


def answer(entries: dict[str, Any]) -> str:
    """An answer of the contract, an entry a line."""
    lines = (f"{json.dumps(k)}: {json.dumps(v, ensure_ascii=False)}" for k, v in entries.items())
    return "{" + ",\n ".join(lines) + "}"


def profile_at(url: str, model: str = THINKING, **fields: Any) -> Profile:
    """A profile at an endpoint with the maker's list prices in USD."""
    row = EndpointRow(name="any", url=url, currency="USD", list_prices=True)
    fields.setdefault("overlay", Overlay(concurrency=4))
    return Profile(**{"name": "p", "endpoint": row, "model": model, "api_key": KEY, **fields})


@dataclass
class Database:
    """A database to describe, of either kind; `execute` is another connection's work."""

    url: str
    kind: str

    def execute(self, *statements: str) -> None:
        """Run statements, each committed."""
        if self.kind == "sqlite":
            connection = sqlite3.connect(self.url.removeprefix("sqlite:///"))
            try:
                for statement in statements:
                    connection.execute(statement)
                connection.commit()
            finally:
                connection.close()
            return
        with psycopg.connect(self.url, autocommit=True) as there:
            for statement in statements:
                there.execute(statement)  # type: ignore[call-overload]


@dataclass
class World:
    """Everything that a run needs, and what came of it."""

    database: Database
    sandbox: Sandbox
    journal: Journal
    model: str = THINKING
    settings: Settings = field(default_factory=Settings)
    proven: bool = True  # the model has answered in our format before

    def job(self, **options: Any) -> Job:
        """A job; options of the profile are named `profile_…`."""
        model = options.pop("model", self.model)
        of_profile = {k: options.pop(k) for k in list(options) if k.startswith("profile_")}
        fields = {k.removeprefix("profile_"): v for k, v in of_profile.items()}
        options.setdefault("wanted", Wanted(alternatives=2))
        profile = profile_at(self.sandbox.url, model, **fields)
        if self.proven:
            proof = (Quirk("contract", "set", True),)
            LearnedStore(self.settings.config_dir).learn(profile.base_url, profile.model, proof)
        return Job(profile=profile, **options)

    def run(
        self,
        *,
        notify: Callable[[Progress], None] = lambda _: None,
        started: Callable[[str], None] = lambda _: None,
        resume: Run | None = None,
        job: Job | None = None,
        **options: Any,
    ) -> Result:
        """Run to its end."""
        spec = self.spec(job or self.job(**options), resume=resume)
        return execute(spec, Watch(started, notify))

    def spec(self, job: Job, **more: Any) -> RunSpec:
        """A run of a job over this world's database."""
        return RunSpec(job, Target(self.database.url), self.journal, self.settings, **more)

    def found(self, result: Result | str) -> dict[str, Described]:
        """Every item of a run by its name."""
        run = result if isinstance(result, str) else result.run
        return {d.item.name: d for d in self.journal.stream(results.described, run)}

    def statuses(self, result: Result | str) -> dict[str, str]:
        """The status of every item of a run."""
        return {name: found.status for name, found in self.found(result).items()}

    def stored(self, result: Result | str) -> Run:
        """The run's row."""
        name = result if isinstance(result, str) else result.run
        return self.journal.read(runs.find_run, name)

    def runs(self) -> list[Run]:
        """All runs."""
        return self.journal.read(lambda connection: list(runs.list_runs(connection)))

    def scalar(self, query: str) -> Any:
        """One figure from the journal's tables."""
        return self.journal.read(lambda connection: connection.execute(text(query)).scalar())

    def questions(self) -> list[dict[str, Any]]:
        """The JSON of every request that the sandbox saw."""
        bodies = [seen.body for seen in self.sandbox.chats if seen.body]
        return [json.loads(body["messages"][-1]["content"]) for body in bodies]

    def asked(self) -> list[str]:
        """`table.column` (or `table`) of everything that was asked, in order, with repeats."""
        names: list[str] = []
        for question in self.questions():
            for table in question["tables"]:
                short = table["name"].removeprefix("public.")
                names += [short] if table["ask"] else []
                names += [f"{short}.{column['name']}" for column in table["columns"]]
        return names


def journal_at(folder: Path) -> Journal:
    """A journal in a file."""
    return Journal(folder / "kimi.db")
