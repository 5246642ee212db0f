"""Reads dbt's property files: models, seeds, snapshots, versions of models, and sources."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from amx_kimi.errors import ConfigFileError
from amx_kimi.files import open_regular
from amx_kimi.publish.dbt.texts import NO_SCHEMA, Section, escape_name
from amx_kimi.publish.yaml_places import (
    MERGE,
    Document,
    Node,
    YAMLPlacesError,
    is_null,
    read_document,
)

__all__ = [
    "MOST_BYTES",
    "DbtTable",
    "Entries",
    "PropertyFile",
    "home_of",
    "included",
    "mappings",
    "read_property_file",
    "spellings",
    "text_of",
    "value_of",
]

MOST_BYTES = 256 * 1024 * 1024
"""The most that a YAML file of a dbt project may have."""
_MODELS = ("models", "seeds", "snapshots")
_READ = frozenset(
    {*_MODELS, "sources", "tables", "columns", "versions", "name", "schema", "identifier", "alias"}
    | {"overrides", "description", "config", "meta", "amx_kimi", "digest"}
    | {"v", "latest_version", "include", "exclude"}
)
_TEMPLATE = re.compile(r"\{[{%#]")
_WRAPPED = re.compile(r'"(.+)"|`(.+)`|\[(.+)\]', re.DOTALL)
_BOM = "\ufeff"


@dataclass(frozen=True, eq=False)
class DbtTable:
    """A table, as a property file describes it.

    `node` is its mapping, `relation` its name in the database, `name` its name in dbt; `source` and
    `schema` are those of a source. Of a versioned model `versions` holds the mapping of the version
    whose own columns these are, and `described` is where a description goes: that version, or the
    model. `shared`: an alias means it, or something that it is part of.
    """

    file: Path
    section: str
    node: Node
    name: str
    relation: str
    described: Node
    version: Node | None = None
    source: str = ""
    schema: str = ""
    shared: bool = False

    @property
    def is_source(self) -> bool:
        """Whether it is a table of a source."""
        return self.section == "sources"


@dataclass
class PropertyFile:
    """A property file: its document, its entries, and what `mark` stands before its text."""

    path: Path
    document: Document
    mark: str
    entries: list[DbtTable] = field(default_factory=list)

    @property
    def warnings(self) -> Iterator[str]:
        """What dbt warns about as well."""
        for line, key in self.document.doubles:
            yield f"{self.path}, line {line}: {key!r} occurs twice in one mapping; the last is used"


class Entries:
    """The entries of some files, by the table that they describe."""

    def __init__(self, entries: Iterable[DbtTable]) -> None:
        self._by_table: dict[str, list[DbtTable]] = {}
        self._by_name: dict[tuple[str, str], list[DbtTable]] = {}
        for entry in entries:
            for spelling in {one.lower() for one in spellings(entry.relation)}:
                self._by_table.setdefault(spelling, []).append(entry)
            name = (entry.source.lower(), entry.name.lower())
            self._by_name.setdefault(name, []).append(entry)

    def find(self, schema: str, table: str, section: Section) -> list[DbtTable]:
        """The entries that describe a table of a database, several where it cannot be told which
        one does: sources of its schema; or with a template for a schema, of its schema's name; or
        by the table's name alone a model and a source with a template, first those of `section`.
        """
        name = escape_name(table)
        ranks: dict[int, list[DbtTable]] = {}
        for entry in self._by_table.get(name.lower(), ()):
            rank = _rank(entry, schema, section)
            if rank is not None:
                ranks.setdefault(rank, []).append(entry)
        found = ranks[min(ranks)] if ranks else []
        found = [one for one in found if name in spellings(one.relation)] or found
        # The latest version, which may have the model's own name as its alias, is one entry.
        entries = {id(one.version or one.node): one for one in reversed(found)}
        return list(entries.values())

    def named(self, source: str, table: str) -> list[DbtTable]:
        """The entries that have this name in dbt; models, seeds and snapshots are of no source."""
        return self._by_name.get((source.lower(), escape_name(table).lower()), [])


def read_property_file(path: Path) -> PropertyFile:
    """A property file that is there.

    Raises:
        ConfigFileError: it is not one; says where.
    """
    try:
        with open_regular(path, MOST_BYTES) as file:
            text = file.read().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigFileError(f"{path} cannot be read: {reason}") from None
    mark = _BOM if text.startswith(_BOM) else ""
    try:
        document = read_document(text[len(mark) :], _READ)
    except YAMLPlacesError as error:
        where = f", line {error.line}" if error.line else ""
        raise ConfigFileError(f"{path}{where} is not valid YAML: {error}") from None
    root = document.root
    if root and not is_null(root) and root.kind != "mapping":
        raise ConfigFileError(f"{path} is not a dbt file: expected a mapping at its top")
    found = PropertyFile(path, document, mark)
    if root and root.kind == "mapping":
        for entry in _entries(path, root):
            found.entries.append(entry)
            if len(found.entries) > len(text):
                raise ConfigFileError(f"{path} is not a usable dbt file: its aliases multiply")
    return found


def value_of(mapping: Node, key: str) -> Node | None:
    """The value of a key, even if a merge key (`<<`) adds it."""
    seen: set[int] = set()
    waiting = [mapping]
    while waiting:
        node = waiting.pop(0)
        if node.kind == "sequence":
            waiting[:0] = node.value
        if node.kind != "mapping" or id(node.value) in seen:
            continue
        seen.add(id(node.value))
        found: Node | None = node.value.get(key)
        if found is not None:
            return found
        if MERGE in node.value:
            waiting.insert(0, node.value[MERGE])
    return None


def text_of(mapping: Node, *path: str) -> str:
    """The text at a path of keys; empty if there is none."""
    node: Node | None = mapping
    for key in path:
        node = value_of(node, key) if node and node.kind == "mapping" else None
    if node is None or node.kind != "scalar" or is_null(node):
        return ""
    return str(node.value)


def mappings(path: Path, parent: Node, key: str) -> list[Node]:
    """The mappings in the list below a key.

    Raises:
        ConfigFileError: there is something else; says where.
    """
    there = value_of(parent, key)
    if there is None or is_null(there):
        return []
    if there.kind != "sequence" or any(node.kind != "mapping" for node in there.value):
        line = parent.line if key == "columns" else there.line
        raise ConfigFileError(f"{path}, line {line}: {key} must be a list of mappings")
    found: list[Node] = there.value
    return found


def spellings(name: str) -> set[str]:
    """A name as it is written, and without the quotes of SQL around it."""
    wrapped = _WRAPPED.fullmatch(name)
    return {name, next(filter(None, wrapped.groups()))} if wrapped else {name}


def included(version: Node, column: str) -> bool:
    """Whether a version of a model has this one of the model's own columns."""
    own = value_of(version, "columns")
    for item in own.value if own and own.kind == "sequence" else ():
        include = value_of(item, "include")
        if include is not None:
            excluded = value_of(item, "exclude")
            return _names(include, column) and not (excluded and _names(excluded, column))
    return True


