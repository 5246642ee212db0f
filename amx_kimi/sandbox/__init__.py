"""A Kimi-compatible HTTP server on loopback: a stand-in for tests and demos, not Kimi.

It shares no code or table with the client it tests: its facts are in its own ``models.yml``.

- ``options``, ``faults``: what it is told to do
- ``manners``, ``disguise``: how other servers refuse and answer
- ``rows``: models, tiers and prices
- ``server``: `Sandbox` (a thread) and `serve` (a process); ``app``: routes and control endpoint
- ``chat``: one chat completion from arrival to bill; ``checks``: which requests are refused;
  ``refusals``: error bodies; ``limits``: rate limits; ``plan``: tokens, cuts and usage;
  ``wire``: JSON and SSE; ``stream``: sending, slowly or brokenly where asked
- ``answers``: which answer a request gets; ``contract``, ``amx_text``: the two formats;
  ``describe``, ``words``: sentences from column names
- ``tokens``, ``prefixes``: token counts and the prefix cache; ``record``: what was seen and billed
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from amx_kimi.sandbox.options import Options
    from amx_kimi.sandbox.record import Seen, Totals
    from amx_kimi.sandbox.server import Sandbox, serve

__all__ = ["Options", "Sandbox", "Seen", "Totals", "serve"]

_HOMES = {
    "Options": "options",
    "Sandbox": "server",
    "Seen": "record",
    "Totals": "record",
    "serve": "server",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
