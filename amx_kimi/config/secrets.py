"""Where a profile's API key lives, in one documented order; new keys go to the OS keyring.

`api_key_ref` in kimi.yml (`env:NAME`, `file:/path`) is the only place if it is given; else
`api_key` in config.yml (`keyring:…` or the key itself), then `AMX_LLM_API_KEY`. Never another one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amx_kimi.config.profile import Profile
from amx_kimi.errors import ConfigError, KeyringError, MissingKeyError
from amx_kimi.settings import Settings, read_variable
from amx_kimi.types import Secret

__all__ = ["FoundKey", "find_key", "keyring_get", "keyring_state", "resolve_secret", "store_key"]

_SERVICE = "amx"
_PREFIX = "keyring:"


@dataclass(frozen=True)
class FoundKey:
    """A key (None where the endpoint needs none), and where it was found, in words."""

    secret: Secret | None
    where: str


def find_key(profile: Profile, settings: Settings) -> FoundKey:
    """The profile's API key.

    Raises:
        MissingKeyError: lists where was looked, and why each place had none.
        ConfigError: a reference stands where AMX would destroy it, or the key is malformed.
    """
    if profile.endpoint.auth == "none":
        return FoundKey(None, f"none needed at {profile.endpoint.label}")
    looked: list[str] = []
    found = _by_reference(profile, looked)
    if not profile.overlay.api_key_ref:  # a place that is named is the only one
        found = _by_profile(profile, looked) or _by_variable(settings, looked)
    if found is not None and found.secret is not None:
        return FoundKey(_checked(found.secret, found.where), found.where)
    places = "\n".join(f"  - {place}" for place in looked)
    how = (
        "put it where api_key_ref says: no other place is looked at"
        if profile.overlay.api_key_ref
        else "export it as AMX_LLM_API_KEY or refer to it in kimi.yml: "
        f"profiles: {{{profile.name}: {{api_key_ref: env:NAME}}}}"
    )
    raise MissingKeyError(
        f"The profile {profile.name!r} has no API key. Looked at:\n{places}",
        remedy=f"Get a key from {profile.endpoint.keys_from}, and {how}",
    )


def resolve_secret(reference: str) -> str | None:
    """The value behind AMX's `keyring:…` reference; any other text is the value itself."""
    if reference.startswith(_PREFIX):
        return keyring_get(reference.removeprefix(_PREFIX))
    return reference or None


def store_key(profile_name: str, key: Secret) -> str:
    """Put a key into the OS keyring where plain AMX looks too; returns the reference for `api_key`.

    Raises:
        KeyringError: there is no usable keyring, or it refused; the key was written nowhere.
    """
    username = f"//{_SERVICE}/{profile_name}/api_key"
    state = keyring_state()
    if not state.usable:
        raise KeyringError(
            f"The key was not stored: {state.description}",
            remedy="Refer to it instead, with api_key_ref: env:NAME or file:/path in kimi.yml, "
            "or export AMX_LLM_API_KEY.",
        )
    _guarded(lambda keyring: keyring.set_password(_SERVICE, username, key.reveal()))
    if keyring_get(username) != key.reveal():
        raise KeyringError(f"{state.description} took the key but does not give it back")
    return f"{_PREFIX}{username}"


def keyring_get(username: str) -> str | None:
    """The password that the keyring holds for AMX under `username`, or None.

    Raises:
        KeyringError: the keyring is locked, denies or fails.
    """
    value = _guarded(lambda keyring: keyring.get_password(_SERVICE, username))
    return str(value) if value is not None else None


@dataclass(frozen=True)
class KeyringState:
    """Whether the OS keyring can hold a key, and its name or what is missing."""

    usable: bool
    description: str


def keyring_state() -> KeyringState:
    """The OS keyring that would be used."""
    try:
        backend = _guarded(lambda keyring: keyring.get_keyring())
    except KeyringError as error:
        return KeyringState(False, error.message)
    if backend.priority <= 0:  # keyring's fail and null backends
        return KeyringState(False, "there is no usable keyring on this system")
    if "plaintext" in type(backend).__name__.lower():
        return KeyringState(False, f"{backend.name} keeps secrets in clear")
    return KeyringState(True, f"the keyring {backend.name}")


def _guarded(call: Callable[[Any], Any]) -> Any:
    import keyring
    from keyring.errors import NoKeyringError

    try:
        return call(keyring)
    except NoKeyringError:
        return None
    except Exception as error:  # backends are plugins: no module, no D-Bus, a locked collection …
        raise KeyringError(
            f"The OS keyring refused: {type(error).__name__}: {error}",
            remedy="Unlock it, or export AMX_LLM_API_KEY for this session.",
        ) from None


def _by_reference(profile: Profile, looked: list[str]) -> FoundKey | None:
    reference = profile.overlay.api_key_ref
    if not reference:
        looked.append("kimi.yml: the profile has no api_key_ref")
        return None
    kind, _, place = reference.partition(":")
    if kind not in ("env", "file") or not place:
        raise ConfigError(
            f"kimi.yml, profile {profile.name!r}: api_key_ref is neither env:NAME nor file:/path"
        )
    where = f"kimi.yml: api_key_ref {reference}"
    value = read_variable(place) if kind == "env" else _read_key_file(place, looked)
    if not value:
        looked.append(f"{where}: {'unset or blank' if kind == 'env' else 'nothing in it'}")
        return None
    return FoundKey(Secret(value), where)


def _read_key_file(place: str, looked: list[str]) -> str | None:
    try:
        return Path(place).expanduser().read_text("utf-8").strip() or None
    except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: ~nobody
        looked.append(f"kimi.yml: api_key_ref file:{place}: {type(error).__name__}")
        return None


def _by_profile(profile: Profile, looked: list[str]) -> FoundKey | None:
    value = profile.api_key
    if not value:
        looked.append("config.yml: api_key is blank")
        return None
    if value.startswith(("env:", "file:")):
        raise ConfigError(
            f"config.yml, profile {profile.name!r}: AMX takes api_key {value.split(':')[0]}:… for "
            "the key itself and would overwrite it",
            remedy="Leave api_key blank and put the reference into kimi.yml as api_key_ref.",
        )
    if not value.startswith(_PREFIX):
        return FoundKey(Secret(value), "config.yml, in clear")
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


def _checked(secret: Secret, where: str) -> Secret:
    value = secret.reveal()
    if not value.isascii() or not value.isprintable() or " " in value:
        raise ConfigError(
            f"The API key from {where} has blanks, line breaks or other characters that no key has",
            remedy="Copy it again, alone: it starts with sk-.",
        )
    return secret
