"""PostgreSQL: read-only sessions with short timeouts; everything comes from its catalogs.

No table is scanned: rows from `reltuples`, the rest from `pg_stats`, as ANALYZE left them.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from itertools import chain
from typing import Any

from sqlalchemy import URL, Connection, create_engine, event, text
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from amx_kimi.annotate.sources.base import MOST_VALUES, RawFacts, Selection, TableGoneError
from amx_kimi.drivers import with_driver
from amx_kimi.errors import SourceError
from amx_kimi.types import Item

__all__ = ["PostgresqlSource"]

_SESSION = {  # set by SQL: every driver and pooler takes that
    "default_transaction_read_only": "on",
    "statement_timeout": "5s",
    "lock_timeout": "1s",
    "idle_in_transaction_session_timeout": "60s",
    "application_name": "amx-kimi",
    "client_encoding": "UTF8",
}
_CONNECT_SECONDS = 10
_DEFINITION_LENGTH = 4_000
_FETCH = 1_000

_SCHEMAS = """
SELECT nspname FROM pg_namespace
WHERE nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema' ORDER BY 1
"""

_KEYS = """
SELECT k.conrelid, a.attnum,
       string_agg(DISTINCT CASE k.contype WHEN 'p' THEN 'pk' WHEN 'u' THEN 'unique' ELSE 'fk' END,
                  ',') AS roles,
       min(CASE WHEN k.contype = 'f' THEN fn.nspname || '.' || fc.relname || '.' || fa.attname END)
           AS target
FROM pg_constraint k
JOIN LATERAL unnest(k.conkey) WITH ORDINALITY AS a(attnum, place) ON true
LEFT JOIN pg_class fc ON fc.oid = k.confrelid
LEFT JOIN pg_namespace fn ON fn.oid = fc.relnamespace
LEFT JOIN pg_attribute fa ON fa.attrelid = k.confrelid AND fa.attnum = k.confkey[a.place]
WHERE k.contype IN ('p', 'f') OR (k.contype = 'u' AND cardinality(k.conkey) = 1)
GROUP BY 1, 2
"""

_INVENTORY = f"""
WITH keys AS MATERIALIZED ({_KEYS})
SELECT n.nspname, c.relname, c.relkind, c.reltuples::bigint,
       coalesce(obj_description(c.oid, 'pg_class'), ''),
       CASE WHEN :definitions AND c.relkind IN ('v', 'm') AND coalesce(a.attnum, 1) = 1
            THEN left(pg_get_viewdef(c.oid), {_DEFINITION_LENGTH}) END,
       a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
       coalesce(col_description(c.oid, a.attnum), ''),
       coalesce(keys.roles, ''), coalesce(keys.target, '')
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN keys ON keys.conrelid = c.oid AND keys.attnum = a.attnum
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
  AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
  AND (:all_schemas OR n.nspname = ANY(:schemas))
ORDER BY n.nspname, c.relname, a.attnum
"""

_EXISTS = """
SELECT c.reltuples::bigint FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = :schema AND c.relname = :table
"""

_STATISTICS = """
SELECT attname, null_frac, n_distinct, most_common_vals::text::text[], most_common_freqs,
       (histogram_bounds::text::text[])[1],
       (histogram_bounds::text::text[])[array_upper(histogram_bounds::text::text[], 1)]
