"""Profiles in AMX's `config.yml`, read as AMX reads them."""

import difflib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from amx_kimi.arguments import instance, optional_text
from amx_kimi.conceal import shown
from amx_kimi.config.files import config_path, read_yaml
from amx_kimi.config.overlay import OverlayFile, load_overlay
from amx_kimi.config.profile import Overlay, Profile, amx_fields
from amx_kimi.errors import ConfigError, ConfigFileError, UnknownProfileError
from amx_kimi.settings import Settings

__all__ = [
    "active_profile",
    "assemble",
    "check_config",
    "known_entry",
    "load_profile",
    "nearest",
    "profile_names",
    "raw_profiles",
]

_NEWEST_SCHEMA = 3
PROVIDER = "kimi"


def profile_names(settings: Settings) -> dict[str, str]:
    """Every LLM profile in `config.yml`, in file order, and its provider.

    Raises:
        ConfigFileError: the file is broken; names file and line.
    """
    return {
        name: str(entry.get("provider", "")) if isinstance(entry, Mapping) else ""
        for name, entry in raw_profiles(settings.config_dir).items()
    }


def active_profile(settings: Settings) -> str | None:
    """The profile that AMX would use: `active_llm_profile`, else the first; None if there is
    none."""
    document = _document(settings.config_dir)
    return active_of(document, _entries(document, config_path(settings.config_dir)))


def active_of(document: Mapping[str, Any], entries: Mapping[str, Any]) -> str | None:
    """Like `active_profile`, for a document that is already read."""
    # AMX skips entries that are not mappings. If none is one, loading the profile says so.
    mappings = [name for name, entry in entries.items() if isinstance(entry, Mapping)]
    names = mappings or [*entries]
    active = str(document.get("active_llm_profile") or "default")
    return active if active in names else next(iter(names), None)


def load_profile(name: str | None = None, settings: Settings | None = None) -> Profile:
    """The profile `name`, or the active one.

    Raises:
        UnknownProfileError: no such profile; names the nearest ones.
        ConfigError: a file is broken, the profile belongs to another provider, or an argument is
            not usable.
    """
    name = optional_text("name", name)
    if settings is None:
        settings = Settings.from_environment()
    instance("settings", settings, Settings)
    path = config_path(settings.config_dir)
    chosen = name or active_profile(settings)
    if chosen is None:
        raise UnknownProfileError(
            f"{path} has no LLM profile",
            remedy="Add one with `amx-kimi add-llm-profile`, or try `amx-kimi demo` first.",
        )
    entry = known_entry(settings, chosen)
    if isinstance(entry, Mapping):
        provider = str(entry.get("provider") or "").strip()
        if provider != PROVIDER:
            raise ConfigError(
                f"The profile {chosen!r} is for the provider {provider!r}, not {PROVIDER!r}",
                remedy=_kimi_remedy(profile_names(settings)),
            )
    return assemble(chosen, entry, load_overlay(settings.config_dir), path)


def assemble(name: str, entry: object, overlays: OverlayFile, path: Path) -> Profile:
    """A profile from its entry of `llm_profiles` (in the file `path`) and `kimi.yml`.

    Raises:
        ConfigError: a value, the model or the endpoint is not usable; names it.
    """
    values = amx_fields(entry, name, path)
    overlay = overlays.profiles.get(name, Overlay())
    model = overlays.aliases.get(values.get("model", ""), values.get("model", ""))
    if not model:
        raise ConfigFileError(f"{path}, profile {name!r}: model is blank")
    endpoint = overlays.endpoint(overlay.endpoint, values.get("api_base"))
    if overlay.auth:
        endpoint = replace(endpoint, auth=overlay.auth)
    return Profile(
        **{**values, "name": name, "endpoint": endpoint, "model": model},
        overlay=overlay,
        masking=overlays.masking,
    )


def nearest(name: str, known: Mapping[str, Any]) -> str:
    """A sentence with the names most similar to a mistyped one, or else with all names."""
    if not known:
        return "There are none."
    near = difflib.get_close_matches(name, known, 3, 0.5)
    if near:
        return f"Did you mean {' or '.join(near)}?"
    return f"Known: {', '.join(known)}."


def raw_profiles(folder: Path) -> dict[str, Any]:
    """`llm_profiles` as it is in `config.yml`.

    Raises:
        ConfigFileError: the file is broken; names file and line.
    """
    return _entries(_document(folder), config_path(folder))


def known_entry(settings: Settings, name: str) -> Any:
    """The entry `name` of `llm_profiles` as it is in `config.yml`.

    Raises:
        UnknownProfileError: no such profile; names the nearest ones.
    """
    entries = raw_profiles(settings.config_dir)
    if name not in entries:
        path = config_path(settings.config_dir)
        raise UnknownProfileError(
            f"No LLM profile {shown(name)} in {path}", remedy=nearest(name, entries)
        )
    return entries[name]


def check_config(document: Mapping[str, Any], path: Path) -> None:
    """Refuse a `config.yml` that a newer AMX wrote, or whose `llm_profiles` is not a mapping.

    Raises:
        ConfigFileError: it is one of these.
    """
    schema = document.get("schema_version", _NEWEST_SCHEMA)
    if isinstance(schema, int) and schema > _NEWEST_SCHEMA:
        raise ConfigFileError(
            f"{path} has schema_version {schema}, but this amx-kimi supports only up to "
            f"{_NEWEST_SCHEMA}",
            remedy="A newer AMX wrote it. Upgrade amx-kimi.",
        )
    if not isinstance(document.get("llm_profiles") or {}, Mapping):
        raise ConfigFileError(f"{path}: llm_profiles must be a mapping")


def _kimi_remedy(names: Mapping[str, str]) -> str:
    ours = [name for name, provider in names.items() if provider == PROVIDER]
    if not ours:
        return "Add a kimi profile with `amx-kimi add-llm-profile`."
    return f"Choose one of {', '.join(ours)} with `--profile NAME` or `amx-kimi use-llm NAME`."


def _document(folder: Path) -> dict[str, Any]:
    return read_yaml(config_path(folder))


def _entries(document: Mapping[str, Any], path: Path) -> dict[str, Any]:
    check_config(document, path)
    entries = document.get("llm_profiles") or {}
    return {str(name): entry for name, entry in entries.items()}
