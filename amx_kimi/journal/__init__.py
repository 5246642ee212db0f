"""The one place that keeps results: what was found, asked, paid, answered.

- `schema`: the tables and their migrations
- `journal`: `Journal`, where and in which thread functions run; `RunRecorder`, a row per attempt
- `writer`: the one writing thread
- `runs`, `items`: reading and writing, as functions over a connection
"""

from amx_kimi.journal import items, runs
from amx_kimi.journal.items import Described, Inherited, Stored
from amx_kimi.journal.journal import Journal, RunRecorder, digest_of
from amx_kimi.journal.runs import Run, Totals

__all__ = [
    "Described",
    "Inherited",
    "Journal",
    "Run",
    "RunRecorder",
    "Stored",
    "Totals",
    "digest_of",
    "items",
    "runs",
]
