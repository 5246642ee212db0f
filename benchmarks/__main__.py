"""`make bench` and `make bench-full`: every measurement of one go, as `results.json` beside this,
and as the table in README.md."""

import argparse
import json
import os
import platform
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import columns, crowd, whole
from benchmarks.table import tables
from tests.consumers.environments import environment_with

_HERE = Path(__file__).parent
_BEGIN, _END = "<!-- measured: begin -->", "<!-- measured: end -->"
_PEERS = ("async-batch-llm[openai]==0.28.0", "litellm==1.106.2")


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--full", action="store_true", help="minutes of 60 s, medians of five")
    full = parser.parse_args().full
    rounds = 5 if full else 3
    peers = environment_with("peers", *_PEERS, ours=False)
    begun = time.perf_counter()
    results: dict[str, Any] = {
        "mode": "full" if full else "short",
        "on": datetime.now(UTC).date().isoformat(),
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}",
        "python": platform.python_version(),
        "peers": [*_PEERS, "amx-cli==0.19.0"],
        "crowd": [],
    }
    for row in crowd.rows(full=full):
        _say(row.name)
        results["crowd"] += crowd.measure(row, rounds, peers)
    for name, measure in (
        ("tokens", columns.compare_tokens),
        ("cost", columns.compare_cost),
        ("cap", columns.spend_past_cap),
        ("streaming", lambda: whole.streaming(rounds, peers)),
        ("start_up", lambda: whole.start_up(rounds)),
        ("end_to_end", whole.end_to_end),
    ):
        _say(name)
        results[name] = measure()
    results["seconds"] = round(time.perf_counter() - begun)
    _write(results)


def _write(results: dict[str, Any]) -> None:
    text = "\n".join(tables(results))
    print(text)
    (_HERE / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    readme = _HERE / "README.md"
    before, _, rest = readme.read_text().partition(_BEGIN)
    _, _, after = rest.partition(_END)
    readme.write_text(f"{before}{_BEGIN}\n{text}\n{_END}{after}")


def _say(what: str) -> None:
    print(f"measuring: {what}", file=sys.stderr, flush=True)


main()
