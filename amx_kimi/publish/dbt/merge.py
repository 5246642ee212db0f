"""Adds descriptions to an existing property file, and leaves what people wrote unchanged."""

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from amx_kimi.errors import ConfigFileError
from amx_kimi.journal import Described, Run
from amx_kimi.publish.choose import Choice
from amx_kimi.publish.dbt.entries import (
    DbtTable,
    Entries,
    PropertyFile,
    home_of,
    included,
    mappings,
    read_property_file,
    spellings,
    text_of,
    value_of,
)
from amx_kimi.publish.dbt.project import Project
from amx_kimi.publish.dbt.texts import (
    NO_SCHEMA,
    Merged,
    Section,
    chosen_tables,
    digest,
    escape,
    escape_name,
    provenance,
    qualified,
)
from amx_kimi.publish.yaml_lines import Closed, Edits, Unwritable
from amx_kimi.publish.yaml_places import Node
from amx_kimi.types import Item

__all__ = ["MergeRules", "merge_dbt"]

_OURS = "amx_kimi"


@dataclass(frozen=True)
class MergeRules:
    """What is merged into a file: which texts of a run, and the `section` to which tables are added
    that the file does not have. `overwrite` replaces people's texts, too; with `only_existing`
    nothing is added."""

    run: Run
    choice: Choice
    section: Section
    overwrite: bool = False
    only_existing: bool = False


def merge_dbt(
    path: Path, rows: Iterable[Described], rules: MergeRules, project: Project | None = None
) -> tuple[str, Merged]:
    """The text of an existing file with the descriptions added.

    - Empty descriptions and our own are filled; people's texts only if the rules say so. Every
      other byte stays.
    - Missing tables and columns are added, unless the rules forbid it or another file of the
      project has them.

    Raises:
        ConfigFileError: it is not a dbt file, or cannot be changed; says why.
    """
    file = read_property_file(path)
    merge = _Merge(file, project, rules)
    tables = deque(chosen_tables(rows, rules.choice))
    merge.find_rivals(table[0].item for table in tables)
    while tables:  # frees each table once it is merged
        merge.table(tables.popleft())
    try:
        return file.mark + merge.edits.text(), merge.result
    except Unwritable as error:
        raise ConfigFileError(
            f"{path} has a form that amx-kimi cannot change ({error}); it is unchanged"
        ) from None


