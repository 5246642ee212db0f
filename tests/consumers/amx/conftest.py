"""The real AMX, each version in a virtual environment of its own, kept between test runs."""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.consumers.environments import environment_with
from tests.terminal import secret_service

HOST = Path(__file__).with_name("host.py")
VERSIONS = ("0.19.0", pytest.param("0.17.0", marks=pytest.mark.slow))
Amx = Callable[..., Any]


def install(version: str) -> Path:
    """The interpreter of a virtual environment with this version of AMX; made if there is none."""
    # AMX 0.19 and SQLAlchemy 2.1 do not go together; LiteLLM wants mcp for tools.
    wanted = (f"amx-cli=={version}", "sqlalchemy<2.1", "psycopg2-binary", "mcp")
    return environment_with(f"amx-{version}", *wanted)


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
