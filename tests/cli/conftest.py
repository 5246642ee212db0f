"""The program as a user starts it: a process of its own, with a clean environment."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from amx_kimi.demo.erp import build_sqlite
from amx_kimi.sandbox import Sandbox
from tests import warm
from tests.conftest import KEY

Program = Callable[..., "Ended"]


def wait_until(condition: Callable[[], object], running: "subprocess.Popen[Any]") -> None:
    """Wait for what a program does, and leave it the processor meanwhile."""
    while not condition():
        assert running.poll() is None
        time.sleep(0.005)


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The last line of stdout."""
        return json.loads(self.out.strip().splitlines()[-1])


def command(*arguments: str) -> list[str]:
    """The command line of `amx-kimi ARGUMENTS`."""
    return [sys.executable, "-W", "error", "-m", "amx_kimi", *arguments]


@pytest.fixture(autouse=True, scope="session")
def warm_start() -> None:
    """Commands start without the wait for their imports."""
    warm.begin()


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """Run `amx-kimi ARGUMENTS` in `tmp_path` to its end."""

    def run(*arguments: str, env: dict[str, str] | None = None, timeout: float = 120) -> Ended:
        done = warm.run_module(
            "amx_kimi",
            *arguments,
            cwd=tmp_path,
            env={**os.environ, **(env or {})},
            timeout=timeout,
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def documented(home: Path) -> Callable[..., None]:
    """Write the profile block of AMX's documentation, with another api_base."""

    def write(api_base: str, **changes: Any) -> None:
        block = {
            "provider": "kimi",
            "model": "kimi-k2-thinking",
            "api_base": api_base,
            "api_key": KEY,
            "temperature": 0.2,
            "n_alternatives": 3,
            **changes,
        }
        home.mkdir(exist_ok=True)
        document = {
            "llm_profiles": {"kimi-thinking": block},
            "active_llm_profile": "kimi-thinking",
        }
        (home / "config.yml").write_text(yaml.safe_dump(document))

    return write


@pytest.fixture
def erp(tmp_path: Path) -> Path:
    """The sample ERP as a SQLite file."""
    path = tmp_path / "erp.db"
    build_sqlite(path)
    return path


def names_asked(sandbox: Sandbox) -> list[str]:
    """Every column name that the sandbox was asked about, in order."""
    return [column["name"] for table in tables_asked(sandbox) for column in table["columns"]]


def tables_asked(sandbox: Sandbox) -> Sequence[dict[str, Any]]:
    """Every table entry of every annotation request."""
    bodies = [seen.body for seen in sandbox.chats if seen.body]
    questions = [json.loads(body["messages"][-1]["content"]) for body in bodies]
    return [table for question in questions for table in question["tables"]]
