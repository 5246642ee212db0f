"""Kimi (Moonshot AI) as a first-class provider for the AMX data catalog.

What is listed here is the public API, and what its version number speaks of (docs/python.md):

- `KimiClient`, `SyncKimiClient`: ask Kimi, with policy, limits, budget and retries; `Reply` is what
  comes back, `Usage` what it took
- `describe`: describe the columns of a database; `Progress` tells how far it is
- `Journal`: read what was described: `Run`, `Totals`, `Described`, `Item`, `Suggestion`
- `load_profile`: a named LLM configuration from AMX's own `config.yml`
- `KimiError`: the base of every error that this package raises; the others are below it

All of it loads on first use, so that importing the package costs nothing.
"""

from importlib import import_module
from importlib.metadata import version as _version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from amx_kimi.annotate.asking import Progress
    from amx_kimi.api import describe
    from amx_kimi.client import KimiClient, SyncKimiClient
    from amx_kimi.config import load_profile
    from amx_kimi.errors import (
        AccessError,
        AuthenticationError,
        BadRequestError,
        BrokenStreamError,
        BudgetError,
        ConfigError,
        ConfigFileError,
        ContentFilterError,
        ContextError,
        FactsError,
        HaltedError,
        JournalError,
        KeyringError,
        KimiError,
        MissingKeyError,
        ModelNotFoundError,
        NotAnApiError,
        OverloadedError,
        QuotaError,
        RateLimitError,
        ReplyError,
        ServerError,
        ServiceError,
        SettingError,
        SilenceError,
        SourceError,
        TooLargeError,
        TransportError,
        TruncatedError,
        UnknownProfileError,
        UnreachableError,
        UsedUpError,
    )
    from amx_kimi.journal import Described, Journal, Run, Totals
    from amx_kimi.types import Item, Reply, Suggestion, Usage

_HOMES = {
    "Described": "amx_kimi.journal",
    "Item": "amx_kimi.types",
    "Journal": "amx_kimi.journal",
    "KimiClient": "amx_kimi.client",
    "Progress": "amx_kimi.annotate.asking",
    "Reply": "amx_kimi.types",
    "Run": "amx_kimi.journal",
    "Suggestion": "amx_kimi.types",
    "SyncKimiClient": "amx_kimi.client",
    "Totals": "amx_kimi.journal",
    "Usage": "amx_kimi.types",
    "describe": "amx_kimi.api",
    "load_profile": "amx_kimi.config",
}

__all__ = [
    "AccessError",
    "AuthenticationError",
    "BadRequestError",
    "BrokenStreamError",
    "BudgetError",
    "ConfigError",
    "ConfigFileError",
    "ContentFilterError",
    "ContextError",
    "Described",
    "FactsError",
    "HaltedError",
    "Item",
    "Journal",
    "JournalError",
    "KeyringError",
    "KimiClient",
    "KimiError",
    "MissingKeyError",
    "ModelNotFoundError",
    "NotAnApiError",
    "OverloadedError",
    "Progress",
    "QuotaError",
    "RateLimitError",
    "Reply",
    "ReplyError",
    "Run",
    "ServerError",
    "ServiceError",
    "SettingError",
    "SilenceError",
    "SourceError",
    "Suggestion",
    "SyncKimiClient",
    "TooLargeError",
    "Totals",
    "TransportError",
    "TruncatedError",
    "UnknownProfileError",
    "UnreachableError",
    "Usage",
    "UsedUpError",
    "__version__",
    "describe",
    "load_profile",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return _version("amx-kimi")
    if name not in __all__:
        raise AttributeError(f"module 'amx_kimi' has no attribute {name!r}")
    return getattr(import_module(_HOMES.get(name, "amx_kimi.errors")), name)


def __dir__() -> list[str]:
    return sorted(__all__)
