"""Virtual environments of the programs that use us, made by the tests and kept between runs."""

import subprocess
import sys
from pathlib import Path

from filelock import FileLock

__all__ = ["ROOT", "environment_with"]

ROOT = Path(__file__).parents[2]


def environment_with(name: str, *wanted: str, ours: bool = True) -> Path:
    """The interpreter of an environment with these packages and this checkout; made once."""
    folder = ROOT / ".venv" / name
    done = folder / ".complete"
    folder.parent.mkdir(exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not done.exists():
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
            pip = [str(folder / "bin/python"), "-m", "pip", "--disable-pip-version-check"]
            packages = [*wanted, *(["-e", str(ROOT)] if ours else [])]
            subprocess.run([*pip, "install", "--quiet", *packages], check=True)
            # AMX would try to install its extras again and again.
            subprocess.run([*pip, "uninstall", "--quiet", "--yes", "pip"], check=True)
            done.touch()
    return folder / "bin/python"