def _names(node: Node, column: str) -> bool:
    if node.kind == "scalar":
        return node.value in ("*", "all")
    return any(one.value == column for one in node.value)


def home_of(sources: list[Node], schema: str) -> Node | None:
    """The source that tables of a schema belong to: of this schema, or with a template for a schema
    and of this name."""
    wanted = escape_name(schema).lower()
    by_name = None
    for source in sources:
        name, written = text_of(source, "name"), text_of(source, "schema")
        if value_of(source, "overrides"):
            continue  # of a package's tables, and those only
        if wanted in {spelling.lower() for spelling in spellings(written or name)}:
            return source
        if name.lower() == wanted and _TEMPLATE.search(written):
            by_name = by_name or source
    return by_name


def _rank(entry: DbtTable, schema: str, section: Section) -> int | None:
    """How well an entry fits a table of this schema; None: not at all."""
    if not entry.is_source:
        return 2 if section == "models" else 3
    wanted = escape_name(schema or NO_SCHEMA).lower()
    if wanted in {spelling.lower() for spelling in spellings(entry.schema)}:
        return 0
    if not _TEMPLATE.search(entry.schema):
        return None
    return 1 if entry.source.lower() == wanted else 2 if section == "sources" else 3


def _is_shared(parent: Node, key: str) -> bool:
    there = parent.value.get(key)
    return there is None or there.shared


def _entries(path: Path, root: Node) -> Iterator[DbtTable]:
    checked: set[int] = set()
    for entry in (*_models(path, root), *_sources(path, root)):
        columns = value_of(entry.node, "columns")
        if columns is not None and id(columns.value) not in checked:
            mappings(path, entry.node, "columns")
            checked.add(id(columns.value))
        yield entry


def _models(path: Path, root: Node) -> Iterator[DbtTable]:
    for section in _MODELS:
        for node in mappings(path, root, section):
            name, alias = text_of(node, "name"), text_of(node, "config", "alias")
            relation = name if not alias or _TEMPLATE.search(alias) else alias
            shared = _is_shared(root, section) or node.shared
            entry = DbtTable(path, section, node, name, relation, node, shared=shared)
            versions = mappings(path, node, "versions") if section == "models" else []
            if not versions:
                yield entry
                continue
            yield replace(entry, version=_latest(node, versions))
            shared = shared or _is_shared(node, "versions")
            for version in versions:
                yield replace(
                    entry,
                    relation=_version_relation(name, version),
                    described=version,
                    version=version,
                    shared=shared or version.shared,
                )


def _version_relation(name: str, version: Node) -> str:
    """A version's name in the database, as dbt makes it."""
    alias = text_of(version, "config", "alias")
    if alias and not _TEMPLATE.search(alias):
        return alias
    return f"{name}_v{text_of(version, 'v').replace('.', '_')}"


def _latest(model: Node, versions: list[Node]) -> Node:
    latest = text_of(model, "latest_version")
    named = [version for version in versions if text_of(version, "v") == latest]
    return named[0] if named else max(versions, key=_order)


def _order(version: Node) -> tuple[float, str]:
    text = text_of(version, "v")
    try:
        return float(text), text
    except ValueError:
        return float("-inf"), text


def _sources(path: Path, root: Node) -> Iterator[DbtTable]:
    for source in mappings(path, root, "sources"):
        name = text_of(source, "name")
        schema = text_of(source, "schema") or name
        shared = _is_shared(root, "sources") or source.shared or _is_shared(source, "tables")
        for node in mappings(path, source, "tables"):
            own, identifier = text_of(node, "name"), text_of(node, "identifier")
            relation = own if not identifier or _TEMPLATE.search(identifier) else identifier
            yield DbtTable(
                *(path, "sources", node, own, relation, node, None, name, schema),
                shared=shared or node.shared,
            )
