"""DuckDB: a file opened read-only, or data files as tables; statistics from a bounded sample.

Uses DuckDB's own API and `duckdb_…()` functions, because SQLAlchemy's dialect for DuckDB
(duckdb-engine) fails at reflection with DuckDB 2.0.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from amx_kimi.databases.base import (
    MOST_VALUES,
    Reading,
    Selection,
    TableGoneError,
    file_url,
    no_file,
    quoted,
)
from amx_kimi.databases.drivers import need_driver
from amx_kimi.databases.duckdb.connect import CONFIG, reason_of
from amx_kimi.databases.samples import document_keys
from amx_kimi.errors import SourceError
from amx_kimi.log import get_logger
from amx_kimi.types import Item, RawFacts

if TYPE_CHECKING:
    import duckdb

__all__ = ["DuckdbSource"]

_SAMPLE_ROWS = 10_000
_VALUE_LENGTH = 300
_DEFINITION_LENGTH = 4_000
_MOST_LABELS = 50
_TEXT_LENGTH = 2_000
_DOCUMENT_LENGTH = 20_000
_LABEL = re.compile(r"'((?:[^']|'')*)'")

_SCHEMAS = """
SELECT DISTINCT schema_name FROM duckdb_columns()
WHERE NOT internal AND database_name = current_database() ORDER BY 1
"""

_RELATIONS = """
SELECT schema_name, table_name, 'table', estimated_size, coalesce(comment, ''), ''
FROM duckdb_tables() WHERE NOT internal AND NOT temporary AND database_name = current_database()
UNION ALL
SELECT schema_name, view_name, 'view', NULL, coalesce(comment, ''), coalesce(sql, '')
FROM duckdb_views() WHERE NOT internal AND NOT temporary AND database_name = current_database()
"""

_COLUMNS = """
SELECT schema_name, table_name, column_name, column_index, data_type, is_nullable,
       coalesce(comment, ''), column_default
FROM duckdb_columns() WHERE NOT internal AND database_name = current_database()
ORDER BY schema_name, table_name, column_index
"""

_CONSTRAINTS = """
SELECT schema_name, table_name, constraint_type, constraint_text, constraint_column_names,
       referenced_table, referenced_column_names
