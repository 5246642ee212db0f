"""The journal's tables, the same in SQLite and PostgreSQL, and their forward migrations.

Money is kept in whole billionths of the currency, so that sums are exact; times are ISO
8601 in UTC. `columns` holds a row for each table too, with an empty `column_name`.
"""

from collections.abc import Callable

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    inspect,
    text,
)

from amx_kimi.errors import JournalError

__all__ = [
    "SCHEMA_VERSION",
    "columns",
    "decisions",
    "is_journal",
    "migrate",
    "requests",
    "runs",
    "suggestions",
    "writes",
]

SCHEMA_VERSION = 4
_LOCK = 1_263_095_117  # a number of our own among PostgreSQL's advisory locks

_metadata = MetaData()
_Id = BigInteger().with_variant(Integer, "sqlite")

meta = Table("kimi_meta", _metadata, Column("schema_version", Integer, nullable=False))

runs = Table(
    "runs",
    _metadata,
    Column("id", Text, primary_key=True),
    Column("source", Text, nullable=False),  # how to open it again, without a secret
    Column("database", Text, nullable=False),  # which database it is, for reuse
    Column("profile", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("endpoint", Text, nullable=False),
    Column("currency", Text),
    Column("options", Text, nullable=False),  # JSON: what `--resume` needs
    Column("status", Text, nullable=False),  # inventory, running, complete, stopped, interrupted
    Column("inventoried", Integer, nullable=False),  # 1: the inventory is whole
    Column("owner", Text, nullable=False),  # the process at work: see owner.py
    Column("fence", Integer, nullable=False, server_default="0"),  # the claim's number: lease.py
    Column("lease_until", Text),  # until then its worker counts as being at work
    Column("error", Text),
    Column("started_at", Text, nullable=False),
    Column("finished_at", Text),
)

columns = Table(
    "columns",
    _metadata,
    Column("id", _Id, primary_key=True),
    Column("run_id", Text, ForeignKey("runs.id"), nullable=False),
    Column("schema_name", Text, nullable=False),
    Column("table_name", Text, nullable=False),
    Column("column_name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("position", Integer, nullable=False),
    Column("type", Text, nullable=False),
    Column("nullable", Integer, nullable=False),
    Column("key_role", Text, nullable=False),
    Column("fk", Text, nullable=False),
    Column("comment", Text, nullable=False),
    Column("row_estimate", BigInteger),
    Column("definition", Text, nullable=False),
    Column("details", Text, nullable=False, server_default=""),  # JSON: what else the schema tells
    Column("reuse_key", Text, nullable=False),
    # pending, waiting, described, reused, inherited, shared, failed;
    # commented, unchanged, deferred, not imported
    Column("status", Text, nullable=False),
    Column("facts", Text),  # JSON: the masked statistics that the model saw
    Column("error", Text),
    Column("shared_with", _Id),  # the column that is asked for this one too
    UniqueConstraint("run_id", "schema_name", "table_name", "column_name"),
    Index("columns_by_status", "run_id", "status", "id"),
)

requests = Table(
    "requests",
    _metadata,
    Column("id", _Id, primary_key=True),
    Column("run_id", Text, ForeignKey("runs.id"), nullable=False, index=True),
    Column("label", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("reason", Text, nullable=False),  # first, length, without …, or the error retried
    Column("budget", Integer, nullable=False),
    Column("worst_cost", BigInteger),
    Column("outcome", Text),  # null: sent, and the process ended before the answer
    Column("prompt_tokens", BigInteger),
    Column("cached_tokens", BigInteger),
    Column("completion_tokens", BigInteger),
    Column("reasoning_tokens", BigInteger),
    Column("cost", BigInteger),  # null: unknown, so the worst case counts
    Column("seconds", Float),
    Column("digest", Text),  # SHA-256 of the messages that were sent
    Column("sent_at", Text, nullable=False),
)

suggestions = Table(
    "suggestions",
    _metadata,
    Column("id", _Id, primary_key=True),
    Column("column_id", _Id, ForeignKey("columns.id"), nullable=False, unique=True),
    Column("reuse_key", Text, nullable=False, index=True),
    Column("alternatives", Text, nullable=False),  # JSON list, best first
    Column("confidence", Text, nullable=False),
    Column("signal", Text, nullable=False),
    Column("score", Float),
    Column("model", Text, nullable=False),
    Column("reused_from", _Id),
    Column("created_at", Text, nullable=False),
)

decisions = Table(
    "decisions",
    _metadata,
    Column("id", _Id, primary_key=True),
    Column("column_id", _Id, ForeignKey("columns.id"), nullable=False, index=True),
    Column("action", Text, nullable=False),
    Column("text", Text),
    Column("decided_by", Text, nullable=False),
    Column("decided_at", Text, nullable=False),
)

writes = Table(
    "writes",
    _metadata,
    Column("id", _Id, primary_key=True),
    Column("column_id", _Id, ForeignKey("columns.id"), nullable=False, index=True),
    Column("target", Text, nullable=False),
    Column("text_before", Text),
    Column("text_after", Text),
    Column("written_at", Text, nullable=False),
    Column("undone_at", Text),
)


def _to_2(connection: Connection) -> None:
    connection.execute(text("ALTER TABLE columns ADD COLUMN details TEXT NOT NULL DEFAULT ''"))
    connection.execute(text("ALTER TABLE requests ADD COLUMN digest TEXT"))


def _to_3(connection: Connection) -> None:
    connection.execute(text("ALTER TABLE columns ADD COLUMN shared_with BIGINT"))


def _to_4(connection: Connection) -> None:
    connection.execute(text("ALTER TABLE runs ADD COLUMN fence INTEGER NOT NULL DEFAULT 0"))
    connection.execute(text("ALTER TABLE runs ADD COLUMN lease_until TEXT"))


_Migration = Callable[[Connection], None]
_MIGRATIONS: dict[int, _Migration] = {1: _to_2, 2: _to_3, 3: _to_4}
"""From a version to the next: `{1: to_version_2}`."""


def is_journal(connection: Connection) -> bool:
    """Whether this database has our tables."""
    return inspect(connection).has_table(meta.name)


def migrate(connection: Connection) -> None:
    """Create the tables, or bring older ones forward.

    Raises:
        JournalError: a newer amx-kimi wrote this journal.
    """
    if connection.dialect.name == "postgresql":  # two processes may open a new journal at once
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
    if not is_journal(connection):
        _metadata.create_all(connection, checkfirst=False)  # never among somebody else's tables
        connection.execute(meta.insert().values(schema_version=SCHEMA_VERSION))
        return
    version = connection.execute(meta.select()).scalar_one()
    if version > SCHEMA_VERSION:
        raise JournalError(
            f"The journal has schema version {version}; supported: up to {SCHEMA_VERSION}",
            remedy="Upgrade amx-kimi, or use another journal with --store.",
        )
    for step in range(version, SCHEMA_VERSION):
        _MIGRATIONS[step](connection)
        connection.execute(meta.update().values(schema_version=step + 1))
