"""Where the emulators are: environments of their own, which `make warehouses` installs."""

import os
from pathlib import Path

import pytest

__all__ = ["emulator"]

_FOLDER = Path(os.environ.get("AMX_KIMI_EMULATORS", Path(__file__).parents[2] / ".venv/emulators"))


def emulator(program: str, environment: str = "") -> Path:
    """A program of the emulators' environment, or of another one below it; skips the test if it is
    not there."""
    path = _FOLDER / environment / "bin" / program
    if not path.exists():
        pytest.skip(f"{path} is not there (make warehouses, or AMX_KIMI_EMULATORS=FOLDER)")
    return path
