"""The only place that talks to Kimi.

- `kimi`: `KimiClient`, a question's way through policy, limiter, budget, wire and retries;
  `sync`: the same for callers without an event loop; `question`: what they may ask
- `service`: where the API answers; `check`: whether a key works there
- `http`: the connection; `bounds`: how large an answer may be; `wire`: one exchange
- `documents`: JSON and events out of bytes; `answers`: an answer out of those; `thoughts`:
  thinking that stands in its text; `said`: what a refusal says; `waits`: for how long; `convert`:
  into errors
- `corrections`: what a 400 teaches; `backoff`: pauses; `journey`: a question on its way
- `account`, `limiter`: the account's limits; `budget`: the money
"""

from amx_kimi.client.account import account_limits
from amx_kimi.client.budget import Budget, worst_case
from amx_kimi.client.check import KeyReport, check_key
from amx_kimi.client.kimi import KimiClient
from amx_kimi.client.limiter import Limits
from amx_kimi.client.sync import SyncKimiClient, in_event_loop, shared_client

__all__ = [
    "Budget",
    "KeyReport",
    "KimiClient",
    "Limits",
    "SyncKimiClient",
    "account_limits",
    "check_key",
    "in_event_loop",
    "shared_client",
    "worst_case",
]
