"""Environments of the programs that use us or serve us, made by the tests and kept between runs."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from filelock import FileLock

__all__ = ["ROOT", "environment_with", "files_of", "needs_npm", "node_program"]

ROOT = Path(__file__).parents[2]
_HOME = ROOT / ".venv"
needs_npm = pytest.mark.skipif(not shutil.which("npm"), reason="npm is not here")


def environment_with(
    name: str, *wanted: str, ours: bool = True, build: Mapping[str, str] | None = None
) -> Path:
    """The interpreter of an environment with these packages and this checkout; made once.

    `build`: variables for packages that have to be compiled.
    """
    with _made_once(name) as folder:
        if folder:
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
            pip = [str(folder / "bin/python"), "-m", "pip", "--disable-pip-version-check"]
            packages = [*wanted, *(["-e", str(ROOT)] if ours else [])]
            environment = {**os.environ, **(build or {})}
            subprocess.run([*pip, "install", "--quiet", *packages], check=True, env=environment)
            # AMX would try to install its extras again and again.
            subprocess.run([*pip, "uninstall", "--quiet", "--yes", "pip"], check=True)
    return _HOME / name / "bin/python"


def files_of(package: str) -> Path:
    """The folder with the files of one Python package, without what it depends on."""
    with _made_once(package) as folder:
        if folder:
            pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
            subprocess.run(
                [*pip, "--no-deps", "--upgrade", "--target", str(folder), package], check=True
            )
    return _HOME / package


def node_program(name: str, package: str, program: str) -> Path:
    """A program of a package of npm's registry."""
    with _made_once(name) as folder:
        if folder:
            npm = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"]
            subprocess.run([*npm, "--prefix", str(folder), package], check=True)
    return _HOME / name / "node_modules/.bin" / program


@contextmanager
def _made_once(name: str) -> Iterator[Path | None]:
    """The folder to make, or None where it is complete."""
    folder = _HOME / name
    done = folder / ".complete"
    folder.parent.mkdir(exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if done.exists():
            yield None
        else:
            yield folder
            done.touch()
