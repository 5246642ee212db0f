"""`config.yml` under racing writers, one of whom is killed again and again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.config import kills

_KILLS = 25


def configs(seed: int, folder: Path) -> tuple[int, list[str]]:
    """Writers at once, killed at random; after each kill the file has to hold what was said."""
    folder.mkdir(parents=True)
    done = subprocess.run(
        [sys.executable, kills.__file__, str(folder), str(_KILLS), str(seed)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    wrong = [] if done.returncode == 0 else [f"{done.stdout}{done.stderr}"[-800:]]
    return _KILLS, wrong
