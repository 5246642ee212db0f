"""100,000 columns through the whole run with free answers: memory over idle, columns a second.

Run as a child process (`python -m benchmarks.scale COLUMNS FOLDER`), so that its peak memory is its
own; prints one JSON object.
"""

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any, cast

import anyio

from amx_kimi.annotate.asking import ask_pending
from amx_kimi.annotate.inventory import take_inventory
from amx_kimi.annotate.job import Job, OpenRun
from amx_kimi.annotate.reader import Reader
from amx_kimi.client import KimiClient
from amx_kimi.databases.opening import open_source
from amx_kimi.journal import Journal, runs
from amx_kimi.settings import Settings
from amx_kimi.tokens import count_tokens
from benchmarks.wide import FreeClient, build, profile


def _megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def _run(database: Path, journal: Journal, settings: Settings) -> dict[str, Any]:
    job = Job(profile())
    client = cast(KimiClient, FreeClient(settings))
    async with Reader(lambda: open_source(str(database))) as reader:
        begun = time.perf_counter()
        run = await journal.write(
            runs.begin_run,
            source="bench",
            database="bench",
            profile="bench",
            model="kimi-k2.6",
            endpoint="bench",
            currency="USD",
            options="{}",
        )
        opened = OpenRun(run, job, journal, reader)
        await take_inventory(opened)
        inventory = time.perf_counter() - begun
        stopped = await ask_pending(opened, client, lambda _: None)
        assert stopped is None
        whole = time.perf_counter() - begun
    totals = journal.read(runs.totals, run)
    return {"inventory_s": inventory, "run_s": whole, "described": totals.described}


def main(columns: int, folder: Path) -> dict[str, Any]:
    """Build the database, warm everything up, measure."""
    database = folder / "wide.db"
    build(database, columns)
    settings = Settings(config_dir=folder)
    with Journal(folder / "kimi.db") as journal:
        count_tokens("warm")  # the vocabulary is part of idle
        idle = _megabytes()
        figures = anyio.run(_run, database, journal, settings)
    return {
        "columns": columns,
        "idle_mb": round(idle, 1),
        "over_idle_mb": round(_megabytes() - idle, 1),
        "inventory_s": round(figures["inventory_s"], 2),
        "run_s": round(figures["run_s"], 2),
        "columns_per_s": round(figures["described"] / figures["run_s"]),
    }


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]), Path(sys.argv[2]))))