class _Merge:
    def __init__(self, file: PropertyFile, project: Project | None, rules: MergeRules) -> None:
        self.edits = Edits(file.document)
        self.result = Merged(warnings=[*file.warnings, *(project.warnings if project else ())])
        self._file, self._project, self._rules = file, project, rules
        self._entries = Entries([*file.entries, *(project.entries if project else ())])
        self._filled: dict[int, str] = {}  # by a column's mapping, the table whose it is
        self._claims: dict[int, set[str]] = {}  # by mapping, the tables that it may describe
        self._homes: dict[str, _Home] = {}

    def find_rivals(self, items: Iterable[Item]) -> None:
        """Note which tables of the run one entry may mean: a model says no schema."""
        for item in items:
            for entry in self._entries.find(item.schema, item.table, self._rules.section):
                whole = qualified(item.schema, item.table)
                self._claims.setdefault(id(entry.described), set()).add(whole)

    def table(self, rows: list[Described]) -> None:
        """Merge one table of the run."""
        item = rows[0].item
        found = self._entries.find(item.schema, item.table, self._rules.section)
        own = [entry for entry in found if entry.file == self._file.path]
        if not own and self._rules.only_existing:
            self.result.absent += len(rows)
        elif len(own or found) > 1:
            files = {self._shown(entry) for entry in own or found}
            count, where = len(own or found), " and ".join(sorted(files))
            self._alone(item, f"occurs {count} times in {where}")
        elif own and (rivals := self._rivals(own[0], item)):
            self._alone(
                item, f"and {rivals} share one entry here; export only one of them, with --schema"
            )
        elif own:
            self._fill(own[0], rows)
        elif found:
            self._alone(item, f"is described in {self._shown(found[0])}")
        else:
            self._add_table(rows)

    def _rivals(self, entry: DbtTable, item: Item) -> str:
        """The other tables that an entry may describe, if nothing tells which it is."""
        whole = qualified(item.schema, item.table)
        return " and ".join(sorted(self._claims[id(entry.described)] - {whole}))

    def _alone(self, item: Item, why: str) -> None:
        self._problem(f"{qualified(item.schema, item.table)} {why}")

    def _shown(self, entry: DbtTable) -> str:
        is_own = entry.file == self._file.path
        if self._project and not is_own:
            return self._project.shown(entry.file)
        return str(entry.file)

    # What is there

    def _fill(self, entry: DbtTable, rows: list[Described]) -> None:
        whole = qualified(rows[0].item.schema, rows[0].item.table)
        own = [row for row in rows if not row.item.column]
        columns = [row for row in rows if row.item.column]
        if entry.shared:
            self._problem(f"{whole}: its entry is or contains an alias (line {entry.node.line})")
        else:
            for row in own:
                self._describe_table(entry, row)
            if columns:
                self._fill_columns(entry, columns, whole)

    def _problem(self, line: str) -> None:
        self.result.problems.append(line)

    def _describe_table(self, entry: DbtTable, row: Described) -> None:
        if entry.described is entry.node:
            self._describe(entry.node, row, is_model=not entry.is_source)
        elif not value_of(entry.described, "description") and self._is_persons(entry.node):
            self.result.kept += 1  # the version has the model's description
        else:
            self._describe(entry.described, row, is_version=True)

    def _fill_columns(self, entry: DbtTable, rows: list[Described], whole: str) -> None:
        home = entry.version or entry.node
        for node in (home, entry.node):
            there = node.value.get("columns")
            if there is not None and there.shared:
                self._problem(f"{whole}: its columns are or contain an alias")
                return
            if there is None and node.closed:
                self._problem(f"{whole}: its entry has a merge key, so its columns are skipped")
                return
        lists = [_by_name(mappings(self._file.path, home, "columns"))]
        if home is not entry.node:
            model = mappings(self._file.path, entry.node, "columns")
            inside = [one for one in model if included(home, text_of(one, "name"))]
            lists.append(_by_name(inside))
        shared_with: Counter[str] = Counter()
        for row in rows:
            found = _columns_of(row, lists)
            if len(found) == 1:
                first = self._filled.setdefault(id(found[0]), whole)
                if first != whole:
                    shared_with[first] += 1
                    continue
            self._column(home, found, row)
        for first, count in shared_with.items():
            columns = "column is" if count == 1 else "columns are"
            self._problem(
                f"{whole}: {count} {columns} in the model's own list, shared with {first}"
            )

    def _column(self, home: Node, found: list[Node], row: Described) -> None:
        if len(found) > 1:
            self._problem(f"{row.item.name} occurs {len(found)} times there")
        elif found and found[0].shared and not self._is_persons(found[0]):
            where = f"line {found[0].line}"
            self._problem(f"{row.item.name}: its entry is or contains an alias ({where})")
        elif found:
            self._describe(found[0], row)
        elif self._rules.only_existing:
            self.result.absent += 1
        else:
            try:
                self.edits.append(home, "columns", self._new(row.item.column, row))
                self.result.added += 1
            except Closed as error:
                self._problem(f"{row.item.name}: {error}")

    def _describe(
        self, node: Node, row: Described, *, is_model: bool = False, is_version: bool = False
    ) -> None:
        if self._is_persons(node):
            self.result.kept += 1
            return
        text = self._text(row)
        if is_version:
            text = escape_name(text)  # dbt renders it twice
        path = _provenance_path(node, is_model=is_model)
        try:
            self.edits.check(node, ("description",))
            self.edits.check(node, path)
        except Closed as error:
            self._problem(f"{row.item.name}: {error}")
            return
        first = "v" if is_version else "name"
        self.edits.put(node, ("description",), text, after=first)
        after = "description" if "description" in node.value else first
        self.edits.put(node, path, provenance(row, self._rules.run, text), after=after)
        self.result.added += 1

    def _is_persons(self, node: Node) -> bool:
        """Whether a description is there that is not to be replaced."""
        there = value_of(node, "description")
        if there is None or self._rules.overwrite:
            return False
        present = text_of(node, "description").strip()
        ours = {text_of(node, *path, "digest") for path in _PROVENANCE}
        return there.kind != "scalar" or bool(present and digest(present) not in ours)

    def _text(self, row: Described) -> str:
        return escape(self._rules.choice.text(row) or "")

    # What is not there yet

    def _new(self, name: str, row: Described | None) -> dict[str, Any]:
        made: dict[str, Any] = {"name": escape_name(name)}
        if row:
            text = self._text(row)
            made["description"] = text
            made["config"] = {"meta": {_OURS: provenance(row, self._rules.run, text)}}
        return made

    def _add_table(self, rows: list[Described]) -> None:
        item = rows[0].item
        key = item.schema if self._rules.section == "sources" else ""
        home = self._homes.setdefault(key, self._home(item.schema))
        taken = self._entries.named(home.source, item.table)
        first = home.tables.setdefault(item.table.lower(), item.schema)
        if taken:
            self._alone(item, f"has the same name as another table in {self._shown(taken[0])}")
        elif first != item.schema:
            there = qualified(first, item.table)
            self._alone(item, f"has the same name as {there}, which is there already")
        else:
            own = next((row for row in rows if not row.item.column), None)
            made = self._new(item.table, own)
            columns = [self._new(row.item.column, row) for row in rows if row.item.column]
            try:
                self._append(home, {**made, "columns": columns} if columns else made)
                self.result.added += len(rows)
            except Closed as error:
                self._alone(item, f"cannot be added: {error}")

    def _append(self, home: "_Home", table: dict[str, Any]) -> None:
        if self._rules.section == "models":
            self.edits.append(None, "models", table)
        elif home.node is not None:
            self.edits.append(home.node, "tables", table)
        elif home.added:
            home.added.append(table)
        else:
            added = [table]
            source = {"name": home.source, "schema": home.source, "tables": added}
            self.edits.append(None, "sources", source)
            home.added = added

    def _home(self, schema: str) -> "_Home":
        """Where new tables of a schema go."""
        root = self._file.document.root
        if self._rules.section == "models":
            return _Home("")
        name = schema or NO_SCHEMA
        found = home_of(mappings(self._file.path, root, "sources") if root else [], name)
        return _Home(text_of(found, "name"), found) if found else _Home(escape_name(name))


