"""Reads `--context` files into a `Context`."""

import csv
import hashlib
import io
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from amx_kimi.annotate.context.dbt import Manifest
from amx_kimi.annotate.context.glossary import Glossary
from amx_kimi.errors import ConfigFileError
from amx_kimi.files import open_regular
from amx_kimi.plain_yaml import YAMLTextError, load_yaml
from amx_kimi.types import Item

__all__ = ["Context", "load_context"]

_Term = tuple[str, str, str]  # a term, its meaning, and where it stands

_MOST_BYTES = 20_000_000
_MOST_MANIFEST_BYTES = 1_000_000_000
_MOST_RULES = 8_000
_KINDS = (
    "a glossary (.csv, .yml, .json), house rules (.md, .txt, or `rules:` in a .yml), a dbt manifest"
)


@dataclass(frozen=True)
class Context:
    """What people wrote. `files` are the paths with the SHA-256 of what was read, for resuming."""

    glossary: Glossary = field(default_factory=lambda: Glossary({}))
    rules: str = ""
    manifests: tuple[Manifest, ...] = ()
    files: tuple[tuple[str, str], ...] = ()

    def terms(self, items: Iterable[Item]) -> dict[str, str]:
        """The glossary's entries that concern these items."""
        if not self.glossary.meanings:
            return {}
        return self.glossary.about(
            *(text for item in items for text in (item.table, item.column, item.comment))
        )

    def part(self, item: Item) -> list[object]:
        """The context that belongs to the item's reuse key; empty if nothing concerns it."""
        terms = self.terms([item])
        return [terms, self.rules] if terms or self.rules else []


def load_context(paths: Sequence[str]) -> Context:
    """Read `--context` files: glossaries, house rules and dbt manifests, in any order.

    Raises:
        ConfigFileError: a file is missing, of an unknown kind, or invalid; says which, and where.
    """
    terms: list[_Term] = []
    rules: list[str] = []
    manifests: list[Manifest] = []
    files = []
    for name in paths:
        path = Path(name).expanduser()
        raw = _read(path)
        files.append((str(path.resolve()), hashlib.sha256(raw).hexdigest()))
        if path.suffix.lower() == ".json" and _is_manifest(document := _json(raw, path)):
            manifests.append(Manifest.of(document, str(path)))
            continue
        found, said = _parse(path, raw)
        terms += found
        rules += said
    wording = "\n".join(rules)
    if len(wording) > _MOST_RULES:
        raise ConfigFileError(
            f"The house rules have {len(wording):,} characters; at most {_MOST_RULES:,} are sent",
            remedy="They are paid for with every request: keep only what descriptions need.",
        )
    return Context(Glossary.of(terms), wording, tuple(manifests), tuple(files))


def _is_manifest(document: Any) -> bool:
    return isinstance(document, Mapping) and ("nodes" in document or "metadata" in document)


def _read(path: Path) -> bytes:
    most = _MOST_MANIFEST_BYTES if path.suffix.lower() == ".json" else _MOST_BYTES
    try:
        if path.stat().st_size > most:
            raise ConfigFileError(f"The context file {path} has more than {most:,} bytes")
        with open_regular(path) as file:
            return file.read(most + 1)[:most]
    except OSError as error:
        raise ConfigFileError(f"The context file {path} cannot be read: {error.strerror}") from None


def _parse(path: Path, raw: bytes) -> tuple[list[_Term], list[str]]:
    kind = path.suffix.lower()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigFileError(f"The context file {path} is not UTF-8 text") from None
    if kind in (".md", ".txt"):
        return [], [text.strip()]
    if kind == ".csv":
        return list(_csv(text, path)), []
    if kind in (".yml", ".yaml", ".json"):
        return _structured(_json(raw, path) if kind == ".json" else _yaml(text, path), path)
    raise ConfigFileError(
        f"The context file {path} is of an unknown kind", remedy=f"Known: {_KINDS}."
    )


def _csv(text: str, path: Path) -> Iterator[_Term]:
    head = text.partition("\n")[0]
    rows = csv.reader(io.StringIO(text), delimiter=max(",;\t", key=head.count))
    try:
        names = [name.strip().lower() for name in next(rows, [])]
        if "term" not in names or "meaning" not in names:
            raise ConfigFileError(
                f"{path}: the first line must name the columns `term` and `meaning`, found "
                f"{', '.join(names)[:80] or 'nothing'}"
            )
        term, meaning = names.index("term"), names.index("meaning")
        for row in rows:
            if any(cell.strip() for cell in row):
                where = f"{path}, line {rows.line_num}"
                if len(row) <= max(term, meaning):
                    raise ConfigFileError(f"{where}: expected a term and its meaning")
                yield row[term], row[meaning], where
    except csv.Error as error:
        raise ConfigFileError(f"{path}, line {rows.line_num}: {error}") from None


def _structured(document: Any, path: Path) -> tuple[list[_Term], list[str]]:
    """`terms:` and `rules:`; or the terms alone, as a mapping or a list."""
    rules: Any = []
    if isinstance(document, Mapping) and set(document) <= {"terms", "rules"}:
        rules = document.get("rules") or []
        document = document.get("terms") or {}
    if isinstance(rules, str):
        rules = [rules]
    if not isinstance(rules, list) or not all(isinstance(rule, str) for rule in rules):
        raise ConfigFileError(f"{path}: `rules` must be a text or a list of texts")
    if isinstance(document, Mapping):
        document = [{"term": term, "meaning": meaning} for term, meaning in document.items()]
    if not isinstance(document, list):
        raise ConfigFileError(f"{path}: expected terms with their meanings, as a mapping or a list")
    return [_term(entry, n, path) for n, entry in enumerate(document, 1)], rules


def _term(entry: Any, number: int, path: Path) -> _Term:
    where = f"{path}, entry {number}"
    if isinstance(entry, Mapping):
        term, meaning = entry.get("term"), entry.get("meaning")
        if isinstance(term, str | int) and isinstance(meaning, str):
            return str(term), meaning, where
    raise ConfigFileError(f"{where}: expected a term and its meaning, found {entry!r:.60}")


class _Loader(yaml.SafeLoader):
    """A YAML loader that refuses a key that occurs twice."""


def _mapping(loader: _Loader, node: yaml.MappingNode) -> Any:
    seen: set[Any] = set()
    for key, _ in node.value:
        name = loader.construct_object(key, deep=True)
        if isinstance(name, str) and name in seen:
            raise yaml.MarkedYAMLError(
                problem=f"{name!r} occurs twice", problem_mark=key.start_mark
            )
        seen.add(name if isinstance(name, str) else id(key))
    return yaml.SafeLoader.construct_yaml_map(loader, node)


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        counts = Counter(name for name, _ in pairs)
        twice = next(name for name, count in counts.items() if count > 1)
        raise ValueError(f"{twice!r} occurs twice")
    return found


def _yaml(text: str, path: Path) -> Any:
    try:
        return load_yaml(text, _Loader)
    except YAMLTextError as error:
        raise ConfigFileError(f"{path} is not valid YAML: {error!s:.200}") from None


def _json(raw: bytes, path: Path) -> Any:
    try:
        pairs = None if b'"nodes"' in raw[:10_000_000] else _once
        return json.loads(raw, object_pairs_hook=pairs)
    except (ValueError, RecursionError) as error:
        raise ConfigFileError(f"{path} is not valid JSON: {error!s:.200}") from None
