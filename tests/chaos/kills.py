"""Processes that are ended at random points, and resumed until the run is whole."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

from tests.chaos.invariants import Ledger, check, check_words
from tests.chaos.mixes import live
from tests.chaos.world import World, world

_SIGNALS = (signal.SIGKILL,) * 6 + (signal.SIGTERM,) * 3 + (signal.SIGINT,)
_UNBORN = {-signal.SIGTERM, -signal.SIGINT}  # it came before the program listened


def kills(seed: int, folder: Path, most: int = 1_000_000) -> tuple[int, list[str]]:
    """One run, ended `most` times at random points at the most, and then left in peace.

    Returns how many ends it had, and what did not hold.
    """
    dice = random.Random(f"kills {seed}")
    options: dict[str, Any] = {"concurrency": 3, "latency": 0.12}
    options["faults"] = dice.choice(("", "500:0.1", "stall:0.05"))
    with world(folder, tables=10, columns=12, **options) as here:
        here.arguments = ("--batch-size", "2", "--yes")
        # Three requests of two columns and their table; and as many that wait for the writer.
        here.kills, here.in_flight = True, 2 * 3 * 3
        before, ended = Ledger(), 0
        while ended < most:
            after, wrong, was_killed = _life(here, before, dice)
            ended += was_killed
            if wrong or not was_killed:
                return ended, wrong
            before = after
        here.sandbox.set(faults="")
        after, wrong, code = live(here, before)
        return ended, wrong + ([] if code == 0 else [f"left in peace, it ended with {code}"])


def _life(here: World, before: Ledger, dice: random.Random) -> tuple[Ledger, list[str], bool]:
    """A process until its violent or peaceful end."""
    sent = len(here.sandbox.chats)
    process = here.annotate()
    _wait(here, process, sent, dice)
    was_killed = process.poll() is None
    number = dice.choice(_SIGNALS)
    process.send_signal(number)
    ended = here.end(process)
    here.remember_run()
    after, seen = Ledger.read(here), here.sandbox.chats
    wrong = check(here, before, after, seen, seen[sent:])
    if ended.code not in (-signal.SIGKILL, *_UNBORN):
        wrong += check_words(ended, after, worked=len(seen) > sent)
        was_killed = ended.code == 130
    if ended.code in _UNBORN and len(seen) > sent and not ended.summary:
        wrong.append(f"{signal.Signals(number).name} ended it without a word: {ended.err[-500:]}")
    return after, wrong, was_killed


def _wait(here: World, process: subprocess.Popen[str], sent: int, dice: random.Random) -> None:
    """A moment at random: while it starts, or while it asks."""
    if dice.random() < 0.15:
        time.sleep(dice.random() * 0.9)
        return
    wanted = sent + dice.randint(0, 12)
    while process.poll() is None and here.sandbox.totals.requests < wanted:
        time.sleep(0.002)
    if wanted == sent:
        while process.poll() is None and not here.sandbox.under_way:
            time.sleep(0.002)
    time.sleep(dice.random() * 0.15)