FROM duckdb_constraints() WHERE database_name = current_database()
ORDER BY schema_name, table_name, constraint_index
"""
_GENERATED = """
SELECT schema_name, table_name, column_name, generation_expression
FROM duckdb_columns() WHERE is_generated AND database_name = current_database()
"""


class DuckdbSource:
    """A DuckDB file.

    Raises:
        SourceError: duckdb is not installed, there is no such file, another process writes to
            it, or it is not a DuckDB file.
    """

    def __init__(self, path: Path, reading: Reading) -> None:
        if not path.is_file():
            raise no_file(path, "DuckDB file")
        need_driver("duckdb")
        import duckdb

        place = path.resolve()
        try:
            config = {**CONFIG, "enable_external_access": False, "lock_configuration": True}
            connection = duckdb.connect(str(place), read_only=True, config=config)
        except duckdb.Error as error:
            raise SourceError(
                f"{path} cannot be read as DuckDB: {reason_of(error)}",
                remedy="If another process writes to the file, or this one has opened it itself, "
                "close it there, or copy it.",
            ) from None
        self._begin(connection, reading)
        self.identity = f"duckdb:{place}"
        self.reopen = file_url("duckdb", place)

    def _begin(self, connection: "duckdb.DuckDBPyConnection", reading: Reading) -> None:
        self.notes: list[str] = []
        self._connection = connection
        self._reading = reading
        self._catalog = str(connection.execute("SELECT current_database()").fetchall()[0][0])

    def schemas(self) -> list[str]:
        """Every schema that has tables or views."""
        return [row[0] for row in self._rows(_SCHEMAS)]

    def tables(self) -> list[tuple[str, str]]:
        """As `Source.tables`."""
        return sorted((row[0], row[1]) for row in self._rows(_RELATIONS))

    def items(self, selection: Selection) -> Iterator[Item]:
        """As `Source.items`."""
        relations = {(row[0], row[1]): row for row in self._rows(_RELATIONS)}
        keys = _Keys.of(self._rows(_CONSTRAINTS))
        generated = {tuple(row[:3]): row[3] for row in self._generated()}
        tables = groupby(self._rows(_COLUMNS), key=lambda row: (row[0], row[1]))
        for place, columns in tables:
            relation = relations.get(place)
            if relation and selection.takes(*place):
                yield _table(relation, keys)
                for row in columns:
                    yield _column(row, keys, generated.get((*place, row[2])))

    def profile(self, table: Item, columns: Sequence[str]) -> Mapping[str, RawFacts]:
        """As `Source.profile`: for a large table, from some of its row groups."""
        import duckdb

        most = self._reading.most_rows
        too_many = most and (table.rows or 0) > most
        if table.kind == "view" or not self._reading.samples or too_many or not columns:
            return {}
        # With the catalog, because a schema may have the same name as its file.
        place = ".".join(map(quoted, (self._catalog, table.schema, table.table)))
        try:
            return self._sampled(place, table.rows, columns)
        except duckdb.CatalogException:
            raise TableGoneError(f"The table {table.name} was dropped during the run") from None
        except duckdb.Error as error:
            reason = reason_of(error)
            get_logger().warning("statistics.skipped", table=table.name, reason=f"{reason:.200}")
            self.notes.append(f"{table.name} was described without statistics: {reason:.120}")
            return {}

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _sampled(self, place: str, rows: int | None, columns: Sequence[str]) -> dict[str, RawFacts]:
        share = 100 * 2 * _SAMPLE_ROWS / rows if rows else 100
        pages = f" TABLESAMPLE SYSTEM ({share:.4f} PERCENT)" if share < 100 else ""
        named = ", ".join(map(quoted, columns))
        types = self._connection.execute(f"DESCRIBE SELECT {named} FROM {place}").fetchall()
        picked = ", ".join(_bounded(name, kind) for name, kind, *_ in types)
        self._connection.execute(
            f"CREATE OR REPLACE TEMP TABLE kimi_sample AS "
            f"SELECT {picked} FROM {place}{pages} LIMIT {_SAMPLE_ROWS + 1}"
        )
        found = {}
        for name, kind, *_ in self._connection.execute("DESCRIBE kimi_sample").fetchall():
            found[name] = self._facts(name, kind, sampled=bool(pages))
        self._connection.execute("DROP TABLE kimi_sample")
        return found

    def _facts(self, name: str, kind: str, *, sampled: bool) -> RawFacts:
        nested = kind.endswith("]") or kind.startswith(("STRUCT", "MAP", "UNION", "BLOB"))
        ends = "NULL, NULL" if nested else "min({0})::VARCHAR, max({0})::VARCHAR"
        # Not SUMMARIZE, whose averages fail on dates such as 9999-12-31 (DuckDB 2.0).
        least, greatest, distinct, filled, count = self._connection.execute(
            f"SELECT {ends}, approx_count_distinct({{0}}), count({{0}}), count(*) "
            "FROM kimi_sample".format(quoted(name))
        ).fetchall()[0]
        whole = not sampled and count <= _SAMPLE_ROWS
        values: list[tuple[str, int]] = []
        keys: tuple[tuple[str, int], ...] = ()
        if not nested:
            values = self._connection.execute(
                f"SELECT left({quoted(name)}::VARCHAR, {_VALUE_LENGTH}), count(*) AS n "
                f"FROM kimi_sample WHERE {quoted(name)} IS NOT NULL "
                f"GROUP BY 1 ORDER BY n DESC, 1 LIMIT {MOST_VALUES}"
            ).fetchall()
            if kind == "JSON" or (values and values[0][0].startswith("{")):
                keys = self._keys(name)
        if keys or nested:
            values, least, greatest = [], None, None
        countable = not filled or not (keys or nested)
        return RawFacts(
            nulls=count - filled if whole else None,
            distinct=self._distinct(name) if whole and countable else None,
            least=least[:_VALUE_LENGTH] if least and whole else None,
            greatest=greatest[:_VALUE_LENGTH] if greatest and whole else None,
            values=tuple(values),
            seen=distinct or 0,
            keys=keys,
        )

    def _distinct(self, name: str) -> int:
        row = self._connection.execute(
            f"SELECT count(DISTINCT {quoted(name)}) FROM kimi_sample"
        ).fetchone()
        return int(row[0]) if row else 0

    def _keys(self, name: str) -> tuple[tuple[str, int], ...]:
        rows = self._connection.execute(
            f"SELECT {quoted(name)}::VARCHAR FROM kimi_sample "
            f"WHERE {quoted(name)} IS NOT NULL LIMIT 1000"
        ).fetchall()
        return document_keys(Counter(row[0] for row in rows).items())

    def _generated(self) -> list[Any]:
        import duckdb

        try:
            return self._connection.execute(_GENERATED).fetchall()
        except duckdb.BinderException:  # before DuckDB 2.0, this is unknown
            return []

    def _rows(self, query: str) -> list[Any]:
        import duckdb

        try:
            return self._connection.execute(query).fetchall()
        except duckdb.Error as error:
            raise SourceError(f"The catalog cannot be read: {reason_of(error)}") from None


_Place = tuple[str, ...]  # (schema, table), and perhaps a column


class _Keys:
    """What constraints say, by (schema, table)."""

    def __init__(self) -> None:
        self.roles: dict[_Place, set[str]] = defaultdict(set)
        self.targets: dict[_Place, str] = {}
        self.checks: dict[_Place, list[str]] = defaultdict(list)
        self.composite: dict[_Place, list[str]] = defaultdict(list)

    @classmethod
    def of(cls, rows: Sequence[Any]) -> "_Keys":
        found = cls()
        for row in rows:
            found._add(row)
        return found

    def _add(self, row: Sequence[Any]) -> None:
        schema, table, kind, told, names, target, target_names = row
        word, role = {
            "PRIMARY KEY": ("primary", "pk"),
            "UNIQUE": ("unique", "unique"),
            "FOREIGN KEY": ("foreign", "fk"),
        }.get(kind, ("", ""))
        if kind == "CHECK" and len(set(names)) == 1:
            self.checks[schema, table, names[0]].append(told)
        if not word:
            return
        others = list(target_names or ())
        if len(names) > 1:
            refers = f" -> {target} ({', '.join(others)})" if target else ""
            members = ", ".join(names)
            self.composite[schema, table].append(f"{word} ({members}){refers}")
        for name, other in zip(names, others or [""] * len(names), strict=False):
            if role != "unique" or len(names) == 1:
                self.roles[schema, table, name].add(role)
            if target:
                its_target = f"{schema}.{target}.{other}"
                self.targets.setdefault((schema, table, name), its_target)


def _table(row: Sequence[Any], keys: _Keys) -> Item:
    schema, name, kind, rows, comment, sql = row
    composite = keys.composite.get((schema, name))
    return Item(
        schema=schema,
        table=name,
        column="",
        kind=kind,
        position=0,
        comment=comment,
        rows=rows,
        definition=sql[:_DEFINITION_LENGTH],
        details={"keys": composite} if composite else {},
    )


def _column(row: Sequence[Any], keys: _Keys, generated: str | None) -> Item:
    schema, table, name, position, type_, nullable, comment, default = row
    place = (schema, table, name)
    labels = _labels(type_)
    details = {
        "values": labels[:_MOST_LABELS] or None,
        "check": " AND ".join(keys.checks.get(place, ())) or None,
        "generated": generated,
        "identity": True if str(default or "").startswith("nextval(") else None,
    }
    return Item(
        schema=schema,
        table=table,
        column=name,
        kind="column",
        position=position,
        type=f"ENUM of {len(labels)}" if labels else type_,
        nullable=bool(nullable),
        key_role=",".join(sorted(keys.roles.get(place, ()))),
        fk=keys.targets.get(place, ""),
        comment=comment,
        details={key: value for key, value in details.items() if value is not None},
    )


def _labels(type_: str) -> list[str]:
    """An enum's values, which DuckDB lists in the type."""
    if not type_.startswith("ENUM("):
        return []
    return [label.replace("''", "'") for label in _LABEL.findall(type_)]


def _bounded(name: str, kind: str) -> str:
    """A column of the sample, without values that would fill the memory; only nulls stay null."""
    column = quoted(name)
    if kind == "VARCHAR":
        return f"left({column}, {_TEXT_LENGTH}) AS {column}"
    if kind == "JSON":
        short = f"length({column}) <= {_DOCUMENT_LENGTH}"
        return (
            f"CASE WHEN {short} THEN {column} WHEN {column} IS NOT NULL THEN '{{}}'::JSON END "
            f"AS {column}"
        )
    if kind == "BLOB":
        return f"CASE WHEN {column} IS NOT NULL THEN ''::BLOB END AS {column}"
    return column
