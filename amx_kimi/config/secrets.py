"""Finds a profile's API key, in these places and this order:

1. `api_key_ref` in kimi.yml (`env:NAME` or `file:/path`); if it is set, it is the only place
2. `api_key` in config.yml (`keyring:…` or the key itself)
3. `AMX_LLM_API_KEY`

Other providers' variables are never read. New keys go to the OS keyring.
"""

from dataclasses import dataclass
from pathlib import Path

from amx_kimi.config.files import read_bounded
from amx_kimi.config.os_keyring import keyring_state, resolve_secret
from amx_kimi.config.profile import Profile
from amx_kimi.config.words import clean_key
from amx_kimi.errors import ConfigError, KeyringError, MissingKeyError
from amx_kimi.settings import Settings, read_variable
from amx_kimi.types import Secret

__all__ = ["FoundKey", "absolute_reference", "check_reference", "find_key"]

_MOST_KEY_FILE = 65_536


@dataclass(frozen=True)
class FoundKey:
    """A key (None if the endpoint needs none), and in words where it was found."""

    secret: Secret | None
    where: str


def find_key(profile: Profile, settings: Settings) -> FoundKey:
    """The profile's API key.

    Raises:
        MissingKeyError: there is none; lists the places that were searched, each with the reason.
        ConfigError: a reference is where AMX would destroy it, or the key is malformed.
    """
    if profile.endpoint.auth == "none":
        return FoundKey(None, f"none needed at {profile.endpoint.label}")
    looked: list[str] = []
    found = _by_files(profile, looked)
    if not profile.overlay.api_key_ref:  # if it is set, it is the only place
        found = found or _by_variable(settings, looked)
    if found is not None and found.secret is not None:
        return FoundKey(clean_key(found.secret.reveal(), found.where), found.where)
    raise _missing(profile, looked)


def _missing(profile: Profile, looked: list[str]) -> MissingKeyError:
    said = f"The profile {profile.name!r} has no API key"
    how = (
        "export it as AMX_LLM_API_KEY or refer to it in kimi.yml: "
        f"profiles: {{{profile.name}: {{api_key_ref: env:NAME}}}}"
    )
    if profile.overlay.api_key_ref:
        how = "put it where api_key_ref points; no other place is searched"
    if profile.keyless:  # then a program asks, and not a person with files
        said = f"There is no API key for {profile.endpoint.label}"
        how = "pass it as api_key or export it as AMX_LLM_API_KEY"
    places = "\n".join(f"  - {place}" for place in looked)
    return MissingKeyError(
        f"{said}. Searched:\n{places}",
        remedy=f"Get a key from {profile.endpoint.keys_from}, and {how}",
    )


def _by_files(profile: Profile, looked: list[str]) -> FoundKey | None:
    if profile.keyless:
        looked.append(profile.keyless)
        return None
    found = _by_reference(profile, looked)
    return found if profile.overlay.api_key_ref else _by_profile(profile, looked)


def _by_reference(profile: Profile, looked: list[str]) -> FoundKey | None:
    reference = profile.overlay.api_key_ref
    if not reference:
        looked.append("kimi.yml: the profile has no api_key_ref")
        return None
    kind, place = check_reference(reference, f"kimi.yml, profile {profile.name!r}: ")
    where = f"kimi.yml: api_key_ref {reference}"
    value = read_variable(place) if kind == "env" else _read_key_file(place, looked)
    if not value:
        if not any(place in line for line in looked):
            looked.append(f"{where}: {'unset or blank' if kind == 'env' else 'empty'}")
        return None
    return FoundKey(Secret(value), where)


def check_reference(reference: str, where: str = "") -> tuple[str, str]:
    """The kind (`env` or `file`) and the place of an `api_key_ref`.

    Raises:
        ConfigError: it is neither.
    """
    kind, _, place = reference.partition(":")
    if kind not in ("env", "file") or not place:
        raise ConfigError(f"{where}api_key_ref must be env:NAME or file:/path")
    if kind == "env" and not place.isidentifier():  # not shown: it may be a pasted key
        raise ConfigError(f"{where}api_key_ref must have the name of a variable after env:")
    return kind, place


def absolute_reference(reference: str) -> str:
    """An `api_key_ref` that means the same in every folder.

    Raises:
        ConfigError: as `check_reference`.
    """
    kind, place = check_reference(reference.strip())
    if kind == "file" and not place.startswith("~"):
        place = str(Path(place).absolute())
    return f"{kind}:{place}"


def _read_key_file(place: str, looked: list[str]) -> str | None:
    try:
        return read_bounded(Path(place).expanduser(), _MOST_KEY_FILE).strip() or None
    except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: ~nobody
        said = getattr(error, "strerror", None) or "not a text file, or an unknown home folder"
        looked.append(f"kimi.yml: api_key_ref file:{place}: {said}")
        return None


def _by_profile(profile: Profile, looked: list[str]) -> FoundKey | None:
    value = profile.api_key
    if not value:
        looked.append("config.yml: api_key is blank")
        return None
    if value.startswith(("env:", "file:")):
        raise ConfigError(
            f"config.yml, profile {profile.name!r}: AMX would use api_key {value.split(':')[0]}:… "
            "as the key itself, and overwrite it",
            remedy="Leave api_key blank and put the reference into kimi.yml as api_key_ref.",
        )
    if not value.startswith("keyring:"):
        return FoundKey(Secret(value), "config.yml, in plain text")
    try:
        stored = resolve_secret(value)
    except KeyringError as error:
        looked.append(f"config.yml: api_key {value}: {error.message}")
        return None
    if not stored:
        state = keyring_state()
        looked.append(
            f"config.yml: api_key {value}: "
            + (f"not in {state.description}" if state.usable else state.description)
        )
        return None
    return FoundKey(Secret(stored), f"the OS keyring, {value}")


def _by_variable(settings: Settings, looked: list[str]) -> FoundKey | None:
    if settings.api_key is None:
        looked.append("environment: AMX_LLM_API_KEY is unset or blank")
        return None
    return FoundKey(settings.api_key, "environment: AMX_LLM_API_KEY")
