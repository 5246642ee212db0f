"""AMX's `db_profiles`: the databases that AMX knows, with their passwords in the keyring."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from amx_kimi.conceal import shown
from amx_kimi.config.files import config_path, read_yaml
from amx_kimi.config.loading import nearest
from amx_kimi.config.os_keyring import resolve_secret
from amx_kimi.errors import ConfigError, ConfigFileError
from amx_kimi.settings import Settings
from amx_kimi.types import Secret

_SECRETS = ("password", "access_token", "jwt_token", "workspace_token", "motherduck_token")
__all__ = ["AMX_MOST_ROWS", "DatabaseProfile", "load_database"]

AMX_MOST_ROWS = 1_000_000
"""AMX 0.19's default of `profiling_max_rows`."""


@dataclass(frozen=True)
class DatabaseProfile:
    """One entry of `db_profiles`; `backend` is AMX's word for the kind of database.

    `profiling_mode` is AMX's too: `metadata` reads only the catalog. `profiling_max_rows` is None
    if it is absent; AMX writes its default, 1,000,000, into every profile. `fields` are all fields
    that are filled, as texts, such as `host` and `port`; `secrets` are the ones that AMX keeps in
    the keyring, such as `password`.
    """

    name: str
    backend: str
    fields: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, Secret] = field(default_factory=dict, repr=False)
    profiling_mode: str = "full"
    profiling_max_rows: int | None = None


def load_database(name: str | None, settings: Settings) -> DatabaseProfile:
    """The database profile `name`, or AMX's active one.

    Raises:
        ConfigError: there is no such profile, or a secret of it is not in the keyring.
    """
    path = config_path(settings.config_dir)
    document = read_yaml(path)
    section = document.get("db_profiles") or {}
    if not isinstance(section, Mapping):
        raise ConfigFileError(f"{path}: db_profiles must be a mapping")
    entries = {str(key): entry for key, entry in section.items()}
    chosen = name or str(document.get("active_db_profile") or "")
    if chosen not in entries:
        raise ConfigError(
            f"No database profile {shown(chosen)} in {path}. {nearest(chosen, entries)}"
        )
    entry = entries[chosen]
    where = f"{path}, database profile {chosen!r}"
    if not isinstance(entry, Mapping):
        raise ConfigFileError(f"{where}: expected a mapping of fields, found {shown(entry)}")
    return DatabaseProfile(
        name=chosen,
        backend=str(entry.get("backend") or "postgresql"),
        fields=_fields(entry, where),
        secrets=_secrets(entry, where),
        profiling_mode=str(entry.get("profiling_mode") or "full").strip().lower(),
        profiling_max_rows=_number(entry, "profiling_max_rows", where),
    )


def _fields(entry: Mapping[Any, Any], where: str) -> dict[str, str]:
    port = _number(entry, "port", where)
    found = {name: value for name, value in entry.items() if name not in _SECRETS}
    texts = {
        str(name): str(value).lower() if isinstance(value, bool) else str(value).strip()
        for name, value in {**found, "port": port}.items()
        if isinstance(value, str | int | float)
    }
    return {name: text for name, text in texts.items() if text}


def _secrets(entry: Mapping[Any, Any], where: str) -> dict[str, Secret]:
    found = {name: _secret(name, str(entry.get(name) or ""), where) for name in _SECRETS}
    return {name: secret for name, secret in found.items() if secret}


def _number(entry: Mapping[Any, Any], key: str, where: str) -> int | None:
    value: Any = entry.get(key)
    if value in (None, ""):
        return None
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        raise ConfigFileError(f"{where}: {key} is {value!r:.40}, expected a number") from None


def _secret(name: str, reference: str, where: str) -> Secret | None:
    if not reference:
        return None
    value = resolve_secret(reference)
    if value is None:
        raise ConfigError(
            f"{where}: its {name} {reference} is not in the OS keyring",
            remedy="Set it again in AMX, or use the database's URL instead.",
        )
    return Secret(value)
