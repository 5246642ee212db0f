"""AMX's own history: writes our runs into it, so that AMX's review and `/apply` see them, and reads
what people accepted there.

Uses `history.db` and `pending_metadata.json` as AMX 0.17 and 0.19 do (examined in November 2026),
and imports nothing of AMX. As AMX does, it writes rows in one transaction, and only columns that
this version's tables have.
"""

import json
import os
import re
import socket
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from amx_kimi.errors import SourceError
from amx_kimi.files import check_regular, open_regular, plain_open, replacing
from amx_kimi.journal import Described, Run
from amx_kimi.publish.decision_file import clean
from amx_kimi.text import is_blank

__all__ = ["AmxText", "Handed", "accepted_texts", "hand_over"]

_TABLES = """
CREATE TABLE IF NOT EXISTS analysis_runs (
  id INTEGER PRIMARY KEY AUTOINCREMENT, started_at REAL NOT NULL, ended_at REAL, duration_sec REAL,
  status TEXT NOT NULL, command TEXT NOT NULL, mode TEXT, db_backend TEXT, db_profile TEXT,
  llm_provider TEXT, llm_model TEXT, scope_json TEXT, metrics_json TEXT, tokens_json TEXT,
  results_json TEXT, error_text TEXT, selected_count INTEGER NOT NULL DEFAULT 0,
  planned_count INTEGER NOT NULL DEFAULT 0, processed_count INTEGER NOT NULL DEFAULT 0,
  applied_count INTEGER NOT NULL DEFAULT 0, review_strategy TEXT, settings_json TEXT,
  created_by TEXT, hostname TEXT, client_version TEXT);
CREATE TABLE IF NOT EXISTS run_results (
  id INTEGER PRIMARY KEY AUTOINCREMENT, run_id INTEGER NOT NULL, saved_at REAL NOT NULL,
  schema_name TEXT NOT NULL, table_name TEXT NOT NULL, column_name TEXT,
  asset_kind TEXT NOT NULL DEFAULT 'table', source TEXT NOT NULL, confidence TEXT NOT NULL,
  logprob_score REAL, model_version TEXT NOT NULL DEFAULT '', reasoning TEXT,
  alternatives_json TEXT NOT NULL, evaluated_at REAL, applied_at REAL, chosen_description TEXT,
  evaluation TEXT, model TEXT, provider TEXT, created_by TEXT, hostname TEXT,
  FOREIGN KEY (run_id) REFERENCES analysis_runs(id));
"""
_TOOL = "amx-kimi"
_BUSY_SECONDS = 30
_MOST_PENDING = 256 * 1024 * 1024
_MARKUP = re.compile(r"\[/")  # AMX shows texts as rich markup: a closing tag ends it with an error
_REVIEWED = "Reviewed in amx-kimi at "
_EVALUATIONS = {"accept": "accepted", "edit": "custom", "reject": "skipped"}


@dataclass
class Handed:
    """What was handed over: AMX's number of the run, how many suggestions, how many of them are
    accepted and waiting for `/apply`, and a line for each that AMX cannot show."""

    run: int = 0
    suggestions: int = 0
    pending: int = 0
    problems: list[str] = field(default_factory=list)
    ids: set[int] = field(default_factory=set)


@dataclass(frozen=True)
class AmxText:
    """A text that people accepted in AMX. `by` is empty if AMX does not say who; `edited`: they
    wrote it themselves."""

    schema: str
    table: str
    column: str
    text: str
    model: str
    by: str
    at: str
    edited: bool = False


def hand_over(
    run: Run, rows: Iterable[Described], folder: Path, home: Path, *, profile: str, version: str
) -> Handed:
    """Write a run's suggestions to AMX's history, and accepted texts to its list for `/apply`.

    If a run is handed over again, whatever AMX has not applied yet is updated.

    Args:
        folder: AMX's folder, where `history.db` is; `home` is where its list always is.
        profile: AMX's name for the database.

    Raises:
        SourceError: AMX's history cannot be written.
    """
    handed = Handed()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with closing(_connect(folder / "history.db")) as db:
            db.executescript(_TABLES)
            db.execute("BEGIN IMMEDIATE")
            pending = _write(_History(db), run, rows, profile, version, handed)
            db.execute("COMMIT")
        pending = _queue(home / ".amx" / "pending_metadata.json", pending, handed)
    except (sqlite3.Error, OSError) as error:
        raise SourceError(f"AMX's files in {folder} cannot be written: {error}") from None
    handed.pending = len(pending)
    return handed


