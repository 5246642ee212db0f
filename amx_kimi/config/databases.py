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

_MORE = ("sslmode", "sslrootcert", "ssl_disabled", "ssl_ca")
__all__ = ["AMX_MOST_ROWS", "DatabaseProfile", "load_database"]

AMX_MOST_ROWS = 1_000_000
"""AMX 0.19's default of `profiling_max_rows`."""


@dataclass(frozen=True)
class DatabaseProfile:
    """One entry of `db_profiles`; `backend` is AMX's word for the kind of database.

    `profiling_mode` is AMX's too: `metadata` reads only the catalog. `profiling_max_rows` is None
    if it is absent; AMX writes its default, 1,000,000, into every profile. `more` are AMX's fields
    of this kind of database, such as `ssl_ca`, as texts; without secrets.
    """

    name: str
    backend: str
    host: str = ""
    port: int | None = None
    user: str = ""
    password: Secret | None = None
    database: str = ""
    profiling_mode: str = "full"
    profiling_max_rows: int | None = None
    more: Mapping[str, str] = field(default_factory=dict)


def load_database(name: str | None, settings: Settings) -> DatabaseProfile:
    """The database profile `name`, or AMX's active one.

    Raises:
        ConfigError: there is no such profile, or its password is not in the keyring.
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
        host=str(entry.get("host") or ""),
        port=_number(entry, "port", where),
        user=str(entry.get("user") or ""),
        password=_password(str(entry.get("password") or ""), where),
        database=str(entry.get("database") or ""),
        profiling_mode=str(entry.get("profiling_mode") or "full").strip().lower(),
        profiling_max_rows=_number(entry, "profiling_max_rows", where),
        more={name: _plain(entry[name]) for name in _MORE if entry.get(name)},
    )


def _plain(value: Any) -> str:
    return "true" if value is True else str(value)


def _number(entry: Mapping[Any, Any], key: str, where: str) -> int | None:
    value: Any = entry.get(key)
    if value in (None, ""):
        return None
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        raise ConfigFileError(f"{where}: {key} is {value!r:.40}, expected a number") from None


def _password(reference: str, where: str) -> Secret | None:
    if not reference:
        return None
    value = resolve_secret(reference)
    if value is None:
        raise ConfigError(
            f"{where}: its password {reference} is not in the OS keyring",
            remedy="Set it again in AMX, or use the database's URL instead.",
        )
    return Secret(value)
