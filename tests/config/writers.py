"""Many processes that write the same folder at once: `python writers.py FOLDER`.

A program of its own, because forking is safe only where no thread runs.
"""

import multiprocessing
import sys
from pathlib import Path

from amx_kimi.config import LearnedStore, save_profile
from amx_kimi.facts import Quirk

COUNT = 40
PROFILE = {"provider": "kimi", "model": "kimi-k2.6"}
URL = "https://api.moonshot.ai/v1"


def write(folder: Path, number: int) -> None:
    """One writer's profile and lesson."""
    save_profile(folder, f"p{number}", PROFILE, {"tier": number % 6})
    LearnedStore(folder).learn(URL, f"model-{number}", (Quirk("logprobs", "drop"),))


def main(folder: Path) -> int:
    """Start all, wait for all; 0 when each ended well."""
    fork = multiprocessing.get_context("fork")
    writers = [fork.Process(target=write, args=(folder, number)) for number in range(COUNT)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    return max(abs(writer.exitcode or 0) for writer in writers)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
