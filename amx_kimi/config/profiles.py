"""Profiles in AMX's `config.yml`: read as AMX reads them, written so that AMX reads the same."""

import difflib
import io
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from amx_kimi.config.files import config_path, overlay_path, read_yaml, rewrite
from amx_kimi.config.overlay import load_overlay
from amx_kimi.config.profile import Overlay, Profile, amx_fields
from amx_kimi.errors import ConfigError, ConfigFileError, UnknownProfileError
from amx_kimi.settings import Settings

__all__ = [
    "active_profile",
    "load_profile",
    "nearest",
    "profile_names",
    "save_profile",
    "use_profile",
]

_NEWEST_SCHEMA = 3
_PROVIDER = "kimi"


def profile_names(settings: Settings) -> dict[str, str]:
    """Every LLM profile in `config.yml`, in file order, and its provider.

    Raises:
        ConfigFileError: the file is broken; names file and line.
    """
    entries = _entries(settings.config_dir)
    return {
        name: str(entry.get("provider", "")) if isinstance(entry, Mapping) else ""
        for name, entry in entries.items()
    }


def active_profile(settings: Settings) -> str | None:
    """The profile that AMX would use: `active_llm_profile`, else the first; None without any."""
    entries = _entries(settings.config_dir)
    # AMX passes over what is no mapping; where nothing is one, loading says so.
    names = [name for name, entry in entries.items() if isinstance(entry, Mapping)] or [*entries]
    active = str(_document(settings.config_dir).get("active_llm_profile") or "default")
    return active if active in names else next(iter(names), None)


def load_profile(name: str | None = None, settings: Settings | None = None) -> Profile:
    """The profile `name`, or the active one.

    Raises:
        UnknownProfileError: no such profile; names the nearest ones.
        ConfigError: a file is broken, or the profile is another provider's.
    """
    settings = settings or Settings.from_environment()
    path, entries = config_path(settings.config_dir), _entries(settings.config_dir)
    chosen = name or active_profile(settings)
    if chosen is None:
        raise UnknownProfileError(
            f"{path} has no LLM profile",
            remedy="Add one under llm_profiles (see README), or try `amx-kimi demo` first.",
        )
    if chosen not in entries:
        raise UnknownProfileError(
            f"No LLM profile {chosen!r} in {path}. {nearest(chosen, entries)}"
        )
    values = amx_fields(entries[chosen], chosen, path)
    if (provider := values.get("provider", "")) != _PROVIDER:
        raise ConfigError(
            f"The profile {chosen!r} is for the provider {provider!r}, not {_PROVIDER!r}",
            remedy=_kimi_remedy(profile_names(settings)),
        )
    overlays = load_overlay(settings.config_dir)
    overlay = overlays.profiles.get(chosen, Overlay())
    model = overlays.aliases.get(values.get("model", ""), values.get("model", ""))
    if not model:
        raise ConfigFileError(f"{path}, profile {chosen!r}: model is blank")
    endpoint = overlays.endpoint(overlay.endpoint, values.get("api_base"))
    if overlay.auth:
        endpoint = replace(endpoint, auth=overlay.auth)
    return Profile(
        **{**values, "name": chosen, "endpoint": endpoint, "model": model}, overlay=overlay
    )


def save_profile(
    folder: Path,
    name: str,
    fields: Mapping[str, Any],
    overlay: Mapping[str, Any] | None = None,
    *,
    endpoints: Mapping[str, Mapping[str, Any]] | None = None,
    activate: bool = False,
) -> None:
    """Write AMX's `fields` to `config.yml`, our `overlay` and `endpoints` to `kimi.yml`.

    Comments, order and every other key stay as they are.

    Raises:
        ConfigFileError: a file is broken or cannot be written; it is unchanged.
    """

    def change(document: dict[str, Any]) -> None:
        document.setdefault("schema_version", _NEWEST_SCHEMA)
        _update(document, "llm_profiles", name, fields)
        if activate or not document.get("active_llm_profile"):
            document["active_llm_profile"] = _quoted(name)

    def change_overlay(document: dict[str, Any]) -> None:
        if overlay:
            _update(document, "profiles", name, overlay)
        for endpoint, row in (endpoints or {}).items():
            _update(document, "endpoints", endpoint, row)

    _entries(folder)  # refuses what could not be read back
    if overlay or endpoints:
        load_overlay(folder)
        _edit(overlay_path(folder), change_overlay)
    _edit(config_path(folder), change)


