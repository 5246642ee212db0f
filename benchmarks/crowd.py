"""Many prompts against one account: our client and its peers, alternating, in one run.

Each row is a service and what each contestant is told of it. A contestant is a process of its own;
the seconds are its own, from the first prompt to the last answer, imports not counted.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.home import KEY
from benchmarks.oracle import at_once, windows
from benchmarks.service import Service

__all__ = ["Contestant", "Row", "measure", "rows", "run"]

_HERE = Path(__file__).parent
_PATIENCE = 4  # times ideal; then a contestant is stopped


@dataclass(frozen=True)
class Contestant:
    """A client, how it is configured, and the configuration as it would be written."""

    name: str
    program: str
    settings: dict[str, Any] = field(default_factory=dict)
    told: str = "defaults"
    tuned: bool = True


@dataclass(frozen=True)
class Row:
    """A service with its limits, so many prompts, and the figures to reach."""

    name: str
    prompts: int
    ideal: float
    service: dict[str, Any]
    contestants: tuple[Contestant, ...]
    wanted: str
    model: str = "kimi-k2.6"
    max_tokens: int = 16_384


def _ours(told: str, **settings: Any) -> Contestant:
    return Contestant("amx-kimi", "ours", settings, told)


def _async_batch(told: str, *, tuned: bool = True, **settings: Any) -> Contestant:
    return Contestant("async-batch-llm", "async_batch_llm", settings, told, tuned)


def _litellm(told: str, *, tuned: bool = True, **settings: Any) -> Contestant:
    return Contestant("litellm.batch_completion", "litellm", settings, told, tuned)


_QUICK = {  # a user who tunes would not wait five minutes at a 429
    "rate_limit": {
        "cooldown_seconds": 1.0,
        "slow_start_initial_delay": 0.1,
        "slow_start_final_delay": 0.0,
    },
    "retry": {"max_attempts": 8, "initial_wait": 0.5},
}


def rows(*, full: bool) -> tuple[Row, ...]:
    """The rows; in full with windows of a real minute."""
    cap, latency, minute = 50, 0.3, 60.0 if full else 6.0
    rpm, tpm, reserve = 600, 3_000_000, 32_768 + 20
    scale = 60 / minute
    limited = 300 if full else 200
    return (
        Row(
            "limits known (cap 50)",
            1_000,
            at_once(1_000, cap, latency),
            {"concurrency": cap, "latency": latency},
            (
                _ours("`concurrency: 50`", concurrency=cap),
                _async_batch("`concurrency=50`", concurrency=cap),
                _async_batch("defaults", tuned=False),
                _litellm("`max_workers=50`", max_workers=cap),
                _litellm("defaults", tuned=False),
            ),
            "≤ 1.05 × ideal, no rejections",
        ),
        Row(
            "limits known (cap 50), answers after 2 s",
            250,
            at_once(250, cap, 2.0),
            {"concurrency": cap, "latency": 2.0},
            (_ours("`concurrency: 50`", concurrency=cap),),
            "≤ 1.05 × ideal, no rejections",
        ),
        Row(
            "cap not known (told 200, is 50)",
            1_000,
            at_once(1_000, cap, latency),
            {"concurrency": cap, "latency": latency, "limit_figures": False},
            (
                _ours("`concurrency: 200`", concurrency=200),
                _async_batch("`concurrency=200`, cooldown 1 s", concurrency=200, **_QUICK),
                _async_batch("`concurrency=200`", tuned=False, concurrency=200),
                _litellm("`max_workers=200, num_retries=8`", max_workers=200, num_retries=8),
                _litellm("`max_workers=200`", tuned=False, max_workers=200),
            ),
            "≤ 1.25 × ideal, ≤ 50 rejections, nothing lost",
        ),
        Row(
            f"RPM 600, TPM 3 million, 32,768 reserved (a minute of {minute:g} s)",
            limited,
            windows(limited, min(rpm, tpm // reserve), minute, latency),
            {"rpm": rpm, "tpm": tpm, "minute": minute, "latency": latency},
            (
                _ours(
                    "RPM, TPM, `concurrency: 100`", concurrency=100, rpm=rpm, tpm=tpm, window=minute
                ),
                _async_batch(
                    "RPM, TPM, `concurrency=100`, cooldown 1 s",
                    concurrency=100,
                    max_requests_per_minute=rpm * scale,
                    max_tokens_per_minute=round(tpm * scale),
                    quota_burst_seconds=1.0,
                    **_QUICK,
                ),
                _litellm("`num_retries=8`", tuned=False, num_retries=8),
            ),
            "≤ 1.05 × ideal, ≤ 5 rejections per 1,000",
            model="kimi-k2-thinking",
            max_tokens=32_768,
        ),
        Row(
            "30% overload or 500 (cap 50)",
            1_000,
            at_once(1_000, cap, latency),
            {
                "concurrency": cap,
                "latency": latency,
                "faults": "overload:0.15,500:0.15",
                "retry_after": False,
            },
            (
                _ours("`concurrency: 50`", concurrency=cap),
                _async_batch("`concurrency=50`, cooldown 1 s", concurrency=cap, **_QUICK),
                _async_batch("`concurrency=50`", tuned=False, concurrency=cap),
                _litellm("`max_workers=50, num_retries=8`", max_workers=cap, num_retries=8),
                _litellm("`max_workers=50`", tuned=False, max_workers=cap),
            ),
            "≤ 1.2 × ideal, nothing lost",
        ),
    )


def measure(row: Row, rounds: int, peers: Path) -> Iterator[dict[str, Any]]:
    """Medians of each contestant over alternating rounds; one that is not tuned, or was stopped
    or three times slower than ideal, has one round."""
    found: dict[int, list[dict[str, Any]]] = {n: [] for n in range(len(row.contestants))}
    for round_ in range(rounds):
        for number, contestant in enumerate(row.contestants):
            slow = any(one["seconds"] > 3 * row.ideal for one in found[number])
            if not round_ or (contestant.tuned and not slow):
                found[number].append(_once(row, contestant, peers))
    for number, contestant in enumerate(row.contestants):
        seen = found[number]
        middle = {key: median(one[key] for one in seen) for key in seen[0]}
        yield {
            "work": row.name,
            "prompts": row.prompts,
            "ours": contestant.program == "ours",
            "contestant": contestant.name,
            "told": contestant.told,
            "rounds": len(seen),
            "ideal_s": row.ideal,
            **middle,
            "ratio": round(middle["seconds"] / row.ideal, 3),
            "wanted": row.wanted,
        }


def _once(row: Row, contestant: Contestant, peers: Path) -> dict[str, Any]:
    if contestant.program == "ours":
        command = [sys.executable, "-m", "benchmarks.contestants.ours"]
    else:
        command = [str(peers), str(_HERE / "contestants" / "peers.py"), contestant.program]
    with Service(**row.service) as service:
        task = {
            "url": service.url,
            "key": KEY,
            "model": row.model,
            "max_tokens": row.max_tokens,
            "prompts": row.prompts,
            "prompt": "Describe the column number {}.",
            "tokens": 20,
            "settings": contestant.settings,
        }
        figures = run(command, task, row.ideal * _PATIENCE)
        totals = service.totals()
    return {
        "seconds": round(figures["seconds"], 3),
        "rejections": totals["rejected"],
        "lost": row.prompts - figures["answered"],
        "cpu": round(figures["cpu"], 3),
        "stopped": figures["stopped"],
    }


def run(command: list[str], task: dict[str, Any], patience: float) -> dict[str, Any]:
    """A contestant's figures; stopped after so many seconds, none is known but the time."""
    environment = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR"}
    try:
        done = subprocess.run(
            [*command, json.dumps(task)],
            capture_output=True,
            text=True,
            env=environment,
            timeout=patience + 5,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {"seconds": patience, "cpu": 0.0, "answered": 0, "stopped": True}
    if done.returncode:
        raise RuntimeError(done.stderr[-2_000:])
    return {**json.loads(done.stdout.strip().splitlines()[-1]), "stopped": False}
