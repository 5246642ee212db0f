"""Kimi (Moonshot AI) as a first-class provider for the AMX data catalog.

The public names load on first use, so that importing the package costs nothing:

- `KimiClient`, `SyncKimiClient`: ask Kimi, with policy, limits, budget and retries
- `Ask`, `Reply`: what goes in and what comes out
- `KimiError`: the base of every error that this package raises
- `load_profile`: a named LLM configuration from AMX's own `config.yml`
"""

from importlib import import_module
from importlib.metadata import version as _version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from amx_kimi.client import KimiClient, SyncKimiClient
    from amx_kimi.config import load_profile
    from amx_kimi.errors import KimiError
    from amx_kimi.types import Ask, Reply

__all__ = ["Ask", "KimiClient", "KimiError", "Reply", "SyncKimiClient", "load_profile"]

_HOMES = {
    "Ask": "amx_kimi.types",
    "KimiClient": "amx_kimi.client",
    "KimiError": "amx_kimi.errors",
    "Reply": "amx_kimi.types",
    "SyncKimiClient": "amx_kimi.client",
    "load_profile": "amx_kimi.config",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return _version("amx-kimi")
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'amx_kimi' has no attribute {name!r}")
