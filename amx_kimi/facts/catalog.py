"""Loads the facts files, and finds rows by id, alias, family or URL."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit

from amx_kimi.errors import FactsError
from amx_kimi.facts.rows import EndpointRow, ModelRow, TierRow
from amx_kimi.plain_yaml import FAST_LOADER, YAMLTextError, load_yaml
from amx_kimi.typed import build

__all__ = ["Catalog", "load_catalog", "match_endpoint", "model_key", "parse_catalog"]


@dataclass(frozen=True)
class Catalog:
    """All rows. `models` in file order (live first); `families` are (pattern, template row)."""

    models: tuple[ModelRow, ...]
    families: tuple[tuple[re.Pattern[str], ModelRow], ...]
    endpoints: tuple[EndpointRow, ...]
    tiers: tuple[TierRow, ...]

    def model(self, model: str) -> ModelRow:
        """The row of a model id or alias; an unknown id gets its family's row under its own id."""
        key = model_key(model)
        for row in self.models:
            if key == row.id or key in row.aliases:
                return row
        template = next(row for pattern, row in self.families if pattern.fullmatch(key))
        return replace(template, id=key)

    def knows(self, model: str) -> bool:
        """Whether the model has a row of its own."""
        key = model_key(model)
        return any(key == row.id or key in row.aliases for row in self.models)

    def endpoint(self, name: str) -> EndpointRow | None:
        """The endpoint row of this name, or None."""
        return next((row for row in self.endpoints if row.name == name), None)


def model_key(model: str) -> str:
    """A model id without vendor prefix and in lower case: `moonshotai/Kimi-K2.6` -> `kimi-k2.6`."""
    name = model.strip().rsplit("/", 1)[-1]
    return name.partition(":")[0].lower()


@cache
def load_catalog() -> Catalog:
    """The facts that ship with the package.

    Raises:
        FactsError: names the file, the row and the column.
    """
    folder = files("amx_kimi.facts")
    return parse_catalog(
        *((folder / f"{name}.yml").read_text("utf-8") for name in ("models", "endpoints", "tiers"))
    )


def parse_catalog(models: str, endpoints: str, tiers: str) -> Catalog:
    """Facts from the texts of the three files.

    Raises:
        FactsError: names the file, the row and the column.
    """
    document = _mapping(models, "models.yml")
    families = [dict(_row(row, "models.yml, a family")) for row in _list(document, "families")]
    templates = {str(row.pop("name", "")): row for row in families}
    patterns = {name: _pattern(row.pop("pattern", None), name) for name, row in templates.items()}
    if not families or not patterns[list(patterns)[-1]].fullmatch("anything"):
        raise FactsError("models.yml: the last family must match every id")
    rows = tuple(_model(row, templates) for row in _list(document, "models"))
    _check_models(rows)
    return Catalog(
        models=rows,
        families=tuple(
            (patterns[name], _model({"id": name, "family": name}, templates)) for name in templates
        ),
        endpoints=_endpoints(endpoints),
        tiers=tuple(
            build(TierRow, row, f"tiers.yml, row {number}")
            for number, row in enumerate(_list(_mapping(tiers, "tiers.yml"), "tiers"))
        ),
    )


def match_endpoint(catalog: Catalog, url: str) -> EndpointRow:
    """The endpoint row whose URL `url` is; else the row `any` with that URL."""
    wanted = _comparable(url)
    for row in catalog.endpoints:
        if row.url and _comparable(row.url) == wanted:
            return row
    return replace(next(row for row in catalog.endpoints if row.name == "any"), url=url)


def _comparable(url: str) -> tuple[str, str, int | None, str]:
    parts = urlsplit(url.strip())
    return parts.scheme.lower(), parts.hostname or "", parts.port, parts.path.rstrip("/")


def _endpoints(text: str) -> tuple[EndpointRow, ...]:
    rows = []
    for entry in _list(_mapping(text, "endpoints.yml"), "endpoints"):
        where = f"endpoints.yml, row {_row(entry, 'endpoints.yml').get('name')!r}"
        rows.append(build(EndpointRow, entry, where))
    names = [row.name for row in rows]
    if double := {name for name in names if names.count(name) > 1}:
        raise FactsError(f"endpoints.yml: the endpoint {double.pop()!r} occurs twice")
    if "any" not in names:
        raise FactsError("endpoints.yml: the row 'any' is missing")
    return tuple(rows)


def _model(entry: object, templates: Mapping[str, Mapping[str, Any]]) -> ModelRow:
    row = _row(entry, "models.yml, a model")
    where = f"models.yml, row {row.get('id')!r}"
    family = row.get("family")
    if family not in templates:
        raise FactsError(f"{where}: unknown family {family!r} (known: {', '.join(templates)})")
    return build(ModelRow, {**templates[str(family)], **row}, where)


def _check_models(rows: tuple[ModelRow, ...]) -> None:
    names = [name for row in rows for name in (row.id, *row.aliases)]
    if double := {name for name in names if names.count(name) > 1}:
        raise FactsError(f"models.yml: the id {double.pop()!r} occurs twice")
    for row in rows:
        if row.successor and row.successor not in names:
            raise FactsError(f"models.yml, row {row.id!r}: unknown successor {row.successor!r}")


def _pattern(value: object, family: str) -> re.Pattern[str]:
    try:
        return re.compile(str(value), re.IGNORECASE | re.DOTALL)
    except re.error as error:
        raise FactsError(f"models.yml, family {family!r}: bad pattern: {error}") from None


def _mapping(text: str, file: str) -> Mapping[str, Any]:
    try:
        return _row(load_yaml(text, FAST_LOADER), file)
    except YAMLTextError as error:
        raise FactsError(f"{file}: not YAML: {error}") from None


def _row(value: object, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise FactsError(f"{where}: expected a mapping, found {value!r:.60}")
    return value


def _list(document: Mapping[str, Any], key: str) -> list[Any]:
    value = document.get(key)
    if not isinstance(value, list):
        raise FactsError(f"the key {key!r} must have a list of rows")
    return value
