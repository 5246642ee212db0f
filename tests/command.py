"""The command line, in this process."""

from amx_kimi.cli import cli
from amx_kimi.cli.main import run_main

__all__ = ["run"]


def run(*words: str, code: int = 0) -> None:
    """One command of `amx-kimi`, with the exit code that it must have."""
    assert run_main(cli, [*words]) == code
