"""The only place that talks to Kimi.

- `kimi`: `KimiClient`, which takes a question through policy, limiter, budget, wire and retries
- `sync`: the same for callers without an event loop
- `check`: checks whether a key works at an endpoint
- `http`: the connections; `wire`: one exchange; `convert`: turns refusals into errors
- `corrections`: what to change after a 400
- `journey`: the state of a question, and its result
- `account`, `limiter`: the account's limits; `budget`: the cost
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
