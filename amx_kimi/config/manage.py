"""Changes profiles. Each change is atomic, under a lock, and also updates references to a profile.

AMX refers to a profile in `active_llm_profile`, `rag_llm_profile` and the mirror under `llm:`.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from amx_kimi.conceal import shown
from amx_kimi.config.edit import edit_yaml, put_entry, quoted, rename_entry
from amx_kimi.config.files import config_path, overlay_path
from amx_kimi.config.key_files import forget_key_file
from amx_kimi.config.loading import (
    active_of,
    assemble,
    check_config,
    known_entry,
    nearest,
    raw_profiles,
)
from amx_kimi.config.os_keyring import (
    forget_keys,
    key_reference,
    key_slots,
    resolve_secret,
    store_key,
)
from amx_kimi.config.overlay import load_overlay, parse_overlay, raw_overlay
from amx_kimi.config.profile import AMX_DEFAULTS, Overlay, Profile
from amx_kimi.config.secrets import absolute_reference
from amx_kimi.config.words import RANGES, check_name, check_number, endpoint_url, model_id
from amx_kimi.errors import ConfigError, ConfigFileError, KeyringError
from amx_kimi.facts import load_catalog
from amx_kimi.plain_yaml import YAMLTextError, load_yaml
from amx_kimi.settings import Settings
from amx_kimi.types import Secret

__all__ = [
    "Removed",
    "check_draft",
    "remove_profile",
    "rename_profile",
    "save_profile",
    "set_aliases",
    "set_fields",
    "use_profile",
]

_OURS = {field.name for field in fields(Overlay)}
_TEXT = {"api_base", "api_key_ref", "auth", "batch", "effort", "endpoint"}
_TEXT |= {field for field, default in AMX_DEFAULTS.items() if isinstance(default, str)}
_NOT_SET = {"api_key", "provider", "confidence"}


@dataclass(frozen=True)
class Removed:
    """What a removal did: the profile that is now active, how many secrets were deleted from the
    OS keyring, what went wrong there, and the key file that was deleted."""

    active: str | None
    secrets: int
    problem: str = ""
    key_file: str = ""


def save_profile(
    folder: Path,
    name: str,
    fields: Mapping[str, Any],
    overlay: Mapping[str, Any] | None = None,
    *,
    endpoints: Mapping[str, Mapping[str, Any]] | None = None,
    activate: bool = False,
) -> None:
    """Write AMX's `fields` to `config.yml`, and `overlay` and `endpoints` to `kimi.yml`.

    The value None removes a field. Comments, order and all other keys stay as they are.

    Raises:
        ConfigFileError: a file is broken or cannot be written; it is unchanged.
    """

    def change(document: dict[str, Any]) -> None:
        put_entry(document, "llm_profiles", name, fields)
        if activate or not document.get("active_llm_profile"):
            document["active_llm_profile"] = quoted(name)

    def change_overlay(document: dict[str, Any]) -> None:
        if overlay:
            put_entry(document, "profiles", name, overlay)
        for endpoint, row in (endpoints or {}).items():
            put_entry(document, "endpoints", endpoint, row)

    raw_profiles(folder), load_overlay(folder)  # raise if a file is broken
    if _says_something(overlay, name, folder) or endpoints:
        edit_yaml(overlay_path(folder), change_overlay)
    _edit_config(folder, change)


def _says_something(overlay: Mapping[str, Any] | None, name: str, folder: Path) -> bool:
    """Whether the overlay sets something, or removes something that is in `kimi.yml`."""
    if not overlay:
        return False
    there = raw_overlay(folder, name)
    return any(value is not None or key in there for key, value in overlay.items())


def use_profile(settings: Settings, name: str) -> None:
    """Make `name` the active profile, for AMX too.

    Raises:
        UnknownProfileError: no such profile; names the nearest ones.
        ConfigFileError: the file is broken or cannot be written; it is unchanged.
    """
    known_entry(settings, name)
    _edit_config(
        settings.config_dir, lambda document: document.update(active_llm_profile=quoted(name))
    )


def remove_profile(settings: Settings, name: str) -> Removed:
    """Remove a profile from both files, and its key from the keyring or from its key file.

    A keyring slot or a key file that another profile refers to stays.

    Raises:
        UnknownProfileError: there is no such profile, nor a key of one; names the nearest ones.
        ConfigFileError: a file is broken or cannot be written, and is unchanged; or the key file
            cannot be deleted.
    """
    folder = settings.config_dir
    known = name in raw_profiles(folder)
    ours = name in load_overlay(folder).profiles
    reference = str(raw_overlay(folder, name).get("api_key_ref") or "")
    active: list[str | None] = [None]

    def change(document: dict[str, Any]) -> None:
        entries = document.get("llm_profiles") or {}
        left = {str(key): entry for key, entry in entries.items()}
        if str(document.get("active_llm_profile")) == name:
            document["active_llm_profile"] = quoted(active_of({}, left) or "")
            document.pop("llm", None)  # the mirror of the removed profile
        if str(document.get("rag_llm_profile")) == name:
            document["rag_llm_profile"] = ""
        active.append(active_of(document, left))

    if known:
        _edit_config(folder, change, cut=("llm_profiles", name))
    if ours:
        edit_yaml(overlay_path(folder), lambda _: None, cut=("profiles", name))
    entries = [entry for entry in raw_profiles(folder).values() if isinstance(entry, dict)]
    shared = {str(entry.get("api_key")) for entry in entries}
    slots = [slot for slot in key_slots(name) if f"keyring:{slot}" not in shared]
    try:
        removed = Removed(active[-1], len(forget_keys(slots)))
    except KeyringError as error:
        removed = Removed(active[-1], 0, error.message)
    try:
        if forget_key_file(folder, reference):
            removed = replace(removed, key_file=reference.removeprefix("file:"))
    except OSError as error:
        raise ConfigFileError(
            f"The profile was removed, but its key file could not be deleted: {error}",
            remedy="Delete the file yourself.",
        ) from None
    if not (known or ours or removed.secrets):  # an interrupted removal may have left only these
        known_entry(settings, name)
    return removed


def rename_profile(settings: Settings, old: str, new: str) -> None:
    """Give a profile another name, in both files and in the keyring.

    Raises:
        UnknownProfileError: no such profile; names the nearest ones.
        ConfigError: the new name is taken or not allowed, or the key cannot be moved.
    """
    folder, new = settings.config_dir, check_name(new)
    entry = known_entry(settings, old)
    if new in raw_profiles(folder):
        raise ConfigError(f"A profile {new!r} already exists")
    reference = str(entry.get("api_key") or "") if isinstance(entry, Mapping) else ""
    moved = _copy_key(old, new, reference)

    def change(document: dict[str, Any]) -> None:
        rename_entry(document, "llm_profiles", old, new)
        if moved:
            put_entry(document, "llm_profiles", new, {"api_key": key_reference(new)})
        for key in ("active_llm_profile", "rag_llm_profile"):
            if str(document.get(key)) == old:
                document[key] = quoted(new)

    copy, ours = raw_overlay(folder, old), overlay_path(folder)
    if copy:
        # A copy first, so that the profile is complete under both names between the two writes.
        cut = ("profiles", new)  # settings that an earlier profile of this name left behind
        edit_yaml(ours, lambda document: put_entry(document, "profiles", new, copy), cut=cut)
    try:
        _edit_config(folder, change)
    except BaseException:
        if moved:
            forget_keys(key_slots(new)[:1])
        raise
    if copy:
        edit_yaml(ours, lambda _: None, cut=("profiles", old))
    if moved:
        forget_keys(key_slots(old))


def _copy_key(old: str, new: str, reference: str) -> bool:
    """Copy the key to the slot of the new name; returns whether it was in a slot of the old."""
    if reference.removeprefix("keyring:") not in key_slots(old):
        return False
    key = resolve_secret(reference)
    if key:
        store_key(new, Secret(key))
    return bool(key)


def set_fields(settings: Settings, name: str, changes: Mapping[str, str]) -> dict[str, Any]:
    """Change fields of a profile, AMX's or `kimi.yml`'s; a blank value resets one to its default.

    Returns what was written. Values are read as in YAML: `4096`, `true`, `text`.

    Raises:
        ConfigError: a field is unknown or a value not allowed; nothing is changed.
    """
    entry, folder = known_entry(settings, name), settings.config_dir
    known = [*(key for key in AMX_DEFAULTS if key not in _NOT_SET), *sorted(_OURS)]
    for field in changes:
        if field == "api_key":
            raise ConfigError(
                "A key cannot be set as a field: it would be in the shell's history",
                remedy=f"Use `amx-kimi add-llm-profile {name} --api-key-stdin`, or "
                "api_key_ref=env:NAME.",
            )
        if field not in known:
            raise ConfigError(
                f"Unknown field {shown(field)}. {nearest(field, dict.fromkeys(known))}"
            )
    values = {field: _value(field, text) for field, text in changes.items()}
    if base := values.get("api_base"):
        values["api_base"] = endpoint_url(base, load_overlay(folder))
        values.setdefault("endpoint", None)  # a named endpoint would take precedence
    ours = {field: value for field, value in values.items() if field in _OURS}
    theirs = {field: value for field, value in values.items() if field not in _OURS}
    if ours.get("api_key_ref"):
        theirs["api_key"] = ""  # AMX would use the reference as the key itself
    check_draft(folder, name, {**entry, **theirs}, ours)
    present = str(raw_overlay(folder, name).get("api_key_ref") or "")
    save_profile(folder, name, theirs, ours)
    with suppress(OSError):
        forget_key_file(folder, present)
    return {**theirs, **ours}


def check_draft(
    folder: Path, name: str, entry: Mapping[str, Any], overlay: Mapping[str, Any]
) -> Profile:
    """The profile as it would be read back, with `overlay` added to the settings in `kimi.yml`.

    Raises:
        ConfigError: a value is not allowed; names it.
    """
    merged = {**raw_overlay(folder, name), **overlay}
    ours = {name: {key: value for key, value in merged.items() if value is not None}}
    saved = load_overlay(folder)
    parsed = parse_overlay({"profiles": ours}, str(overlay_path(folder)))
    overlays = replace(saved, profiles={**saved.profiles, **parsed.profiles})
    kept = {key: value for key, value in entry.items() if value is not None}
    return assemble(name, kept, overlays, config_path(folder))


def _value(field: str, text: str) -> Any:
    if not text.strip():
        return None
    if field in RANGES:
        return check_number(field, text)
    if field == "api_key_ref":
        return absolute_reference(text)
    if field in _TEXT:
        return model_id(text) if field == "model" else text
    try:
        value = load_yaml(text)
    except YAMLTextError:
        return text
    return value if isinstance(value, str | int | float | bool) else text


def set_aliases(settings: Settings, changes: Mapping[str, str]) -> dict[str, str]:
    """Define aliases of models: alias -> model id; "" removes an alias. Returns all aliases.

    Raises:
        ConfigError: an alias or a model is not usable, or `kimi.yml` cannot be written; it is
            unchanged.
    """
    folder = settings.config_dir
    there = load_overlay(folder).aliases
    resolved = {check_name(a): there.get(m, m) for a, m in changes.items()}
    for alias, model in resolved.items():
        if load_catalog().knows(alias):
            raise ConfigError(f"{alias!r} is the id of a model, so it cannot be an alias")
        if not model and alias not in there:
            raise ConfigError(f"There is no alias {shown(alias)}. {nearest(alias, there)}")
        if model in changes or model == alias:
            raise ConfigError(f"The alias {alias!r} must stand for a model, not for an alias")

    def change(document: dict[str, Any]) -> None:
        if not document.get("aliases"):
            document["aliases"] = {}
        for alias, model in resolved.items():
            document["aliases"].pop(alias, None)
            if model:
                document["aliases"][quoted(alias)] = quoted(model)

    if changes:
        edit_yaml(overlay_path(folder), change)
    return dict(load_overlay(folder).aliases)


def _edit_config(
    folder: Path, change: Callable[[dict[str, Any]], None], *, cut: tuple[str, str] | None = None
) -> None:
    path = config_path(folder)

    def checked(document: dict[str, Any]) -> None:
        check_config(document, path)
        change(document)

    edit_yaml(path, checked, cut=cut)
