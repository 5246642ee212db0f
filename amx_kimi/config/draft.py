"""A profile that is not saved yet: what was asked for, as a value, and the one way to save it."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from amx_kimi.config.key_files import forget_key_file, key_file, write_key_file
from amx_kimi.config.loading import PROVIDER, raw_profiles
from amx_kimi.config.manage import check_draft, save_profile
from amx_kimi.config.os_keyring import forget_keys, key_slots, keyring_get, store_key
from amx_kimi.config.overlay import raw_overlay
from amx_kimi.config.profile import Profile
from amx_kimi.config.secrets import FoundKey, find_key
from amx_kimi.errors import ConfigError, KeyringError
from amx_kimi.settings import Settings
from amx_kimi.types import Secret

__all__ = ["Draft", "KeyChoice", "draft_key", "draft_of", "draft_profile", "save_draft"]

_ORDER = ("provider", "model", "api_base", "api_key", "temperature", "max_tokens", "n_alternatives")


@dataclass(frozen=True)
class KeyChoice:
    """Where the key is to live. `keep`: where it is; `store`: the OS keyring; `file`: a file of
    ours, which kimi.yml refers to; `clear`: config.yml, readable there; `reference`: kimi.yml's
    api_key_ref; `blank`: AMX_LLM_API_KEY, or none needed."""

    kind: Literal["keep", "store", "file", "clear", "reference", "blank"] = "keep"
    secret: Secret | None = None
    reference: str = ""


@dataclass(frozen=True)
class Draft:
    """What is to be written of a profile: `fields` to AMX's config.yml, `overlay` to kimi.yml
    (None takes a key away). `entry` and `ours` are what stands there now."""

    name: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    overlay: Mapping[str, Any] = field(default_factory=dict)
    key: KeyChoice = KeyChoice()
    entry: Mapping[str, Any] = field(default_factory=dict, repr=False)  # its key may be in clear
    ours: Mapping[str, Any] = field(default_factory=dict)

    @property
    def new(self) -> bool:
        """Whether there is no such profile yet."""
        return not self.entry

    def value(self, key: str, default: Any = None) -> Any:
        """A field of AMX's or a setting of ours, changed or as it stands there."""
        for values in (self.fields, self.overlay, self.entry, self.ours):
            if values.get(key) is not None:
                return values[key]
        return default

    def with_fields(self, **changes: Any) -> "Draft":
        """A copy with other fields of AMX's."""
        return replace(self, fields={**self.fields, **changes})

    def with_overlay(self, **changes: Any) -> "Draft":
        """A copy with other settings of ours."""
        return replace(self, overlay={**self.overlay, **changes})

    def with_key(self, key: KeyChoice) -> "Draft":
        """A copy with another key."""
        return replace(self, key=key)


def draft_of(name: str, settings: Settings) -> Draft:
    """A draft that changes the profile `name`, or of a new one with the documented defaults.

    Raises:
        ConfigError: the files are broken, or the profile is another provider's.
    """
    entry = raw_profiles(settings.config_dir).get(name)
    if not isinstance(entry, Mapping):
        fields = {"temperature": 0.2, "max_tokens": 4096, "n_alternatives": 3}
        return Draft(name, {"provider": PROVIDER, **fields}, key=KeyChoice("blank"))
    if str(entry.get("provider") or PROVIDER) != PROVIDER:
        raise ConfigError(
            f"There is a profile {name!r} already, for the provider {entry.get('provider')!r}",
            remedy="Choose another name: its values would be lost.",
        )
    return Draft(name, entry=entry, ours=raw_overlay(settings.config_dir, name))


def draft_profile(draft: Draft, settings: Settings) -> Profile:
    """The draft as it would be read back once saved.

    Raises:
        ConfigError: a value is not allowed; names it.
    """
    fields, overlay = _written(draft, "")
    entry = {**draft.entry, **fields}
    return check_draft(settings.config_dir, draft.name, entry, overlay)


def draft_key(draft: Draft, settings: Settings) -> FoundKey:
    """The key that the draft's profile would be used with.

    Raises:
        MissingKeyError: there is none; lists where was looked.
    """
    profile = draft_profile(draft, settings)
    if draft.key.secret is not None and profile.endpoint.auth != "none":
        return FoundKey(draft.key.secret, "the key given")
    return find_key(profile, settings)


def save_draft(draft: Draft, settings: Settings, *, activate: bool) -> None:
    """Save: the key first, then kimi.yml, then config.yml, which makes the profile exist.

    When a file cannot be written, the keyring, or the key's file, is as it was. A key's file of
    ours that nothing refers to any more is deleted.

    Raises:
        ConfigError: a value is not allowed, a file is broken or cannot be written, or the keyring
            refused; config.yml is unchanged.
    """
    draft_profile(draft, settings)
    folder, present = settings.config_dir, str(draft.ours.get("api_key_ref") or "")
    reference, put_back = _keep_key(draft, folder)
    fields, overlay = _written(draft, reference)
    ordered = {key: fields[key] for key in (*_ORDER, *fields) if key in fields}
    try:
        save_profile(folder, draft.name, ordered, overlay, activate=activate)
    except BaseException:
        put_back()
        raise
    with suppress(OSError):
        forget_key_file(folder, present)


def _keep_key(draft: Draft, folder: Path) -> tuple[str, Callable[[], None]]:
    """Put the key where it is to live; returns the reference to it, and what puts back what was
    there before."""
    key = draft.key.secret
    if key is not None and draft.key.kind == "store":
        slot = key_slots(draft.name)[0]
        before = keyring_get(slot)
        return store_key(draft.name, key), lambda: _put_back(draft.name, slot, before)
    if key is not None and draft.key.kind == "file":
        path = key_file(folder, draft.name, str(draft.ours.get("api_key_ref") or ""))
        return f"file:{path}", write_key_file(path, key)
    return "", lambda: None


def _put_back(name: str, slot: str, before: str | None) -> None:
    try:
        if before is None:
            forget_keys([slot])
        else:
            store_key(name, Secret(before))
    except KeyringError:  # the first failure is the one to be told
        return


def _written(draft: Draft, reference: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What goes to config.yml and to kimi.yml."""
    fields, overlay, key = dict(draft.fields), dict(draft.overlay), draft.key
    if key.kind == "keep":
        return fields, overlay
    fields["api_key"] = reference if key.kind == "store" else ""
    if key.kind == "clear" and key.secret:
        fields["api_key"] = key.secret.reveal()
    overlay["api_key_ref"] = (reference if key.kind == "file" else key.reference) or None
    return fields, overlay
