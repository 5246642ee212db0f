"""Any database with a SQLAlchemy dialect: read through SQLAlchemy's Inspector.

The person installs the dialect's package; amx-kimi knows nothing of such a database. Rows are read
only where a person allowed it, with a query that SQLAlchemy writes.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import URL, Engine, column, inspect, select, table, types
from sqlalchemy.engine.interfaces import ReflectedColumn
from sqlalchemy.engine.reflection import Inspector, ObjectKind
from sqlalchemy.exc import NoSuchModuleError

from amx_kimi.databases.base import Reading, Selection, Source
from amx_kimi.databases.registry import find_kind
from amx_kimi.databases.server.catalog import Column, Key, Keys, Relation, items_of
from amx_kimi.databases.server.connect import engine_of, reason_of
from amx_kimi.databases.server.source import SAMPLE_ROWS, ServerSource
from amx_kimi.errors import SourceError
from amx_kimi.patterns import is_chosen
from amx_kimi.types import Item

__all__ = ["cost", "open_source"]

_SYSTEM = frozenset(
    "information_schema pg_catalog pg_toast sys sysibm syscat sysstat systools v_catalog v_monitor "
    "v_internal _sys_bic _sys_bi _sys_repo exa_statistics dbc crdb_internal pg_extension "
    "performance_schema mysql".split()
)
_DEFINITION_LENGTH = 4_000
_PLACES = ("catalog", "database", "db", "dsn", "s3_staging_dir", "schema", "service_name")
_BOUNDED = (types.Integer, types.Numeric, types.Boolean, types.Date, types.DateTime, types.String)
_Place = tuple[str | None, str]


def open_source(url: URL, reading: Reading) -> Source:
    """As `Backend.open_source`."""
    return _InspectedSource(url, reading)


def cost(url: URL, reading: Reading) -> str:
    """As `Backend.cost`: Athena's catalog is free, its queries are not (Amazon's "Athena pricing",
    2026)."""
    if not (reading.data and reading.samples and url.get_backend_name() == "awsathena"):
        return ""
    return "Athena bills the bytes that reading rows scans: at least 10 MB for each table"


class _InspectedSource(ServerSource):
    remedy = "Check the URL against the documentation of its SQLAlchemy dialect."

    def __init__(self, url: URL, reading: Reading) -> None:
        super().__init__(_engine(url), _identity(url), reading)

    def schemas(self) -> list[str]:
        """Every schema but those of systems that are known; "" if the database has none."""
        found = inspect(self._connection)
        told = self._optional(found.get_schema_names, [])
        names = [str(name) for name in told if name is not None]
        return [name for name in names if name.lower() not in _SYSTEM] or [""]

    def tables(self) -> list[tuple[str, str]]:
        """As `Source.tables`."""
        return [(one.schema, one.name) for name in self.schemas() for one in self._relations(name)]

    def items(self, selection: Selection) -> Iterator[Item]:
        """As `Source.items`, schema by schema."""
        for schema in self.schemas():
            if schema and not is_chosen(selection.schemas, schema):
                continue
            try:
                found = list(self._items(schema, selection))
            except SourceError as error:
                if not schema:
                    raise
                self.note(f"The schema {schema} is left out: {error.message:.200}")
            else:
                yield from found

    def _items(self, schema: str, selection: Selection) -> Iterator[Item]:
        relations = self._relations(schema)
        with self._reflecting() as found:
            columns = found.get_multi_columns(schema or None, kind=ObjectKind.ANY)
            rows = [
                self._column(schema, name, number, each)
                for (_, name), listed in columns.items()
                for number, each in enumerate(listed, 1)
            ]
        yield from items_of(relations, rows, Keys(self.keys([schema])), selection)

    def keys(self, schemas: Sequence[str]) -> Iterator[Key]:
        """As `ServerSource.keys`."""
        inspector = inspect(self._connection)
        for schema in schemas:
            of: dict[str, Any] = {"schema": schema or None, "kind": ObjectKind.TABLE}
            for place, primary in self._told(inspector.get_multi_pk_constraint, of):
                if primary and primary["constrained_columns"]:
                    yield Key(schema, place[1], "pk", primary["constrained_columns"])
            for place, uniques in self._told(inspector.get_multi_unique_constraints, of):
                for unique in uniques:
                    yield Key(schema, place[1], "unique", _texts(unique["column_names"]))
            for place, foreign in self._told(inspector.get_multi_foreign_keys, of):
                for one in foreign:
                    target = f"{one['referred_schema'] or schema}.{one['referred_table']}"
                    yield Key(
                        schema,
                        place[1],
                        "fk",
                        one["constrained_columns"],
                        target.lstrip("."),
                        one["referred_columns"],
                    )

    def sampled(self, table_: Item, columns: Sequence[str]) -> list[str]:
        """As `ServerSource.sampled`: numbers, dates and texts that are not long by type."""
        told = inspect(self._connection).get_columns(table_.table, table_.schema or None)
        bounded = {
            one["name"]
            for one in told
            if isinstance(one["type"], _BOUNDED) and not isinstance(one["type"], types.Text)
        }
        return [name for name in columns if name in bounded]

    def sample_sql(self, table_: Item, columns: Sequence[str]) -> str:
        """As `ServerSource.sample_sql`."""
        place = table(table_.table, *map(column, columns), schema=table_.schema or None)
        query = select(*place.columns).limit(SAMPLE_ROWS + 1)
        bound = query.compile(self._engine, compile_kwargs={"literal_binds": True})
        return str(bound)

    def _relations(self, schema: str) -> list[Relation]:
        where = schema or None
        with self._reflecting() as found:
            tables, views = found.get_table_names(where), found.get_view_names(where)
            stored = self._optional(lambda: found.get_materialized_view_names(where), [])
            comments = self._comments(found, where)
            definitions = {
                name: self._optional(lambda name=name: found.get_view_definition(name, where), "")
                for name in (*views, *stored)
            }
        kinds = dict.fromkeys(tables, "table") | dict.fromkeys(views, "view")
        kinds |= dict.fromkeys(stored, "materialized view")
        return [
            Relation(
                schema,
                str(name),
                kind,
                comments.get(str(name), ""),
                definition=_text(definitions.get(name))[:_DEFINITION_LENGTH],
            )
            for name, kind in sorted(kinds.items())
        ]

    def _comments(self, found: Inspector, schema: str | None) -> dict[str, str]:
        read = self._optional(
            lambda: found.get_multi_table_comment(schema, kind=ObjectKind.ANY), {}
        )
        return {place[1]: _text(comment.get("text")) for place, comment in read.items()}

    def _told(self, reflect: Any, of: Mapping[str, Any]) -> Any:
        """Constraints by table; none if the dialect does not tell them."""
        return self._optional(lambda: dict(reflect(**of)), {}).items()

    def _optional(self, read: Any, otherwise: Any) -> Any:
        """What a dialect can reflect; `otherwise` if it cannot, or may not."""
        try:
            return read()
        except Exception:  # what dialects raise for what they do not have is of any class
            return otherwise

    def _column(self, schema: str, name: str, number: int, told: ReflectedColumn) -> Column:
        computed = told.get("computed")
        details = {
            "generated": computed["sqltext"] if computed else None,
            "identity": True if told.get("identity") else None,
        }
        return Column(
            schema,
            name,
            told["name"],
            number,
            self._type(told["type"]),
            bool(told.get("nullable", True)),
            _text(told.get("comment")),
            details,
        )

    def _type(self, told: Any) -> str:
        try:
            return str(told.compile(dialect=self._engine.dialect))
        except Exception:  # a dialect may reflect what it cannot compile
            return type(told).__name__.upper()

    @contextmanager
    def _reflecting(self) -> Iterator[Inspector]:
        try:
            with self._reading_now() as connection:
                yield inspect(connection)
        except Exception as error:
            reason = reason_of(error) or type(error).__name__
            raise SourceError(f"The catalog cannot be read: {reason}") from None


def _engine(url: URL) -> Engine:
    scheme = url.get_backend_name()
    try:
        return engine_of(url, {}, ())
    except NoSuchModuleError:
        raise SourceError(
            f"SQLAlchemy has no dialect for {scheme}:// here",
            remedy=_install(scheme)
            or "Install the package with that dialect, or choose another database: "
            "docs/databases.md has all that need no such package.",
        ) from None
    except ImportError as error:
        raise SourceError(
            f"The driver for {scheme}:// is not installed: {error}",
            remedy=_install(scheme) or f"Install it: pip install {error.name or 'its package'}",
        ) from None


def _install(scheme: str) -> str:
    kind = find_kind(scheme)
    return f"Install it: {kind.install}" if kind else ""


def _identity(url: URL) -> str:
    port = f":{url.port}" if url.port else ""
    place = f"{url.get_backend_name()}://{url.host or ''}{port}/{url.database or ''}"
    query = "&".join(f"{name}={url.query[name]}" for name in _PLACES if name in url.query)
    return f"{place}?{query}" if query else place


def _text(comment: Any) -> str:
    if isinstance(comment, bytes):
        return comment.decode("utf-8", "replace")
    return str(comment or "")


def _texts(names: Sequence[str | None]) -> list[str]:
    return [name for name in names if name is not None]
