"""`amx-kimi amx ARGS…`: AMX's own entry point, in a process that is prepared first."""

import os
import sys
from importlib.metadata import entry_points
from typing import NoReturn

from amx_kimi.bridge.attach import attach
from amx_kimi.bridge.compare import amx_folder
from amx_kimi.errors import ConfigError

__all__ = ["hand_over"]


def hand_over(arguments: list[str]) -> NoReturn:
    """Become AMX: same process id, so that its exit code and signals are nobody else's.

    Raises:
        ConfigError: AMX is not installed here.
    """
    if amx_folder() is None:
        raise ConfigError(
            "AMX is not installed in this environment",
            remedy=f"Install it beside amx-kimi: {sys.executable} -m pip install amx-cli",
        )
    # -P: the current folder is no place to import from. With -c, usage texts say `amx`.
    start = "from amx_kimi.bridge.launch import main; main()"
    os.execv(sys.executable, [sys.executable, "-P", "-c", start, *arguments])


def main() -> None:
    """Prepare this process, and run AMX."""
    for line in attach():
        print(f"amx-kimi: {line}", file=sys.stderr)
    (script,) = entry_points(group="console_scripts", name="amx")
    sys.argv[0] = "amx"
    script.load()()