def use_profile(settings: Settings, name: str) -> None:
    """Make `name` the active profile, for AMX too.

    Raises:
        UnknownProfileError: no such profile; names the nearest ones.
        ConfigFileError: the file is broken or cannot be written; it is unchanged.
    """
    path, entries = config_path(settings.config_dir), _entries(settings.config_dir)
    if name not in entries:
        raise UnknownProfileError(f"No LLM profile {name!r} in {path}. {nearest(name, entries)}")
    _edit(path, lambda document: document.update(active_llm_profile=_quoted(name)))


def nearest(name: str, known: Mapping[str, Any]) -> str:
    """A sentence with the names nearest to a mistyped one, or with all that there are."""
    if not known:
        return "There is none."
    near = difflib.get_close_matches(name, known, 3, 0.5)
    return f"Did you mean {' or '.join(near)}?" if near else f"There are: {', '.join(known)}."


def _kimi_remedy(names: Mapping[str, str]) -> str:
    ours = [name for name, provider in names.items() if provider == _PROVIDER]
    if not ours:
        return "Add a profile with `provider: kimi` (see README)."
    return f"Choose one of {', '.join(ours)}: `--profile NAME`, or `amx-kimi use-llm NAME`."


def _document(folder: Path) -> dict[str, Any]:
    path = config_path(folder)
    document = read_yaml(path)
    schema = document.get("schema_version", _NEWEST_SCHEMA)
    if isinstance(schema, int) and schema > _NEWEST_SCHEMA:
        raise ConfigFileError(
            f"{path} has schema_version {schema}; this amx-kimi knows up to {_NEWEST_SCHEMA}",
            remedy="A newer AMX wrote it: upgrade amx-kimi.",
        )
    return document


def _entries(folder: Path) -> dict[str, Any]:
    section = _document(folder).get("llm_profiles") or {}
    if not isinstance(section, Mapping):
        raise ConfigFileError(f"{config_path(folder)}: llm_profiles has to be a mapping")
    return {str(name): entry for name, entry in section.items()}


def _update(document: dict[str, Any], section: str, name: str, fields: Mapping[str, Any]) -> None:
    """Set fields of one entry of a section in place: a new mapping would lose its comments."""
    if not document.get(section):
        document[section] = {}
    entries = document[section]
    key = next((key for key in entries if str(key) == name), _quoted(name))
    if not isinstance(entries.get(key), dict):
        entries[key] = {}
    entries[key].update(_quoted(fields))


def _edit(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change a YAML document in place, keeping a person's comments and order."""
    from ruamel.yaml import YAML
    from ruamel.yaml.constructor import DuplicateKeyError
    from ruamel.yaml.error import YAMLError

    round_trip = YAML()
    round_trip.preserve_quotes = True
    round_trip.width = 4096

    def rewritten(text: str) -> str:
        try:
            document = round_trip.load(text)
        except YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            line = f", line {mark.line + 1}" if mark else ""
            # AMX reads the last of two; a writer would have to choose one.
            double = isinstance(error, DuplicateKeyError)
            what = "this key stands there twice" if double else "not valid YAML"
            raise ConfigFileError(f"{path}{line}: {what}; it is unchanged") from None
        document = {} if document is None else document
        if not isinstance(document, dict):
            raise ConfigFileError(f"{path}: expected a mapping at the top; it is unchanged")
        change(document)
        stream = io.StringIO()
        round_trip.dump(document, stream)
        return stream.getvalue()

    rewrite(path, rewritten)


def _quoted(value: Any) -> Any:
    """`value` to write: quoted where AMX's YAML 1.1 would not read text: `off`, `1e3`, `null` …

    Only for what we add: what stands there is already as AMX reads it.
    """
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString

    if isinstance(value, Mapping):
        return {_quoted(key): _quoted(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_quoted(entry) for entry in value]
    if isinstance(value, str) and not _reads_same(value):
        return DoubleQuotedScalarString(value)
    return value


def _reads_same(text: str) -> bool:
    try:
        return bool(yaml.safe_load(text) == text)
    except (yaml.YAMLError, ValueError):
        return False
