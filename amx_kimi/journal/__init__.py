"""The one place that keeps results: what was found, asked, paid, answered.

- `schema`: the tables and their migrations
- `journal`: `Journal`, where and in which thread functions run; `RunRecorder`, a row per attempt
- `writer`: the one writing thread
- `runs`, `items`, `answers`, `decisions`, `writes`: reading and writing, over a connection
- `results`: what came of a run's items
"""

from amx_kimi.journal import answers, decisions, items, results, runs, writes
from amx_kimi.journal.items import Inherited, Stored
from amx_kimi.journal.journal import Journal, RunRecorder, digest_of
from amx_kimi.journal.results import Described
from amx_kimi.journal.runs import Run, Totals

__all__ = [
    "Described",
    "Inherited",
    "Journal",
    "Run",
    "RunRecorder",
    "Stored",
    "Totals",
    "answers",
    "decisions",
    "digest_of",
    "items",
    "results",
    "runs",
    "writes",
]
