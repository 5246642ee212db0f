"""Seeded mixes of the service's faults: each a run to its end, in as many lives as it takes."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from amx_kimi.sandbox.faults import ANSWER_FAULTS, STREAM_FAULTS
from tests.chaos.invariants import Ledger, check, check_words
from tests.chaos.world import World, world

_REFUSALS = ("overload", "rate", "500", "503", "504html", "reset-before", "filter")
_ENDING = ("tpd", "quota", "unauthorized", "forbidden")
_SLOW = ("stall", "drip")  # each costs seconds
_MOST_LIVES = 6


def options_of(dice: random.Random) -> dict[str, Any]:
    """A service in some sort of trouble."""
    kinds = [*_REFUSALS, *ANSWER_FAULTS, *(set(STREAM_FAULTS) - set(_SLOW))]
    rules = [
        f"{kind}:{dice.choice((0.05, 0.15, 0.4))}"
        for kind in dice.sample(sorted(kinds), dice.randint(1, 4))
    ]
    first = dice.randint(1, 8)
    if dice.random() < 0.3:
        rules.insert(0, f"{dice.choice(_SLOW)}@{first}-{first + dice.randint(0, 3)}")
    if dice.random() < 0.25:
        rules.insert(0, f"{dice.choice(_ENDING)}@{first}")
    return {
        "faults": ",".join(rules),
        "seed": dice.randrange(1_000_000),
        "usage_shape": dice.choice(("flat", "nested", "both", "choices", "none")),
        "logprobs": dice.choice(("model", "silent", "refuse")),
        "strict_json": dice.random() < 0.7,
        "limit_figures": dice.random() < 0.7,
        "retry_after": dice.random() < 0.5,
        "concurrency": dice.choice((None, 1, 3)),
        "latency": dice.choice((0.0, 0.02)),
        "forget_above": dice.choice((0, 0, 5)),
        "refuse": dice.choice(((), (), ("response_format",), ("prompt_cache_key",))),
        "minute": 0.5,
    }


def mix(seed: int, folder: Path) -> tuple[int, list[str]]:
    """One run under a seeded mix of faults; resumed until it is whole, at last without faults.

    Returns how many processes it took, and what did not hold.
    """
    dice = random.Random(f"mix {seed}")
    model = dice.choice(("kimi-k2.6", "kimi-k2.6", "kimi-k2-thinking", "kimi-k3"))
    with world(folder, model=model, **options_of(dice)) as here:
        size = dice.choice((2, 4, 10, 40))
        here.arguments = ("--batch-size", str(size), "--yes")
        before, wrong = Ledger(), []
        for life in range(_MOST_LIVES):
            if life == _MOST_LIVES - 1:
                here.sandbox.set(faults="", forget_above=0)
            before, found, code = live(here, before)
            wrong += found
            if wrong or code == 0:
                return life + 1, wrong
        return _MOST_LIVES, ["the last life had no faults, and did not end the run"]


def live(here: World, before: Ledger, **options: Any) -> tuple[Ledger, list[str], int]:
    """One process to its end: the journal after it, what did not hold, the exit code."""
    sent = len(here.sandbox.chats)
    ended = here.end(here.annotate(**options))
    here.remember_run()
    after, seen = Ledger.read(here), here.sandbox.chats
    wrong = check(here, before, after, seen, seen[sent:])
    return after, wrong + check_words(ended, after), ended.code
