"""Takes over what dbt knows about the tables of a run.

A column inherits its description for free if people described it in dbt, or if it is passed on
unchanged from a column that they described. Everything else is context for the prompt.
"""

import asyncio
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from amx_kimi.annotate.context import Manifest, Relation
from amx_kimi.annotate.context.lineage import Origin, origins
from amx_kimi.annotate.job import Job
from amx_kimi.databases.registry import catalog_in
from amx_kimi.journal import Inherited, Journal, Stored, answers, items, runs
from amx_kimi.redact import redact_text
from amx_kimi.types import Item

__all__ = ["inherit"]

_MOST_SOURCES = 4
_MOST_SQL = 4_000
_MOST_DEPTH = 50


async def inherit(journal: Journal, run: str, job: Job) -> None:
    """Give the run's pending items the descriptions and context of the dbt manifests."""
    database = catalog_in(journal.read(runs.find_run, run).database)
    for whole in job.context.manifests:
        manifest = whole.within(database)
        tables = journal.read(items.table_items, run)
        known = _Known(manifest, journal, run, schemas=any(table.schema for table in tables))
        for table in tables:
            if relation := manifest.relation(table.schema, table.table):
                stored = journal.read(items.pending_of, run, table.schema, table.table)
                heirs, contexts = await asyncio.to_thread(_of_table, known, relation, stored, job)
                await journal.write(items.add_context, contexts)
                if relation.sql and not table.definition and not job.names_only:
                    sql = job.redactor.sql(relation.sql[:_MOST_SQL])
                    await journal.write(items.set_definition, run, table, sql)
                await journal.write(answers.save_inherited, heirs)


@dataclass
class _Known:
    """What the manifest and the run's inventory say about each column."""

    manifest: Manifest
    journal: Journal
    run: str
    schemas: bool
    _origins: dict[str, Mapping[str, Origin]] = field(default_factory=dict)

    def origins(self, relation: Relation) -> Mapping[str, Origin]:
        """Where a relation's columns come from; empty without SQL."""
        if relation.id not in self._origins:
            self._origins[relation.id] = (
                origins(
                    relation.sql,
                    self.manifest.dialect,
                    self._columns(relation),
                    relation.database,
                )
                if relation.sql
                else {}
            )
        return self._origins[relation.id]

    def description(self, place: tuple[str, str, str], depth: int = 0) -> tuple[str, str]:
        """A column's description by people, and the column for which they wrote it.

        Returns (text, `schema.table.column`), or two blanks.
        """
        schema, table, column = place
        relation = self.manifest.relation(schema, table)
        if relation and (text := relation.columns.get(column.lower())):
            return text, f"{relation.label}.{column}"
        if comment := self.journal.read(
            items.comment_of, self.run, self._here(schema), table, column
        ):
            return comment, f"{schema}.{table}.{column}"
        origin = self.origins(relation).get(column.lower()) if relation else None
        if origin and origin.unchanged and depth < _MOST_DEPTH:
            return self.description(origin.sources[0], depth + 1)
        return "", ""

    def _here(self, schema: str) -> str:
        """The schema as the database names it; SQLite and files have none."""
        return schema if self.schemas else ""

    def _columns(self, relation: Relation) -> dict[str, dict[str, list[str]]]:
        found: dict[str, dict[str, list[str]]] = {}
        for parent in relation.parents:
            if other := self.manifest.relations.get(parent):
                place = (self._here(other.schema), other.name)
                stored = self.journal.read(items.column_names, self.run, *place, 10_000)
                names = stored or list(other.columns)
                found.setdefault(other.schema, {})[other.name] = names
        return found


def _of_table(
    known: _Known, relation: Relation, stored: list[Stored], job: Job
) -> tuple[list[Inherited], list[tuple[int, Item, str]]]:
    heirs, contexts = [], []
    for entry in stored:
        item = entry.item
        if item.column:
            text, origin = known.description((relation.schema, relation.name, item.column))
        else:
            text, origin = relation.description, relation.label
        if text and not job.all_columns:
            heirs.append(Inherited(entry, text, origin))
        elif not job.names_only:
            changed = _with_context(known, relation, item, text)
            if changed != item:
                contexts.append((entry.id, changed, _key(entry, changed)))
    return heirs, contexts


def _with_context(known: _Known, relation: Relation, item: Item, text: str) -> Item:
    details = dict(item.details)
    if text:
        details["existing"] = redact_text(text)
    origin = known.origins(relation).get(item.column.lower()) if item.column else None
    if origin and not text:
        details["from"] = [_source(known, place) for place in origin.sources[:_MOST_SOURCES]]
    return replace(item, details=details)


def _source(known: _Known, place: tuple[str, str, str]) -> str:
    text, _ = known.description(place)
    name = ".".join(filter(None, place))
    return redact_text(f"{name}: {text}" if text else name)


def _key(entry: Stored, changed: Item) -> str:
    """The reuse key, with what people wrote about this column; without SQL and names."""
    said: dict[str, Any] = {
        key: changed.details[key] for key in ("existing", "from") if key in changed.details
    }
    if not said:
        return entry.reuse_key
    text = entry.reuse_key + json.dumps(said, ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
