"""A profile and a key that a caller gives directly, without any files."""

from dataclasses import replace

from amx_kimi.config.loading import load_profile
from amx_kimi.config.overlay import load_overlay
from amx_kimi.config.profile import Profile
from amx_kimi.config.secrets import FoundKey, find_key
from amx_kimi.config.words import clean_key, endpoint_url
from amx_kimi.errors import MissingKeyError
from amx_kimi.settings import Settings

__all__ = ["at_base_url", "direct_key", "direct_profile", "given_profile"]


def direct_profile(model: str, settings: Settings, *, base_url: str = "") -> Profile:
    """A profile without a file: a model or alias, at an endpoint (default: Moonshot's own).

    Raises:
        ConfigError: kimi.yml is broken, or `base_url` is not a usable URL.
    """
    overlays = load_overlay(settings.config_dir)
    model = overlays.aliases.get(model, model)
    url = endpoint_url(base_url, overlays) if base_url else overlays.usual_for(model).url
    return Profile("(direct)", overlays.endpoint("", url), model=model)


def given_profile(
    profile: Profile | str | None, settings: Settings, *, model: str = "", base_url: str = ""
) -> Profile:
    """The given profile (or its name in config.yml), with the given model and endpoint, if any.

    Without a profile: a profile without a file if a model is given, else the active profile.

    Raises:
        ConfigError: there is no such profile, a file is broken, or `base_url` is not a usable URL.
    """
    if profile is None and model:
        return direct_profile(model, settings, base_url=base_url)
    found = profile if isinstance(profile, Profile) else load_profile(profile, settings)
    if model:
        aliases = load_overlay(settings.config_dir).aliases
        found = replace(found, model=aliases.get(model, model))
    return at_base_url(found, base_url, settings) if base_url else found


def at_base_url(profile: Profile, base_url: str, settings: Settings) -> Profile:
    """The profile at another endpoint, without its own key, which must not be sent there."""
    overlays = load_overlay(settings.config_dir)
    endpoint = overlays.endpoint("", endpoint_url(base_url, overlays))
    if endpoint.url == profile.base_url:
        return profile
    elsewhere = replace(profile.overlay, endpoint="", api_key_ref="", auth="")
    return replace(profile, endpoint=endpoint, api_key="", overlay=elsewhere)


def direct_key(profile: Profile, api_key: str, settings: Settings) -> FoundKey:
    """The caller's own key, or the profile's; no key at an unknown endpoint, which may need none.

    Raises:
        MissingKeyError: there is no key, and the endpoint is known or the profile names a place.
        ConfigError: the key is malformed.
    """
    if api_key:
        return FoundKey(clean_key(api_key), "the caller's api_key")
    try:
        return find_key(profile, settings)
    except MissingKeyError:
        if profile.endpoint.name != "any" or profile.overlay.api_key_ref:
            raise
        return FoundKey(None, "none was given")
