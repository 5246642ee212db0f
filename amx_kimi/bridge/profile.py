"""From AMX's `LLMConfig` to our profile and its key."""

from collections.abc import Mapping
from typing import Any

from amx_kimi.config import (
    AMX_DEFAULTS,
    FoundKey,
    Profile,
    active_profile,
    config_path,
    find_key,
    load_overlay,
)
from amx_kimi.config.profiles import assemble, raw_profiles
from amx_kimi.errors import ConfigError, MissingKeyError
from amx_kimi.settings import Settings
from amx_kimi.types import Secret

__all__ = ["is_kimi", "key_of", "profile_of"]

_UNSAVED = "(unsaved)"


def is_kimi(config: Any) -> bool:
    """Whether an `LLMConfig` of AMX is ours."""
    return str(getattr(config, "provider", "")).strip().lower() == "kimi"


def profile_of(config: Any, settings: Settings) -> Profile:
    """The profile that AMX's `LLMConfig` stands for, with what `kimi.yml` says of it.

    AMX does not say which name a configuration has: it is the one in `config.yml` with its model
    and API base, the active one first.

    Raises:
        ConfigError: a value, the endpoint or a file is not usable; names it.
    """
    entry = {name: getattr(config, name) for name in AMX_DEFAULTS if hasattr(config, name)}
    entry = {name: value for name, value in entry.items() if value is not None}
    name = _name(entry, settings)
    path = config_path(settings.config_dir)
    return assemble(name, entry, load_overlay(settings.config_dir), path)


def _name(entry: Mapping[str, Any], settings: Settings) -> str:
    try:
        saved, active = raw_profiles(settings.config_dir), active_profile(settings)
    except ConfigError:  # AMX read it, or was given this configuration without any file
        return _UNSAVED
    names = sorted(saved, key=lambda name: name != active)
    return next((name for name in names if _same(saved[name], entry)), _UNSAVED)


def _same(saved: Any, entry: Mapping[str, Any]) -> bool:
    return isinstance(saved, Mapping) and all(
        str(saved.get(key) or "").strip().rstrip("/") == str(entry.get(key) or "").rstrip("/")
        for key in ("provider", "model", "api_base")
    )


def key_of(config: Any, profile: Profile, settings: Settings) -> FoundKey:
    """The key that AMX resolved for this very configuration, else where ours would look.

    An endpoint that is not Moonshot's own may need none: without one, none is sent.

    Raises:
        MissingKeyError: there is none; lists where was looked.
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
