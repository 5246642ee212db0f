"""`amx-kimi run` as a user types it, against the sandbox: its memory and time by size, its start,
and the CPU of a streamed request next to LiteLLM's."""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.crowd import run
from benchmarks.home import KEY, PROGRAM, home_with
from benchmarks.service import Service
from benchmarks.wide import build
from tests.consumers.amx.conftest import install

__all__ = ["end_to_end", "start_up", "streaming"]


def end_to_end(sizes: tuple[int, ...] = (10_000, 100_000)) -> list[dict[str, Any]]:
    """Peak memory and seconds of a run over so many columns; the service answers at once."""
    return [_described(columns) for columns in sizes]


def _described(columns: int) -> dict[str, Any]:
    with (
        tempfile.TemporaryDirectory() as folder,
        Service(thinking_base=0, thinking_per_column=0) as service,
        home_with("kimi-bulk", service.url) as env,
    ):
        database, out = Path(folder, "wide.db"), Path(folder, "out")
        build(database, columns)
        begun = time.perf_counter()
        with out.open("wb") as file:
            options = ["--json", "--yes", "--no-input", "--concurrency", "16"]
            process = subprocess.Popen(
                [*PROGRAM, "run", str(database), *options],
                stdout=file,
                stderr=subprocess.DEVNULL,
                env=env,
            )
            _, status, used = os.wait4(process.pid, 0)
        assert status == 0, out.read_text()
        described = json.loads(out.read_text())
        return {
            "columns": described["described"],
            "requests": described["requests"],
            "seconds": round(time.perf_counter() - begun, 1),
            "peak_mb": round(used.ru_maxrss / 1024),
        }


def start_up(rounds: int) -> dict[str, Any]:
    """Seconds of `--help`: ours, AMX's, and a bare interpreter; alternating."""
    amx = install("0.19.0")
    commands = {
        "amx-kimi --help": [*PROGRAM, "--help"],
        "amx --help": [str(amx.with_name("amx")), "--help"],
        "python -c pass": [sys.executable, "-c", "pass"],
    }
    found: dict[str, list[float]] = {name: [] for name in commands}
    with tempfile.TemporaryDirectory() as home:
        env = {**os.environ, "HOME": home, "PIP_NO_INDEX": "1", "AMX_SESSION_CHILD": "1"}
        for _ in range(rounds + 1):
            for name, command in commands.items():
                begun = time.perf_counter()
                subprocess.run(command, capture_output=True, check=True, env=env)
                found[name].append(time.perf_counter() - begun)
    return {name: round(median(times[1:]), 3) for name, times in found.items()}  # the first warms


def _question() -> str:
    """Under the contract of docs/contract.md, so that the answer has text for 300 chunks."""
    columns = [{"id": n, "name": f"col_{{}}_{n}", "type": "text"} for n in range(1, 61)]
    table = {"id": "T1", "name": "orders", "ask": True, "columns": columns}
    question = {"task": "describe", "language": "en", "alternatives": 3, "tables": [table]}
    return json.dumps(question)


def streaming(rounds: int, peers: Path) -> dict[str, Any]:
    """CPU milliseconds of a streamed request of 300 chunks: of 60 requests, less those of 10."""
    ours = [sys.executable, "-m", "benchmarks.contestants.ours"]
    theirs = [str(peers), str(Path(__file__).parent / "contestants/peers.py"), "litellm_stream"]
    found: dict[str, list[float]] = {"amx-kimi": [], "litellm": []}
    with Service(chunks=300) as service:
        task = {"url": service.url, "key": KEY, "model": "kimi-k2.6", "max_tokens": 16_384}
        task |= {"prompt": _question(), "tokens": 1_000}
        for _ in range(rounds):
            for name, command in (("amx-kimi", ours), ("litellm", theirs)):
                used = [
                    run(command, {**task, "prompts": n, "settings": {"concurrency": 1}}, 120)["cpu"]
                    for n in (10, 60)
                ]
                found[name].append((used[1] - used[0]) * 20)
    return {f"{name} ms": round(median(times), 2) for name, times in found.items()}