FROM pg_stats
WHERE schemaname = :schema AND tablename = :table AND attname = ANY(:columns)
ORDER BY inherited
"""


class PostgresqlSource:
    """A PostgreSQL database.

    Raises:
        SourceError: no driver, no connection, or no permission; says which.
    """

    def __init__(self, url: URL) -> None:
        full = with_driver(url, SourceError)
        self.reopen = _without_secrets(full).render_as_string()
        self.identity = (
            f"postgresql://{full.host or full.query.get('host', 'localhost')}:{full.port or 5432}"
            f"/{full.database or full.username}"
        )
        timeout = "timeout" if full.drivername.endswith("pg8000") else "connect_timeout"
        self._engine = create_engine(full, connect_args={timeout: _CONNECT_SECONDS}, pool_size=1)
        # Before SQLAlchemy's own first questions: without an encoding psycopg answers in bytes.
        event.listen(self._engine, "connect", _set_up, insert=True)
        self._connection = self._connect()

    def schemas(self) -> list[str]:
        """Every schema but the system's."""
        try:
            with self._connection.begin():
                return list(self._connection.execute(text(_SCHEMAS)).scalars())
        except SQLAlchemyError as error:
            raise SourceError(f"The catalog cannot be read: {_reason(error)}") from None

    def items(self, selection: Selection) -> Iterator[Item]:
        """As `Source.items`; partitions are left to their parent."""
        wanted = {"all_schemas": not selection.schemas, "schemas": list(selection.schemas)}
        try:
            try:
                rows = self._stream({**wanted, "definitions": True})
                first = next(rows, None)
            except OperationalError as error:
                # A view's definition waits for locks on its tables: then it goes without.
                lost = error.connection_invalidated
                rows = self._stream({**wanted, "definitions": lost})
                first = next(rows, None)
            yield from _items(chain([first] if first else [], rows), selection)
        except SQLAlchemyError as error:
            raise SourceError(f"The catalog cannot be read: {_reason(error)}") from None

    def profile(self, table: Item, columns: Sequence[str]) -> Mapping[str, RawFacts]:
        """As `Source.profile`."""
        place = {"schema": table.schema, "table": table.table}
        try:
            with self._connection.begin():
                found = self._connection.execute(text(_EXISTS), place).one_or_none()
                if found is None:
                    raise TableGoneError(f"The table {table.name} was dropped during the run")
                if table.kind == "view":
                    return {}
                rows = self._connection.execute(
                    text(_STATISTICS), {**place, "columns": list(columns)}
                ).all()
        except SQLAlchemyError as error:
            return self._after_failure(error)
        return {row[0]: _facts(max(0, found[0]), *row[1:]) for row in rows}

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
        self._engine.dispose()

    def _stream(self, wanted: Mapping[str, Any]) -> Iterator[Any]:
        options = {"yield_per": _FETCH}
        query = text(_INVENTORY)
        with (
            self._connection.begin(),
            self._connection.execute(query, wanted, execution_options=options) as rows,
        ):
            yield from rows

    def _after_failure(self, error: SQLAlchemyError) -> Mapping[str, RawFacts]:
        """A timeout or a missing right costs these statistics; a lost connection is made anew."""
        if getattr(error, "connection_invalidated", False):
            self._connection.close()
            self._connection = self._connect()
        return {}

    def _connect(self) -> Connection:
        try:
            return self._engine.connect()
        except SQLAlchemyError as error:
            raise SourceError(
                f"{self.reopen} cannot be opened: {_reason(error)}",
                remedy="Check host, port, database, user and password (PGPASSWORD or ~/.pgpass).",
            ) from None


def _without_secrets(url: URL) -> URL:
    query = url.difference_update_query(("password", "sslpassword")).query
    return URL.create("postgresql", url.username, None, url.host, url.port, url.database, query)


def _set_up(connection: Any, _: Any) -> None:
    cursor = connection.cursor()
    for name, value in _SESSION.items():
        cursor.execute(f"SET {name} = '{value}'")
    cursor.close()
    connection.commit()


def _items(rows: Iterable[Any], selection: Selection) -> Iterator[Item]:
    current = None
    for row in rows:
        if not selection.takes(row[0], row[1]):
            continue
        if row[:2] != current:
            current = row[:2]
            yield _table(*row[:6])
        if row[6] is not None:
            yield _column(row[0], row[1], *row[6:])


def _table(
    schema: str, name: str, kind: str, rows: int, comment: str, definition: str | None
) -> Item:
    is_view = kind in ("v", "m")
    return Item(
        schema=schema,
        table=name,
        column="",
        kind="view" if is_view else "table",
        position=0,
        comment=comment,
        rows=rows if rows >= 0 and not is_view else None,  # -1: never analysed
        definition=definition or "",
    )


def _column(
    schema: str,
    table: str,
    position: int,
    name: str,
    type_: str,
    notnull: bool,
    comment: str,
    roles: str,
    target: str,
) -> Item:
    return Item(
        schema=schema,
        table=table,
        column=name,
        kind="column",
        position=position,
        type=type_,
        nullable=not notnull,
        key_role=roles,
        fk=target,
        comment=comment,
    )


def _facts(
    rows: int,
    null_fraction: float,
    distinct: float,
    values: list[str] | None,
    frequencies: list[float] | None,
    least: str | None,
    greatest: str | None,
) -> RawFacts:
    nulls = round(rows * null_fraction)
    # Below zero it is a share of the rows (PostgreSQL's documentation of pg_stats).
    count = round(-distinct * rows) if distinct < 0 else round(distinct)
    common = zip(values or [], frequencies or [], strict=False)
    # The histogram leaves out the most common values.
    ordered = sorted((v for v in (least, greatest, *(values or ())) if v is not None), key=_order)
    return RawFacts(
        nulls=nulls if rows else None,
        distinct=count or None,
        least=ordered[0] if ordered else None,
        greatest=ordered[-1] if ordered else None,
        values=tuple((value, round(share * rows)) for value, share in common)[:MOST_VALUES],
    )


def _order(value: str) -> tuple[bool, Decimal, str]:
    """Numbers by their size, before NaN and texts by their letters."""
    try:
        number = Decimal(value)
    except InvalidOperation:
        number = Decimal("nan")
    return (True, Decimal(0), value) if number.is_nan() else (False, number, "")


def _reason(error: SQLAlchemyError) -> str:
    return " ".join(str(getattr(error, "orig", None) or error).split())