def accepted_texts(path: Path, profile: str) -> Iterator[AmxText]:
    """The texts that people accepted in AMX for a database profile, the latest for each item.

    Raises:
        SourceError: there is no such history, or it cannot be read.
    """
    if not path.is_file():
        raise SourceError(f"There is no AMX history at {path}")
    try:
        read_only = f"{path.resolve().as_uri()}?mode=ro"
        with closing(sqlite3.connect(read_only, uri=True)) as db:
            db.row_factory = sqlite3.Row
            rows = db.execute(_ACCEPTED, {"profile": profile}).fetchall()
    except sqlite3.Error as error:
        raise SourceError(f"{path} cannot be read as an AMX history: {error}") from None
    latest = {
        (row["schema_name"], row["table_name"], row["column_name"] or ""): row for row in rows
    }
    for (schema, table, column), row in latest.items():
        if row["evaluation"] != "skipped" and not is_blank(str(row["text"] or "")):
            yield AmxText(
                schema=schema,
                table=table,
                column=column,
                text=clean(str(row["text"])),
                model=str(row["model"] or "amx"),
                by=str(row["by_whom"] or ""),
                at=datetime.fromtimestamp(float(row["decided_at"]), UTC).isoformat(),
                edited=row["evaluation"] == "custom",
            )


_ACCEPTED = """
SELECT rr.schema_name, rr.table_name, rr.column_name, rr.evaluation, rr.chosen_description AS text,
       COALESCE(rr.model, ar.llm_model) AS model, rr.created_by AS by_whom,
       COALESCE(rr.applied_at, rr.evaluated_at, rr.saved_at) AS decided_at
FROM run_results rr JOIN analysis_runs ar ON ar.id = rr.run_id
WHERE ar.db_profile = :profile AND COALESCE(ar.client_version, '') NOT LIKE 'amx-kimi%'
  AND (rr.evaluation IN ('accepted', 'custom', 'skipped') OR rr.applied_at IS NOT NULL)
ORDER BY decided_at, rr.id
"""


class _History:
    """AMX's tables, whatever columns this version has."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self.db = db
        self._columns = {
            table: {row[1] for row in db.execute(f"PRAGMA table_info({table})")}
            for table in ("analysis_runs", "run_results")
        }

    def insert(self, table: str, values: Mapping[str, Any]) -> int:
        """A new row; returns its id."""
        known = self._known(table, values)
        names = ", ".join(known)
        marks = ", ".join("?" * len(known))
        insert = f"INSERT INTO {table} ({names}) VALUES ({marks})"
        done = self.db.execute(insert, list(known.values()))
        return int(done.lastrowid or 0)

    def update(self, table: str, id_: int, values: Mapping[str, Any]) -> None:
        """Change a row."""
        known = self._known(table, values)
        pairs = ", ".join(f"{key} = ?" for key in known)
        change = f"UPDATE {table} SET {pairs} WHERE id = ?"
        self.db.execute(change, [*known.values(), id_])

    def _known(self, table: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """The values for which this version of AMX has a column."""
        there = self._columns[table]
        return {key: value for key, value in values.items() if key in there}


def _connect(path: Path) -> sqlite3.Connection:
    descriptor = plain_open(path, os.O_CREAT | os.O_RDWR)
    try:
        check_regular(path, os.fstat(descriptor).st_mode)
    finally:
        os.close(descriptor)
    db = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
    try:
        db.execute("PRAGMA journal_mode=WAL")
    except sqlite3.Error:  # it is opened anyway
        db.close()
        raise
    return db


def _write(
    history: _History,
    run: Run,
    rows: Iterable[Described],
    profile: str,
    version: str,
    handed: Handed,
) -> list[dict[str, Any]]:
    handed.run = _run_of(history, run, profile, version)
    found = history.db.execute(
        "SELECT schema_name, table_name, column_name, id, applied_at, evaluated_at, reasoning "
        "FROM run_results WHERE run_id = ?",
        (handed.run,),
    )
    there = {
        (schema, table, column or ""): (id_, applied is not None or _is_theirs(evaluated, said))
        for schema, table, column, id_, applied, evaluated, said in found
    }
    pending, is_open = [], False
    kind, scope = "table", {}  # type: ignore[var-annotated]
    for row in rows:
        item = row.item
        kind = item.kind if not item.column else kind
        if row.suggestion is None:
            continue
        scope.setdefault(item.schema, {})[item.table] = None
        values = _result(handed.run, row, run, kind)
        place = (item.schema, item.table, item.column)
        id_, settled = there.get(place, (None, False))
        if id_ is not None:
            handed.ids.add(id_)
        if _MARKUP.search(values["alternatives_json"] + (values["chosen_description"] or "")):
            handed.problems.append(f"{item.name}: AMX cannot show a text with `[/`")
            continue
        handed.suggestions += 1
        is_open = is_open or row.decision is None
        if id_ is None:
            id_ = history.insert("run_results", values)
        elif not settled:
            history.update("run_results", id_, values)
        if not settled and row.decision and row.decision.text is not None:
            pending.append(_pending(row, id_, kind))
    _finish(history, handed.run, scope, is_open=is_open)
    return pending


def _is_theirs(evaluated_at: float | None, reasoning: str | None) -> bool:
    """Whether people evaluated our row in AMX, so that we must not change it."""
    if evaluated_at is None:
        return False
    _, mark, when = (reasoning or "").partition(_REVIEWED)
    try:
        return not mark or abs(datetime.fromisoformat(when).timestamp() - evaluated_at) > 0.001
    except ValueError:  # people have written there
        return True


def _run_of(history: _History, run: Run, profile: str, version: str) -> int:
    """AMX's number for our run: the present one, or a new one."""
    for id_, text in history.db.execute(
        "SELECT id, settings_json FROM analysis_runs WHERE client_version LIKE 'amx-kimi%'"
    ):
        if f'"run": "{run.id}"' in str(text):
            return int(id_)
    started = datetime.fromisoformat(run.started_at).timestamp()
    ended = datetime.fromisoformat(run.finished_at or run.started_at).timestamp()
    settings = {"tool": _TOOL, "run": run.id, "database": run.database, "ai_generated": True}
    return history.insert(
        "analysis_runs",
        {
            "started_at": started,
            "ended_at": ended,
            "duration_sec": ended - started,
            "status": "success",
            "command": "analyze.run",
            "mode": "chat",
            "db_backend": run.database.partition(":")[0],
            "db_profile": profile,
            "llm_provider": "kimi",
            "llm_model": run.model,
            "metrics_json": json.dumps({"duration_sec": ended - started}),
            "tokens_json": json.dumps(
                {"total_tokens": 0, "total_cost_usd": 0.0, "summary": [], "records": []}
            ),
            "results_json": "{}",
            "error_text": "",
            "review_strategy": "deferred",
            "settings_json": json.dumps(settings),
            "created_by": _TOOL,
            "hostname": socket.gethostname(),
            "client_version": f"{_TOOL} {version}",
        },
    )


