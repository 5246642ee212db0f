"""Racing writers, killed at random moments: `python kills.py FOLDER KILLS SEED`.

Each of several writers counts a field of its own profile up, and says each number that is saved.
One after another is killed and begun again; after each kill config.yml has to parse and hold what
everybody had said by then. A program of its own, because forking is safe only where no thread runs.
"""

import os
import random
import select
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

import ruamel.yaml  # noqa: F401  # so that each child has it from the start
import yaml

from amx_kimi.config import save_profile

PROFILES = 4


@dataclass
class Writer:
    """A child that writes, the pipe on which it says so, and what it said last."""

    name: str
    pid: int
    pipe: int
    said: int

    def hear(self) -> int:
        """The last number that it has said by now."""
        while select.select([self.pipe], [], [], 0)[0]:
            words = os.read(self.pipe, 65536)
            if not words:
                break
            self.said = int(words.split()[-1])
        return self.said


def begin(folder: Path, name: str, first: int) -> Writer:
    """Start a writer that goes on from `first`."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            number = first
            while True:
                number += 1
                save_profile(folder, name, {"provider": "kimi", "model": "k", "max_tokens": number})
                os.write(writing, b"%10d\n" % number)
        finally:
            os._exit(1)
    os.close(writing)
    return Writer(name, child, reading, first)


def end(writer: Writer) -> int:
    """Kill a writer; the last number that it said."""
    os.kill(writer.pid, signal.SIGKILL)
    os.waitpid(writer.pid, 0)
    said = writer.hear()
    os.close(writer.pipe)
    return said


def found(folder: Path) -> dict[str, int]:
    """What stands in the file, as AMX reads it."""
    document = yaml.safe_load((folder / "config.yml").read_text("utf-8"))
    return {name: block["max_tokens"] for name, block in document["llm_profiles"].items()}


def main(folder: Path, kills: int, seed: int) -> int:
    """Kill so many writers; 0 when every acknowledged change is there after each."""
    dice = random.Random(seed)
    writers = [begin(folder, f"p{number}", 0) for number in range(PROFILES)]
    try:
        for writer in writers:
            select.select([writer.pipe], [], [], 30)
        for kill in range(kills):
            select.select([], [], [], dice.random() * 0.03)
            victim = writers.pop(dice.randrange(PROFILES))
            said = {writer.name: writer.hear() for writer in writers}
            said[victim.name] = end(victim)
            there = found(folder)
            lost = [name for name, number in said.items() if number > there.get(name, 0)]
            if lost or there.get(victim.name, 0) > said[victim.name] + 1:
                print(f"kill {kill}, seed {seed}: said {said}, the file has {there}")
                return 1
            writers.append(begin(folder, victim.name, there.get(victim.name, 0)))
    finally:
        for writer in writers:
            end(writer)
    print(sum(found(folder).values()))
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
