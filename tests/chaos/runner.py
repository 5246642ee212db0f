"""The long run: `python -m tests.chaos [--minutes 10] [--seed N]`, or so many of each.

Prints the seed first: with it, and the number that a failure names, the same trouble comes again.
Exit code 1 when an invariant did not hold.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import count
from multiprocessing import get_context
from pathlib import Path

from tests.chaos.configs import configs
from tests.chaos.kills import kills
from tests.chaos.mixes import mix
from tests.chaos.troubles import trouble

Chaos = Callable[[int, Path], tuple[int, list[str]]]
_KINDS: dict[str, Chaos] = {
    "mixes": mix,
    "kills": kills,
    "configs": configs,
    "troubles": trouble,
}
_WORKERS = 3


@dataclass
class Tally:
    """How often trouble of a kind was made, and what did not hold, by seed."""

    runs: int = 0
    events: int = 0
    broken: dict[int, list[str]] = field(default_factory=dict)


def one(kind: str, seed: int) -> tuple[str, int, int, list[str]]:
    """One trouble in a folder of its own."""
    # Not in the worker's TMPDIR by pytest's rules: PostgreSQL's server runs as another user.
    with tempfile.TemporaryDirectory(prefix="amx-kimi-chaos-") as folder:
        try:
            events, wrong = _KINDS[kind](seed, Path(folder) / "home")
        except Exception as error:
            events, wrong = 0, [f"{type(error).__name__}: {error}"]
    return kind, seed, events, wrong


def jobs(seed: int, wanted: dict[str, int], until: float) -> Iterator[tuple[str, int]]:
    """Troubles, each kind as often as wanted, or in turn until the time is over."""
    dice = random.Random(seed)
    if any(wanted.values()):
        todo = [(kind, seed + n) for kind, number in wanted.items() for n in range(number)]
        dice.shuffle(todo)
        yield from todo
        return
    for n in count(seed):
        for kind in ("mixes", "kills", "mixes", "troubles", "mixes", "configs"):
            if time.monotonic() > until:
                return
            yield kind, n * 10 + dice.randrange(10)


def main(arguments: list[str] | None = None) -> int:
    """Make trouble, and say what held."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    for kind in _KINDS:
        parser.add_argument(f"--{kind}", type=int, default=0, metavar="N", help=f"so many {kind}")
    options = parser.parse_args(arguments)
    print(f"seed {options.seed}", flush=True)
    begun = time.monotonic()
    wanted = {kind: getattr(options, kind) for kind in _KINDS}
    work = jobs(options.seed, wanted, begun + options.minutes * 60)
    tallies = {kind: Tally() for kind in _KINDS}
    with ProcessPoolExecutor(_WORKERS, mp_context=get_context("spawn")) as pool:
        under_way: set[Future[tuple[str, int, int, list[str]]]] = set()
        for job in work:
            under_way.add(pool.submit(one, *job))
            if len(under_way) > _WORKERS:
                under_way = _heard(under_way, tallies)
        while under_way:
            under_way = _heard(under_way, tallies)
    for kind, tally in tallies.items():
        print(f"{kind}: {tally.runs:,} runs, {tally.events:,} events, {len(tally.broken)} broken")
    print(f"{(time.monotonic() - begun) / 60:.1f} minutes")
    return int(any(tally.broken for tally in tallies.values()))


def _heard(
    under_way: set[Future[tuple[str, int, int, list[str]]]], tallies: dict[str, Tally]
) -> set[Future[tuple[str, int, int, list[str]]]]:
    done, still = wait(under_way, return_when=FIRST_COMPLETED)
    for future in done:
        kind, seed, events, wrong = future.result()
        tally = tallies[kind]
        tally.runs, tally.events = tally.runs + 1, tally.events + events
        if wrong:
            tally.broken[seed] = wrong
            print(f"{kind} {seed}: {wrong}", flush=True)
    return still
