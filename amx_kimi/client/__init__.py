"""The one place that talks to Kimi.

- `kimi`: `KimiClient`, a question's way through policy, limiter, budget, wire and retries
- `sync`: the same for callers without an event loop
- `check`: whether a key works at an endpoint
- `http`: the connection; `wire`: one exchange; `convert`: statuses into errors
- `corrections`: what a 400 teaches
- `journey`: a question on its way, and what it ends as
- `account`, `limiter`: the account's limits; `budget`: the money
"""

from amx_kimi.client.account import account_limits
from amx_kimi.client.budget import Budget, worst_case
from amx_kimi.client.check import KeyReport, check_key
from amx_kimi.client.kimi import KimiClient
from amx_kimi.client.limiter import Limits
from amx_kimi.client.sync import SyncKimiClient, shared_client

__all__ = [
    "Budget",
    "KeyReport",
    "KimiClient",
    "Limits",
    "SyncKimiClient",
    "account_limits",
    "check_key",
    "shared_client",
    "worst_case",
]
