"""Emulators, which run in an environment of their own, and the command line against a sandbox."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from .emulators import emulator


@contextmanager
def served(words: Sequence[str | Path]) -> Iterator[int]:
    """Run a program of the emulators' environment that serves a port (`{port}` in its words)."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    command = [str(emulator(str(words[0]))), *(str(word).format(port=port) for word in words[1:])]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(6_000):
            with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            assert server.poll() is None, f"{words[0]} has ended"
            time.sleep(0.01)
        yield port
    finally:
        server.terminate()
        server.wait(30)


@pytest.fixture
def amx_database(home: Path, profile: Any) -> Callable[..., None]:
    """Writes one of AMX's database profiles, called `wh`, and makes it the active one."""
    del profile

    def write(**fields: Any) -> None:
        path = home / "config.yml"
        config = yaml.safe_load(path.read_text())
        config |= {"db_profiles": {"wh": fields}, "active_db_profile": "wh"}
        path.write_text(yaml.safe_dump(config))

    return write
