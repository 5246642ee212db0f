"""A dbt `manifest.json`: descriptions that people wrote, compiled SQL, and dependencies."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from amx_kimi.errors import ConfigFileError
from amx_kimi.text import is_blank

__all__ = ["Manifest", "Relation"]

_KINDS = ("model", "seed", "snapshot", "source")


@dataclass(frozen=True)
class Relation:
    """A table or view that dbt knows. `columns` are descriptions by the lower-case name of the
    column; `sql` is the compiled SQL, or "" (sources, seeds, a manifest of `dbt parse`)."""

    id: str
    schema: str
    name: str
    description: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    sql: str = ""
    parents: tuple[str, ...] = ()
    database: str = ""

    @property
    def label(self) -> str:
        """`schema.table`."""
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True)
class Manifest:
    """All relations of a project, and the SQL dialect they are written in."""

    relations: Mapping[str, Relation]
    dialect: str

    @classmethod
    def of(cls, document: Any, where: str) -> "Manifest":
        """A manifest from its JSON, of any version that has nodes with descriptions.

        Versions 4 (dbt 1.0) to 12 were examined; later ones are read in the same way.

        Raises:
            ConfigFileError: it is not a manifest.
        """
        nodes = _section(document, "nodes", where)
        entries = {**nodes, **_section(document, "sources", where)}
        found = (_relation(key, entry) for key, entry in entries.items())
        relations = {relation.id: relation for relation in found if relation}
        if not relations:
            raise ConfigFileError(f"{where}: this manifest has no models, seeds or sources")
        metadata = document.get("metadata")
        adapter = metadata.get("adapter_type") if isinstance(metadata, Mapping) else None
        return cls(relations, str(adapter or ""))

    def within(self, database: str) -> "Manifest":
        """The relations of one database, if there are several: the one of this name, else the one
        of most models, since a project may call it otherwise (`dev`)."""
        placed = [r for r in self.relations.values() if r.database]
        databases = Counter(r.database.lower() for r in placed)
        if len(databases) < 2:
            return self
        of_models = Counter(r.database.lower() for r in placed if r.sql) or databases
        home = database.lower()
        home = home if home in databases else of_models.most_common(1)[0][0]
        chosen = {
            key: relation
            for key, relation in self.relations.items()
            if relation.database.lower() in ("", home)
        }
        return Manifest(chosen, self.dialect)

    def relation(self, schema: str, table: str) -> Relation | None:
        """The relation of this place; in a database without schemas, the only one of that name."""
        named = self._by_name.get(table.lower(), [])
        if not schema:
            return named[0] if len(named) == 1 else None
        there = [r for r in named if r.schema.lower() == schema.lower()]
        return there[0] if len(there) == 1 else None  # ambiguous if it is in two databases

    @cached_property
    def _by_name(self) -> Mapping[str, list[Relation]]:
        index: dict[str, list[Relation]] = {}
        for relation in self.relations.values():
            index.setdefault(relation.name.lower(), []).append(relation)
        return index


def _section(document: Any, key: str, where: str) -> Mapping[str, Any]:
    section = document.get(key) if isinstance(document, Mapping) else None
    if section is None and key == "sources":
        return {}
    if not isinstance(section, Mapping):
        raise ConfigFileError(
            f"{where} is not a dbt manifest: it has no {key!r}",
            remedy="Run `dbt compile` or `dbt build`, which write target/manifest.json.",
        )
    return section


def _relation(key: str, entry: Any) -> Relation | None:
    if not isinstance(entry, Mapping) or entry.get("resource_type") not in _KINDS:
        return None
    config = entry.get("config")
    if isinstance(config, Mapping) and config.get("materialized") == "ephemeral":
        return None
    name = entry.get("identifier") or entry.get("alias") or entry.get("name")
    depends = entry.get("depends_on")
    parents = depends.get("nodes") if isinstance(depends, Mapping) else None
    return Relation(
        id=key,
        schema=str(entry.get("schema") or ""),
        name=str(name or ""),
        description=_text(entry.get("description")),
        columns=_unique(_columns(entry.get("columns"))),
        sql=_text(entry.get("compiled_code") or entry.get("compiled_sql")),  # until dbt 1.2
        parents=tuple(map(str, parents)) if isinstance(parents, list) else (),
        database=str(entry.get("database") or ""),
    )


def _columns(entries: Any) -> Iterator[tuple[str, str]]:
    for name, entry in entries.items() if isinstance(entries, Mapping) else ():
        if isinstance(entry, Mapping):
            own_name = str(entry.get("name") or name)
            yield own_name.lower(), _text(entry.get("description"))


def _unique(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The pairs, without names that differ only in case."""
    found = list(pairs)
    names = Counter(name for name, _ in found)
    return {name: text for name, text in found if names[name] == 1}


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) and not is_blank(value) else ""