@dataclass
class _Home:
    """Where tables are added: the name of the source, its mapping if the file has it, the tables of
    one that is new, and the schemas of all that was added, by the table's name."""

    source: str
    node: Node | None = None
    added: list[Any] | None = None
    tables: dict[str, str] = field(default_factory=dict)


_PROVENANCE = (("config", "meta", _OURS), ("meta", _OURS))


def _provenance_path(node: Node, *, is_model: bool) -> tuple[str, ...]:
    """Where an entry keeps what we know of its description: dbt refuses a model that has `meta` in
    two places."""
    in_config, on_top = _PROVENANCE
    config, meta = value_of(node, "config"), value_of(node, "meta")
    has_both = config is not None and config.kind == "mapping" and value_of(config, "meta")
    has_ours = meta is not None and meta.kind == "mapping" and value_of(meta, _OURS)
    if meta is not None and not has_both and (is_model or has_ours):
        return on_top
    return in_config


def _by_name(columns: Iterable[Node]) -> dict[str, list[Node]]:
    found: dict[str, list[Node]] = {}
    for column in columns:
        for spelling in {one.lower() for one in spellings(text_of(column, "name"))}:
            found.setdefault(spelling, []).append(column)
    return found


def _columns_of(row: Described, lists: list[dict[str, list[Node]]]) -> list[Node]:
    """The columns of a name in the first list that has any; if there are such, in its own case."""
    name = escape_name(row.item.column)
    key = name.lower()
    found = next((one[key] for one in lists if key in one), [])
    return [one for one in found if name in spellings(text_of(one, "name"))] or found
