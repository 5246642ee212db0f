"""Servers that others wrote, as processes of their own on loopback."""

import os
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

__all__ = ["free_port", "serving"]


def free_port() -> int:
    """A port of loopback that nothing listens at."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def serving(
    command: Sequence[str], health: str, folder: Path, environment: Mapping[str, str] | None = None
) -> Iterator[None]:
    """Run `command` in `folder` until the block ends; it is entered once `health` (a URL) answers.

    Raises:
        AssertionError: the process ended before; the error holds what it printed.
    """
    log = folder / "server.log"
    with (
        log.open("w") as out,
        subprocess.Popen(
            command, env={**os.environ, **(environment or {})}, stdout=out, stderr=out, cwd=folder
        ) as process,
    ):
        try:
            _wait(process, health, log)
            yield
        finally:
            process.terminate()


def _wait(process: "subprocess.Popen[bytes]", health: str, log: Path) -> None:
    with httpx.Client(transport=httpx.HTTPTransport(retries=5), timeout=5) as client:
        while process.poll() is None:
            try:
                if client.get(health).status_code == 200:
                    return
            except httpx.TransportError:
                continue
    raise AssertionError(log.read_text())
