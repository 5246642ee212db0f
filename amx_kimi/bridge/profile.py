"""Turns AMX's `LLMConfig` into our profile and its key."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from amx_kimi.config import (
    AMX_DEFAULTS,
    FoundKey,
    Profile,
    active_profile,
    config_path,
    find_key,
    load_overlay,
    overlay_path,
)
from amx_kimi.config.loading import assemble, raw_profiles
from amx_kimi.errors import ConfigError, MissingKeyError
from amx_kimi.settings import Settings
from amx_kimi.types import Secret

__all__ = ["is_kimi", "key_of", "profile_of"]

_UNSAVED = "(unsaved)"


def is_kimi(config: Any) -> bool:
    """Whether an `LLMConfig` of AMX is ours."""
    return str(getattr(config, "provider", "")).strip().lower() == "kimi"


def profile_of(config: Any, settings: Settings) -> Profile:
    """The profile that AMX's `LLMConfig` means, with its settings in `kimi.yml`.

    AMX does not name the profile of a configuration. It is the one in `config.yml` that has the
    same model and API base; if several match, the active one comes first.

    Raises:
        ConfigError: a value, the endpoint or a file is not usable; names it.
    """
    entry = {name: getattr(config, name, None) for name in AMX_DEFAULTS if name != "confidence"}
    folder = settings.config_dir
    files = tuple(_stamp(path) for path in (config_path(folder), overlay_path(folder)))
    return _assembled(tuple(entry.items()), settings, files)


@lru_cache(maxsize=64)
def _assembled(
    fields: tuple[tuple[str, Any], ...],
    settings: Settings,
    files: tuple[Any, ...],  # noqa: ARG001  # a file that changed is read again
) -> Profile:
    """Cached, because reading YAML takes longer than our own work; until the files change."""
    entry = {name: value for name, value in fields if value is not None}
    path = config_path(settings.config_dir)
    return assemble(_name(entry, settings), entry, load_overlay(settings.config_dir), path)


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size


def _name(entry: Mapping[str, Any], settings: Settings) -> str:
    try:
        saved, active = raw_profiles(settings.config_dir), active_profile(settings)
    except ConfigError:  # AMX accepted it, or got this configuration without a file
        return _UNSAVED
    names = sorted(saved, key=lambda name: name != active)
    return next((name for name in names if _same(saved[name], entry)), _UNSAVED)


def _same(saved: Any, entry: Mapping[str, Any]) -> bool:
    if not isinstance(saved, Mapping):
        return False
    for key in ("provider", "model", "api_base"):
        theirs = str(saved.get(key) or "").strip().rstrip("/")
        ours = str(entry.get(key) or "").rstrip("/")
        if theirs != ours:
            return False
    return True


def key_of(config: Any, profile: Profile, settings: Settings) -> FoundKey:
    """The key that AMX resolved for this configuration, else the one that we find.

    An endpoint that is not Moonshot's own may need none; without a key, none is sent.

    Raises:
        MissingKeyError: there is none; lists the places that were searched.
    """
    given = str(getattr(config, "api_key", "") or "")
    if given and not given.startswith("keyring:") and profile.endpoint.auth != "none":
        return FoundKey(Secret(given), "AMX's profile")
    try:
        return find_key(profile, settings)
    except MissingKeyError:
        if given or profile.endpoint.name != "any":
            raise
        return FoundKey(None, "none was given")
