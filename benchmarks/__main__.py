"""`make bench`: every measurement, as a table on stdout and as `benchmarks/results.json`."""

import json
import platform
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

_ROUNDS = 3
_COLUMNS = 100_000


def scale() -> dict[str, Any]:
    """100,000 columns in a process of their own; medians."""
    rounds = []
    for _ in range(_ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            arguments = [sys.executable, "-m", "benchmarks.scale", str(_COLUMNS), folder]
            done = subprocess.run(arguments, capture_output=True, text=True, check=True)
        rounds.append(json.loads(done.stdout))
    return {key: median(row[key] for row in rounds) for key in rounds[0]}


def start_up() -> dict[str, Any]:
    """Seconds of `amx-kimi --help`, next to a bare interpreter; medians."""
    return {
        "help_s": _seconds([sys.executable, "-m", "amx_kimi", "--help"]),
        "python_s": _seconds([sys.executable, "-c", "pass"]),
    }


def _seconds(command: list[str]) -> float:
    times = []
    for _ in range(_ROUNDS * 3):
        begun = time.perf_counter()
        subprocess.run(command, capture_output=True, check=True)
        times.append(time.perf_counter() - begun)
    return round(median(times), 3)


def main() -> None:
    """Measure, print, write."""
    results = {
        "machine": f"{platform.machine()}, {platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "amx-kimi": version("amx-kimi"),
        "scale": scale(),
        "start_up": start_up(),
    }
    path = Path(__file__).parent / "results.json"
    path.write_text(json.dumps(results, indent=1) + "\n")
    for name in ("scale", "start_up"):
        for key, value in results[name].items():
            print(f"{name:<10} {key:<16} {value}")


main()
