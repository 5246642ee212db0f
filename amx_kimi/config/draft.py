"""A profile that is not saved yet, as a value; and the only way to save it."""

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
    """Where to store the key.

    - `keep`: where it is now
    - `store`: the OS keyring
    - `file`: a key file, to which kimi.yml refers
    - `clear`: config.yml, in plain text
    - `reference`: wherever kimi.yml's api_key_ref says
    - `blank`: AMX_LLM_API_KEY, or no key is needed
    """

    kind: Literal["keep", "store", "file", "clear", "reference", "blank"] = "keep"
    secret: Secret | None = None
    reference: str = ""


@dataclass(frozen=True)
class Draft:
    """Changes to a profile: `fields` for AMX's config.yml, `overlay` for kimi.yml (None removes a
    key). `entry` and `ours` are what the two files say now."""

    name: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    overlay: Mapping[str, Any] = field(default_factory=dict)
    key: KeyChoice = KeyChoice()
    entry: Mapping[str, Any] = field(default_factory=dict, repr=False)  # may contain a key
    ours: Mapping[str, Any] = field(default_factory=dict)

    @property
    def new(self) -> bool:
        """Whether the profile does not exist yet."""
        return not self.entry

    def value(self, key: str, default: Any = None) -> Any:
        """A field of config.yml or kimi.yml: as changed by this draft, else as in the file."""
        for values in (self.fields, self.overlay, self.entry, self.ours):
            if values.get(key) is not None:
                return values[key]
        return default

    def with_fields(self, **changes: Any) -> "Draft":
        """A copy with changed fields of config.yml."""
        return replace(self, fields={**self.fields, **changes})

    def with_overlay(self, **changes: Any) -> "Draft":
        """A copy with changed settings of kimi.yml."""
        return replace(self, overlay={**self.overlay, **changes})

    def with_key(self, key: KeyChoice) -> "Draft":
        """A copy with another key."""
        return replace(self, key=key)


def draft_of(name: str, settings: Settings) -> Draft:
    """A draft that changes the profile `name`, or creates it with the documented defaults.

    Raises:
        ConfigError: a file is broken, or the profile belongs to another provider.
    """
    entry = raw_profiles(settings.config_dir).get(name)
    if not isinstance(entry, Mapping):
        fields = {"temperature": 0.2, "max_tokens": 4096, "n_alternatives": 3}
        return Draft(name, {"provider": PROVIDER, **fields}, key=KeyChoice("blank"))
    if str(entry.get("provider") or PROVIDER) != PROVIDER:
        raise ConfigError(
            f"A profile {name!r} already exists, for the provider {entry.get('provider')!r}",
            remedy="Choose another name, because the profile's values would be lost.",
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
        MissingKeyError: there is none; lists the places that were searched.
    """
    profile = draft_profile(draft, settings)
    if draft.key.secret is not None and profile.endpoint.auth != "none":
        return FoundKey(draft.key.secret, "the key given")
    return find_key(profile, settings)


def save_draft(draft: Draft, settings: Settings, *, activate: bool) -> None:
    """Save: the key first, then kimi.yml, then config.yml, which makes the profile exist.

    If a file cannot be written, the keyring or key file is restored. A key file that no profile
    refers to any longer is deleted.

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
    """Store the key; returns the reference to it, and a function that restores what was there."""
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
    except KeyringError:  # the caller raises the first failure
        return


def _written(draft: Draft, reference: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The fields for config.yml and for kimi.yml."""
    fields, overlay, key = dict(draft.fields), dict(draft.overlay), draft.key
    if key.kind == "keep":
        return fields, overlay
    fields["api_key"] = reference if key.kind == "store" else ""
    if key.kind == "clear" and key.secret:
        fields["api_key"] = key.secret.reveal()
    overlay["api_key_ref"] = (reference if key.kind == "file" else key.reference) or None
    return fields, overlay
