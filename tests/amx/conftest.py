"""The real AMX, each version in a virtual environment of its own, kept between test runs."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from tests.terminal import secret_service

ROOT = Path(__file__).parents[2]
HOST = Path(__file__).with_name("host.py")
Amx = Callable[..., Any]


def install(version: str) -> Path:
    """The interpreter of a virtual environment with this version of AMX; made if there is none."""
    folder = ROOT / ".venv" / f"amx-{version}"
    done = folder / ".complete"
    folder.parent.mkdir(exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not done.exists():
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
            # AMX 0.19 and SQLAlchemy 2.1 do not go together.
            wanted = [f"amx-cli=={version}", "sqlalchemy<2.1", "psycopg2-binary", "mcp"]
            wanted += ["-e", str(ROOT)]
            pip = [str(folder / "bin/python"), "-m", "pip", "--disable-pip-version-check"]
            subprocess.run([*pip, "install", "--quiet", *wanted], check=True)
            # AMX would try to install its extras again and again.
            subprocess.run([*pip, "uninstall", "--quiet", "--yes", "pip"], check=True)
            done.touch()
    return folder / "bin/python"


@pytest.fixture(scope="session")
def amx_python() -> Path:
    """The interpreter that AMX 0.19.0 is installed for."""
    return install("0.19.0")


@pytest.fixture
def keyring(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """A Secret Service that both programs see."""
    with secret_service(home.parent) as environment:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        yield environment


@pytest.fixture
def amx(amx_python: Path) -> Amx:
    """Have AMX do something with its configuration (see host.py); what it says of it."""

    def run(*action: str) -> Any:
        done = subprocess.run(
            [str(amx_python), str(HOST), *action],
            env={**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.strip().splitlines()[-1])

    return run
