"""Writers killed at random moments: `python kills.py FOLDER KILLS SEED`.

Each writer changes one profile again and again and says so after each change; it is killed, and
then config.yml has to parse and hold at least what was said. A program of its own, because forking
is safe only where no thread runs.
"""

import os
import random
import select
import signal
import sys
from pathlib import Path

import ruamel.yaml  # noqa: F401  # so that each child has it from the start
import yaml

from amx_kimi.config import save_profile

PROFILES = 4


def write(folder: Path, name: str, first: int, pipe: int) -> None:
    """Count a field of one profile up, and acknowledge each number that is saved."""
    number = first
    while True:
        number += 1
        save_profile(folder, name, {"provider": "kimi", "model": "k", "max_tokens": number})
        os.write(pipe, b"%d\n" % number)


def one_life(folder: Path, name: str, first: int, moment: float) -> int:
    """Let a writer live for `moment` seconds after its first word; the last number it said."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            write(folder, name, first, writing)
        finally:
            os._exit(1)
    os.close(writing)
    select.select([reading], [], [], 10)
    select.select([], [], [], moment)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with os.fdopen(reading, "rb") as said:
        words = said.read().splitlines()
    return int(words[-1]) if words else first


def main(folder: Path, kills: int, seed: int) -> int:
    """Kill so many writers; 0 when every acknowledged change is there after each."""
    dice = random.Random(seed)
    said = {f"p{number}": 0 for number in range(PROFILES)}
    for kill in range(kills):
        name = dice.choice(list(said))
        said[name] = one_life(folder, name, said[name], dice.random() * 0.02)
        document = yaml.safe_load((folder / "config.yml").read_text("utf-8"))
        found = {n: document["llm_profiles"].get(n, {}).get("max_tokens", 0) for n in said}
        for profile, number in said.items():
            if not number <= found[profile] <= number + 1:
                print(f"kill {kill}, seed {seed}: {profile} has {found[profile]}, said {number}")
                return 1
            said[profile] = found[profile]
    print(sum(said.values()))
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