def _result(number: int, row: Described, run: Run, kind: str) -> dict[str, Any]:
    suggestion, decision = row.answer, row.decision
    evaluated = datetime.fromisoformat(decision.at).timestamp() if decision else None
    return {
        "run_id": number,
        "saved_at": datetime.fromisoformat(run.started_at).timestamp(),
        "schema_name": row.item.schema,
        "table_name": row.item.table,
        "column_name": row.item.column or None,
        "asset_kind": kind,
        "source": _TOOL,
        "confidence": suggestion.confidence,
        "logprob_score": suggestion.score,
        "model_version": f"kimi/{row.model}",
        "reasoning": f"{_REVIEWED}{decision.at}" if decision else "",
        "alternatives_json": json.dumps(list(suggestion.alternatives), ensure_ascii=False),
        "evaluated_at": evaluated,
        "chosen_description": (decision.text or "") if decision else None,
        "evaluation": _EVALUATIONS[decision.action] if decision else None,
        "model": row.model,
        "provider": "kimi",
        "created_by": decision.by if decision else _TOOL,
        "hostname": socket.gethostname(),
    }


def _pending(row: Described, id_: int, kind: str) -> dict[str, Any]:
    return {
        "schema": row.item.schema,
        "table": row.item.table,
        "column": row.item.column or None,
        "result_id": id_,
        "final_description": row.text,
        "confidence": row.answer.confidence,
        "source": _TOOL,
        "asset_kind": kind,
    }


def _finish(
    history: _History, number: int, scope: Mapping[str, Mapping[str, None]], *, is_open: bool
) -> None:
    tables = sum(len(names) for names in scope.values())
    history.update(
        "analysis_runs",
        number,
        {
            "status": "ready_for_review" if is_open else "success",
            "scope_json": json.dumps({schema: list(names) for schema, names in scope.items()}),
            "selected_count": tables,
            "planned_count": tables,
            "processed_count": tables,
        },
    )


def _listed(path: Path) -> str:
    with open_regular(path, _MOST_PENDING) as file:
        return file.read().decode("utf-8")


def _queue(path: Path, pending: list[dict[str, Any]], handed: Handed) -> list[dict[str, Any]]:
    """Update our texts on AMX's list for `/apply`; other entries stay. Returns those that are on
    the list now."""
    if not pending and not path.exists():
        return []
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        there = json.loads(_listed(path)) if path.exists() else []
    except ValueError:
        there = None
    if not isinstance(there, list) or not all(isinstance(row, dict) for row in there):
        raise SourceError(
            f"AMX's list {path} cannot be read", remedy="Apply or clear it in AMX first."
        )
    others: list[dict[str, Any]] = []
    for row in there:
        is_ours = row.get("source") == _TOOL and row.get("result_id") in handed.ids
        if not is_ours:
            others.append(row)
    taken = {_place(row) for row in others}
    ours = [row for row in pending if _place(row) not in taken]
    for row in pending:
        if _place(row) in taken:
            name = ".".join(part for part in _place(row) if part)
            handed.problems.append(f"{name}: another text is waiting in AMX for its /apply")
    with replacing(path) as file:
        json.dump([*others, *ours], file, indent=2, ensure_ascii=False)
    return ours


def _place(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return row.get("schema"), row.get("table"), row.get("column")
