"""A user's world: a home, a database of cryptic columns, and the sandbox that bills it."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from amx_kimi.sandbox import Options, Sandbox

KEY = "sk-chaos-0123456789abcdef"
PATIENCE = 90.0


@dataclass(frozen=True)
class Ended:
    """How a process ended: its exit code (negative: the signal), and what it said."""

    code: int
    out: str
    err: str

    @property
    def summary(self) -> dict[str, Any] | None:
        """The run in figures, when it printed them."""
        lines = [line for line in self.out.splitlines() if line.startswith('{"run"')]
        return json.loads(lines[-1]) if lines else None


@dataclass
class World:
    """Where the program runs. `database` and `store` are what is described and where results are
    kept (None: in the default journal)."""

    home: Path
    sandbox: Sandbox
    database: str
    store: str | None = None
    arguments: tuple[str, ...] = ()
    prefix: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    run: str = ""
    kills: bool = False  # whether processes are killed in it
    in_flight: int | None = None  # how many answers a process's end may cost at most

    @property
    def folder(self) -> Path:
        """`AMX_CONFIG_DIR`."""
        return self.home / ".amx"

    @property
    def temporary(self) -> Path:
        """`TMPDIR`: nothing may be left in it."""
        return self.home / "tmp"

    def start(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        """Begin `amx-kimi ARGUMENTS`, every warning an error."""
        store = ("--store", self.store) if self.store else ()
        return subprocess.Popen(
            [*self.prefix, sys.executable, "-W", "error", "-m", "amx_kimi", *arguments, *store],
            cwd=self.home,
            env={**_plain_environment(self), **self.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )

    def annotate(self, **options: Any) -> subprocess.Popen[str]:
        """Begin a run over the database, or resume the one that was begun."""
        fresh = ("run", self.database, *self.arguments)
        again = ("run", "--resume", self.run)
        return self.start(*(again if self.run else fresh), "--json", **options)

    def end(self, process: subprocess.Popen[str]) -> Ended:
        """Wait for a process, and for the sandbox to have ended its requests too."""
        try:
            out, err = process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            err += f"\nchaos: it did not end within {PATIENCE:g} seconds"
        wait_until(lambda: self.sandbox.under_way == 0)
        return Ended(process.returncode, out, err)

    def remember_run(self) -> None:
        """From here on `annotate` resumes, if a run was begun."""
        from tests.chaos.invariants import Ledger

        self.run = self.run or Ledger.read(self).run


def wait_until(condition: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Look again until a condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("the condition never held")
        time.sleep(0.002)


def _plain_environment(world: World) -> dict[str, str]:
    return {
        "HOME": str(world.home),
        "AMX_CONFIG_DIR": str(world.folder),
        "TMPDIR": str(world.temporary),
        "PATH": os.environ["PATH"],
        "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
        "AMX_LLM_TIMEOUT_SEC": "2",
        "AMX_KIMI_TOTAL_TIMEOUT_SEC": "6",
    }


@contextmanager
def world(
    home: Path, *, tables: int = 6, columns: int = 8, model: str = "kimi-k2.6", **options: Any
) -> Iterator[World]:
    """A new world in an empty folder."""
    (home / ".amx").mkdir(mode=0o700, parents=True)
    (home / "tmp").mkdir()
    database = home / "shop.db"
    with sqlite3.connect(database) as connection:
        for statement in ddl(tables, columns):
            connection.execute(statement)
    connection.close()
    # A process that was started with SIGINT ignored hands that on to its children.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with Sandbox(Options(**options)) as sandbox:
        made = World(home, sandbox, str(database))
        write_profile(made, model)
        yield made


def ddl(tables: int, columns: int) -> Sequence[str]:
    """Tables whose columns all have different names."""
    return [
        f"CREATE TABLE t{table} ({', '.join(f'c{table}_{n} int' for n in range(columns))})"
        for table in range(tables)
    ]


def write_profile(world: World, model: str) -> None:
    """The active profile: this sandbox, its key in clear."""
    profile = {"provider": "kimi", "model": model, "api_base": world.sandbox.url, "api_key": KEY}
    document = {"llm_profiles": {"chaos": profile}, "active_llm_profile": "chaos"}
    path = world.folder / "config.yml"
    path.write_text(yaml.safe_dump(document))
    path.chmod(0o600)
