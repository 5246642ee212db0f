"""The one place that keeps results: what was found, asked, paid, answered.

- `schema`: the tables and their migrations
- `journal`: `Journal`, where and in which thread functions run; `RunRecorder`, a row per attempt;
  `writer`: the one writing thread
- `runs`, `items`, `answers`, `decisions`, `writes`: reading and writing, over a connection
- `results`: what came of a run's items; `meant`: which run a person means; `again`: escalated runs
- `shared`: columns that are asked once; `differences`: what changed since earlier runs
- `lease`, `claim`, `keep`, `owner`: who is at work on a run
- `prune`: deleting runs
"""

from amx_kimi.journal import answers, decisions, items, prune, results, runs, writes
from amx_kimi.journal.claim import claim_run
from amx_kimi.journal.items import Inherited, Stored
from amx_kimi.journal.journal import Journal, RunRecorder, digest_of
from amx_kimi.journal.results import Described
from amx_kimi.journal.runs import Run, Spending, Totals

__all__ = [
    "Described",
    "Inherited",
    "Journal",
    "Run",
    "RunRecorder",
    "Spending",
    "Stored",
    "Totals",
    "answers",
    "claim_run",
    "decisions",
    "digest_of",
    "items",
    "prune",
    "results",
    "runs",
    "writes",
]
