"""The kinds of databases, one row each. The code of a kind is in its module."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import PurePath
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from amx_kimi.databases.base import Backend

__all__ = [
    "KINDS",
    "Kind",
    "catalog_in",
    "find_kind",
    "kind_of",
    "kind_of_amx",
    "kind_of_file",
    "names_of_dialects",
    "other_kind",
    "shown_identity",
]


@dataclass(frozen=True)
class Kind:
    """A kind of database.

    - `name`: the name of its dialect, and the first part of a database's identity
    - `module`: opens such databases (a `Backend`)
    - `schemes`: the first parts of its URLs; `amx`: its name as an AMX `backend`
    - `fields`: parts and options of its URLs, and the fields of an AMX profile that they are taken
      from: `a|b` is the first that is filled, `a/b` both, if there is an `a`
    - `catalog`: the part or option of its URLs that names a catalog, for databases with several
    - `costs`: the module has `cost`, because reading such a database may be billed;
      `comments_cost`: so may reading and writing its comments
    - `drivers`: Python modules, best first; one is enough. `install`: the pip line for one
      `needs`: other modules, all of them
    - `engine`: SQLAlchemy's name of it, with `{}` for the driver (default: `name+{}`)
    - `file`: such a database is a file, recognized by `signature` (offset, bytes)
    - `platform`: its name in DataHub (default: `name`)
    - `is_read`, `is_written`: the module has `open_source`, `open_comments`
    - `has_dialect`: the module has `dialect`, so that `apply --sql --dialect` offers this kind
    """

    name: str
    title: str
    module: str
    schemes: tuple[str, ...] = ()
    amx: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    catalog: str = ""
    costs: bool = False
    comments_cost: bool = False
    drivers: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    install: str = ""
    engine: str = ""
    file: bool = False
    signature: tuple[int, bytes] | None = None
    platform: str = ""
    is_read: bool = False
    is_written: bool = False
    has_dialect: bool = True
    has_password: bool = False

    def backend(self) -> "Backend":
        """The module, imported only when it is needed."""
        return cast("Backend", import_module(self.module))


_ROOM = "amx_kimi.databases"
_SQL_ONLY = f"{_ROOM}.sql_only"
_INSPECTOR = f"{_ROOM}.inspector"
_SERVER = {
    "username": "user",
    "password": "password",
    "host": "host",
    "port": "port",
    "database": "database",
}
_FILE = {"database": "database|host"}

KINDS: Sequence[Kind] = (
    Kind(
        name="postgresql",
        title="PostgreSQL",
        module=f"{_ROOM}.postgresql",
        schemes=("postgresql", "postgres"),
        amx="postgresql",
        fields={**_SERVER, "sslmode": "sslmode", "sslrootcert": "sslrootcert"},
        catalog="database",
        drivers=("psycopg", "psycopg2", "pg8000"),
        install='pip install "amx-kimi[postgres]"',
        platform="postgres",
        is_read=True,
        is_written=True,
        has_password=True,
    ),
    Kind(
        name="mysql",
        title="MySQL or MariaDB",
        module=f"{_ROOM}.mysql",
        schemes=("mysql", "mariadb"),
        amx="mysql",
        fields={**_SERVER, "ssl_disabled": "ssl_disabled", "ssl_ca": "ssl_ca"},
        drivers=("pymysql",),
        install='pip install "amx-kimi[mysql]"',
        platform="mysql",
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
        fields=_FILE,
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
        fields=_FILE,
        file=True,
        platform="sqlite",
        is_read=True,
        has_dialect=False,
    ),
    Kind(
        name="clickhouse",
        title="ClickHouse",
        module=f"{_ROOM}.clickhouse",
        schemes=("clickhouse", "clickhousedb"),
        amx="clickhouse",
        fields={**_SERVER, "secure": "secure", "verify": "verify", "ca_cert": "ca_cert"},
        drivers=("clickhouse_connect",),
        engine="clickhousedb",
        install='pip install "amx-kimi[clickhouse]"',
        platform="clickhouse",
        is_read=True,
        is_written=True,
        has_password=True,
    ),
    Kind(
        name="snowflake",
        title="Snowflake",
        module=f"{_ROOM}.snowflake",
        schemes=("snowflake",),
        amx="snowflake",
        fields={
            **{"username": "user", "password": "password", "host": "account"},
            **{"database": "database", "warehouse": "warehouse", "role": "role"},
            **{"insecure_mode": "insecure_mode", "ocsp_fail_open": "ocsp_fail_open"},
            **{"authenticator": "authenticator", "private_key_file": "private_key_file"},
            "token_file_path": "token_file_path",
        },
        catalog="database",
        costs=True,
        drivers=("snowflake.sqlalchemy",),
        needs=("snowflake.connector",),
        install='pip install "amx-kimi[snowflake]"',
        engine="snowflake",
        platform="snowflake",
        is_read=True,
        is_written=True,
        has_password=True,
    ),
    Kind(
        name="trino",
        title="Trino",
        module=f"{_ROOM}.trino",
        schemes=("trino",),
        amx="trino",
        fields={
            **_SERVER,
            "database": "catalog/database",
            "access_token": "jwt_token",
            "http_scheme": "http_scheme",
            "verify": "verify",
            "tls_trusted_ca_file": "tls_trusted_ca_file",
        },
        catalog="database",
        drivers=("trino",),
        install='pip install "amx-kimi[trino]"',
        engine="trino",
        platform="trino",
        is_read=True,
        is_written=True,
        has_password=True,
    ),
    Kind(
        name="hive",
        title="Hive",
        module=_INSPECTOR,
        schemes=("hive",),
        amx="hive",
        fields={**_SERVER, "auth": "auth_mode"},
        install='pip install "pyhive[hive]"',
        platform="hive",
        is_read=True,
        has_dialect=False,
        has_password=True,
    ),
    Kind(
        name="athena",
        title="Amazon Athena",
        module=_INSPECTOR,
        schemes=("awsathena",),
        costs=True,
        install='pip install "pyathena[sqlalchemy]"',
        platform="athena",
        is_read=True,
        has_dialect=False,
    ),
    Kind(name="ansi", title="Databases with COMMENT ON", module=_SQL_ONLY),
    Kind(
        name="bigquery",
        title="BigQuery",
        module=f"{_ROOM}.bigquery",
        schemes=("bigquery",),
        amx="bigquery",
        fields={
            "host": "project",
            "database": "dataset",
            "credentials_path": "credentials_path",
            "location": "location",
            "impersonate_service_account": "impersonate_service_account",
        },
        catalog="host",
        drivers=("google.cloud.bigquery",),
        install='pip install "amx-kimi[bigquery]"',
        platform="bigquery",
        is_read=True,
        is_written=True,
    ),
    Kind(
        name="redshift",
        title="Amazon Redshift",
        module=f"{_ROOM}.redshift",
        schemes=("redshift",),
        amx="redshift",
        fields={**_SERVER, "cluster_identifier": "cluster_identifier"},
        catalog="database",
        costs=True,
        comments_cost=True,
        drivers=("redshift_connector",),
        needs=("sqlalchemy_redshift",),
        install='pip install "amx-kimi[redshift]"',
        platform="redshift",
        is_read=True,
        is_written=True,
        has_password=True,
    ),
    Kind(
        name="oracle",
        title="Oracle",
        module=f"{_ROOM}.oracle",
        schemes=("oracle",),
        amx="oracle",
        fields={**_SERVER, "service_name": "service_name"},
        drivers=("oracledb",),
        install='pip install "amx-kimi[oracle]"',
        platform="oracle",
        is_read=True,
        is_written=True,
        has_password=True,
    ),
    Kind(
        name="sqlserver",
        title="SQL Server",
        module=f"{_ROOM}.sqlserver",
        schemes=("mssql", "sqlserver"),
        amx="mssql",
        fields={
            **_SERVER,
            "encrypt": "encrypt",
            "trust_server_certificate": "trust_server_certificate",
        },
        catalog="database",
        drivers=("pymssql", "pyodbc"),
        install='pip install "amx-kimi[sqlserver]"',
        engine="mssql+{}",
        platform="mssql",
        is_read=True,
        is_written=True,
        has_password=True,
    ),
    Kind(
        name="databricks",
        title="Databricks",
        module=f"{_ROOM}.databricks",
        schemes=("databricks",),
        amx="databricks",
        fields={
            "password": "access_token|password",
            "host": "host",
            "port": "port",
            "database": "database",
            "http_path": "http_path",
            "catalog": "catalog",
            "tls_trusted_ca_file": "tls_trusted_ca_file",
            "tls_no_verify": "tls_no_verify",
        },
        catalog="catalog",
        costs=True,
        comments_cost=True,
        drivers=("databricks.sqlalchemy",),
        needs=("databricks.sql",),
        install='pip install "amx-kimi[databricks]"',
        engine="databricks",
        platform="databricks",
        is_read=True,
        is_written=True,
    ),
)


def find_kind(scheme: str) -> Kind | None:
    """The kind of URLs with this scheme (without a driver)."""
    return next((kind for kind in KINDS if scheme in kind.schemes), None)


def other_kind(scheme: str) -> Kind:
    """The kind of URLs with a scheme that only SQLAlchemy knows, if it does."""
    title = f"{scheme}://"
    return Kind(name=scheme, title=title, module=_INSPECTOR, is_read=True, has_dialect=False)


def kind_of(identity: str) -> Kind | None:
    """The kind of a database, by its identity (`duckdb:/data/dwh`)."""
    name = identity.partition(":")[0]
    return next((kind for kind in KINDS if kind.name == name), None)


def kind_of_amx(backend: str) -> Kind | None:
    """The kind that AMX's database profiles call so."""
    return next((kind for kind in KINDS if kind.amx and kind.amx == backend), None)


def kind_of_file(start: bytes) -> Kind | None:
    """The kind whose files begin so."""
    for kind in KINDS:
        place, signature = kind.signature or (0, b"")
        if signature and start[place:].startswith(signature):
            return kind
    return None


def names_of_dialects() -> list[str]:
    """The kinds for which statements that write comments can be built."""
    return [kind.name for kind in KINDS if kind.has_dialect]


def catalog_in(identity: str) -> str:
    """The catalog that a database's identity names: its database, project, or file's name."""
    kind = kind_of(identity)
    place = identity.partition(":")[2].removeprefix("//")
    if kind and kind.file:
        return PurePath(place).stem
    host, _, database = place.partition("/")
    return host if kind and kind.catalog == "host" else database


def shown_identity(identity: str) -> str:
    """A database's name for people; of a file, without its folders, which may be private."""
    kind = kind_of(identity)
    name, _, rest = identity.partition(":")
    return f"{name}: {PurePath(rest).name}" if kind and kind.file else identity
