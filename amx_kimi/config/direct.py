"""A profile and a key that a caller gives directly, without any files."""

from dataclasses import replace

from amx_kimi.arguments import instance, optional_text, wrong
from amx_kimi.config.loading import load_profile
from amx_kimi.config.overlay import OverlayFile, load_overlay
from amx_kimi.config.profile import Profile
from amx_kimi.config.secrets import FoundKey, find_key
from amx_kimi.config.words import clean_key, endpoint_url, model_id
from amx_kimi.errors import MissingKeyError
from amx_kimi.settings import Settings

__all__ = ["at_base_url", "direct_key", "direct_profile", "given_profile"]

_NO_FILES = "config.yml and kimi.yml: not searched, as no profile was named"
_ELSEWHERE = "config.yml and kimi.yml: a profile's own key is only for its own endpoint"


def direct_profile(model: str, settings: Settings, *, base_url: str = "") -> Profile:
    """A profile without a file: a model or alias, at an endpoint (default: Moonshot's own).

    Raises:
        ConfigError: kimi.yml is broken, or the model or `base_url` is not usable.
    """
    overlays = load_overlay(settings.config_dir)
    model = _meant(model, overlays)
    url = endpoint_url(base_url, overlays) if base_url else overlays.usual_for(model).url
    return Profile("(direct)", overlays.endpoint("", url), model=model, keyless=_NO_FILES)


def given_profile(
    profile: Profile | str | None, settings: Settings, *, model: str = "", base_url: str = ""
) -> Profile:
    """The given profile (or its name in config.yml), with the given model and endpoint, if any.

    Without a profile: a profile without a file if a model is given, else the active profile.

    Raises:
        ConfigError: there is no such profile, a file is broken, or an argument is not usable.
    """
    instance("settings", settings, Settings)
    model, base_url = optional_text("model", model), optional_text("base_url", base_url)
    if profile is not None and not isinstance(profile, str | Profile):
        raise wrong("profile", "a text or a Profile", profile)
    if profile is None and model:
        return direct_profile(model, settings, base_url=base_url)
    found = profile if isinstance(profile, Profile) else load_profile(profile, settings)
    if model:
        found = replace(found, model=_meant(model, load_overlay(settings.config_dir)))
    return at_base_url(found, base_url, settings) if base_url else found


def at_base_url(profile: Profile, base_url: str, settings: Settings) -> Profile:
    """The profile at another endpoint, without its own key, which must not be sent there."""
    overlays = load_overlay(settings.config_dir)
    endpoint = overlays.endpoint("", endpoint_url(base_url, overlays))
    if endpoint.url == profile.base_url:
        return profile
    elsewhere = replace(profile.overlay, endpoint="", api_key_ref="", auth="")
    keyless = profile.keyless or _ELSEWHERE
    return replace(profile, endpoint=endpoint, api_key="", overlay=elsewhere, keyless=keyless)


def direct_key(profile: Profile, api_key: str, settings: Settings) -> FoundKey:
    """The caller's own key, or the profile's; no key at an unknown endpoint, which may need none.

    Raises:
        MissingKeyError: there is no key, and the endpoint is known or the profile names a place.
        ConfigError: the key is malformed.
    """
    if api_key := optional_text("api_key", api_key):
        return FoundKey(clean_key(api_key), "the caller's api_key")
    try:
        return find_key(profile, settings)
    except MissingKeyError:
        if profile.endpoint.name != "any" or profile.overlay.api_key_ref:
            raise
        return FoundKey(None, "none was given")


def _meant(model: str, overlays: OverlayFile) -> str:
    """The id that a caller means by a model or an alias."""
    return overlays.aliases.get(model) or model_id(model)
