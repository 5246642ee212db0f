"""Processes of their own that start in no time: forks of one that has imported what programs need.

Most of what the command line takes in a test is importing; hundreds of tests start it. LiteLLM
takes longer to import than all the rest, and no command does: what needs it has a server of its
own. Where the start itself is what matters (signals, kills, what is imported, in which order),
tests start Python instead: the chaos's, AMX's.
"""

import atexit
import io
import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
import threading
import warnings
from collections.abc import Mapping
from functools import cache
from multiprocessing import forkserver
from multiprocessing.context import ForkServerProcess
from multiprocessing.forkserver import ForkServer
from pathlib import Path
from typing import Any

__all__ = ["begin", "run_code", "run_module", "start_in_terminal"]

_CONTEXT = multiprocessing.get_context("forkserver")
_LOCK = threading.Lock()


def begin(*, litellm: bool = False) -> None:
    """Start the process that the others are forks of."""
    _server(litellm)


@cache
def _server(litellm: bool) -> ForkServer:
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    server = ForkServer()
    server.set_forkserver_preload(["litellm", "tests.warmed"] if litellm else ["tests.warmed"])
    server.ensure_running()
    return server


def run_module(name: str, *arguments: str, **options: Any) -> "subprocess.CompletedProcess[str]":
    """`python -W error -m NAME ARGUMENTS`, to its end; options as for `run_code`."""
    return _run(name, "", arguments, **options)


def run_code(code: str, **options: Any) -> "subprocess.CompletedProcess[str]":
    """`python -W error -c CODE`, to its end: `env` (all of it), `cwd`, `input` and `timeout`
    (seconds) are those of subprocess.run; with `litellm` it is imported already.

    Raises:
        subprocess.TimeoutExpired: it was killed.
    """
    return _run("", code, (), **options)


def start_in_terminal(
    name: str, *arguments: str, env: Mapping[str, str], terminal: str
) -> ForkServerProcess:
    """`python -W error -m NAME ARGUMENTS`, as the program that a terminal was opened for."""
    job = (name, "", arguments, dict(env), Path.cwd(), [Path(terminal)] * 3, True)
    process = _CONTEXT.Process(target=_fork, args=job)
    _start(process, _server(False))
    return process


def _run(
    module: str,
    code: str,
    arguments: tuple[str, ...],
    *,
    env: Mapping[str, str],
    cwd: Path | None = None,
    input: str = "",
    timeout: float = 120,
    litellm: bool = False,
) -> "subprocess.CompletedProcess[str]":
    with tempfile.TemporaryDirectory() as name:
        streams = [Path(name) / stream for stream in ("in", "out", "err")]
        streams[0].write_text(input)
        job = (module, code, arguments, dict(env), cwd or Path.cwd(), streams)
        process = _CONTEXT.Process(target=_fork, args=job)
        _start(process, _server(litellm))
        process.join(timeout)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired([module or "-c", *arguments], timeout)
        out, err = (stream.read_text() for stream in streams[1:])
        return subprocess.CompletedProcess([*arguments], process.exitcode, out, err)


def _start(process: ForkServerProcess, server: ForkServer) -> None:
    """Start a process as a fork of this server: multiprocessing itself knows of one only."""
    with _LOCK:
        usual, forkserver.connect_to_new_process = (
            forkserver.connect_to_new_process,
            server.connect_to_new_process,
        )
        try:
            process.start()
        finally:
            forkserver.connect_to_new_process = usual


def _fork(
    module: str,
    code: str,
    arguments: tuple[str, ...],
    env: dict[str, str],
    cwd: Path,
    streams: list[Path],
    in_terminal: bool = False,
) -> None:
    if in_terminal:
        os.setsid()  # what it opens next is its terminal
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    for number, path in enumerate(streams):
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        os.dup2(file, number)
        os.close(file)
    sys.stdin, sys.stdout, sys.stderr = (
        io.TextIOWrapper(
            *(open(number, mode, closefd=False), "utf-8"),  # noqa: SIM115 - for the whole process
            errors="backslashreplace" if number == 2 else "surrogateescape" * (number < 1) or None,
            line_buffering=number == 2 or in_terminal,
        )
        for number, mode in ((0, "rb"), (1, "wb"), (2, "wb"))
    )
    warnings.resetwarnings()
    warnings.simplefilter("error")
    sys.argv = [module or "-c", *arguments]
    try:
        if module:
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        else:
            exec(code, {"__name__": "__main__"})
    finally:
        atexit._run_exitfuncs()
