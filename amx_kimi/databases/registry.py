"""The kinds of databases, one row each. What is particular to a kind stands in its module."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import PurePath
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from amx_kimi.databases.base import Backend

__all__ = ["KINDS", "Kind", "find_kind", "kind_of", "names_of_dialects", "shown_identity"]


@dataclass(frozen=True)
class Kind:
    """A kind of database.

    `name` is its dialect's, and the first part of the identity of such a database. `module` is the
    one that opens it (a `Backend`), `schemes` are the first parts of its URLs, and `amx` is what
    AMX calls it as a `backend`. `drivers` are Python modules, any of which will do, best first, and
    `install` is the pip line that brings one. `file` marks databases that are a file; one is told
    by `signature`, which bytes it has at which place. `platform` is DataHub's name of it.
    """

    name: str
    title: str
    module: str
    schemes: tuple[str, ...] = ()
    amx: str = ""
    drivers: tuple[str, ...] = ()
    install: str = ""
    file: bool = False
    signature: tuple[int, bytes] | None = None
    platform: str = ""
    is_read: bool = False
    is_written: bool = False
    has_dialect: bool = True
    has_password: bool = False

    def backend(self) -> "Backend":
        """The module, imported when it is needed."""
        return cast("Backend", import_module(self.module))


_ROOM = "amx_kimi.databases"
_SQL_ONLY = f"{_ROOM}.sql_only"

KINDS: Sequence[Kind] = (
    Kind(
        name="postgresql",
        title="PostgreSQL",
        module=f"{_ROOM}.postgresql",
        schemes=("postgresql", "postgres"),
        amx="postgresql",
        drivers=("psycopg", "psycopg2", "pg8000"),
        install='pip install "amx-kimi[postgres]"',
        platform="postgres",
        is_read=True,
        is_written=True,
        has_password=True,
    ),
    Kind(
        name="duckdb",
        title="DuckDB",
        module=f"{_ROOM}.duckdb",
        schemes=("duckdb",),
        amx="duckdb",
        drivers=("duckdb",),
        install='pip install "amx-kimi[duckdb]"',
        file=True,
        signature=(8, b"DUCK"),
        platform="duckdb",
        is_read=True,
        is_written=True,
    ),
    Kind(
        name="files",
        title="Data files",
        module=f"{_ROOM}.duckdb.data_files",
        schemes=("files",),
        drivers=("duckdb",),
        install='pip install "amx-kimi[duckdb]"',
        platform="files",
        is_read=True,
        has_dialect=False,
    ),
    Kind(
        name="sqlite",
        title="SQLite",
        module=f"{_ROOM}.sqlite",
        schemes=("sqlite",),
        amx="sqlite",
        file=True,
        platform="sqlite",
        is_read=True,
        has_dialect=False,
    ),
    Kind(name="snowflake", title="Snowflake", module=_SQL_ONLY),
    Kind(name="bigquery", title="BigQuery", module=_SQL_ONLY),
    Kind(name="databricks", title="Databricks", module=_SQL_ONLY),
    Kind(name="mysql", title="MySQL", module=_SQL_ONLY),
    Kind(name="oracle", title="Oracle", module=_SQL_ONLY),
    Kind(name="sqlserver", title="SQL Server", module=_SQL_ONLY),
)


def find_kind(scheme: str) -> Kind | None:
    """The kind that URLs with this first part name, without a driver."""
    return next((kind for kind in KINDS if scheme in kind.schemes), None)


def kind_of(identity: str) -> Kind | None:
    """The kind of a database, by its identity (`duckdb:/data/dwh`)."""
    name = identity.partition(":")[0]
    return next((kind for kind in KINDS if kind.name == name), None)


def names_of_dialects() -> list[str]:
    """The kinds for which statements that write comments can be spelled."""
    return [kind.name for kind in KINDS if kind.has_dialect]


def shown_identity(identity: str) -> str:
    """A database for people to read: of a file only its name, for its folders are nobody's
    business."""
    kind = kind_of(identity)
    name, _, rest = identity.partition(":")
    return f"{name}: {PurePath(rest).name}" if kind and kind.file else identity
