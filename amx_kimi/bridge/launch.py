"""`amx-kimi amx ARGS…`: AMX's own entry point, in a process that is prepared first, as is every
process that it starts: Studio serves from one of its own."""

import os
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import NoReturn

from amx_kimi.bridge.compare import amx_folder
from amx_kimi.errors import ConfigError
from amx_kimi.settings import child_environment, read_variable

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
    hook = str(Path(__file__).with_name("launched"))
    path = os.pathsep.join(filter(None, [hook, read_variable("PYTHONPATH")]))
    environment = child_environment(PYTHONPATH=path)
    os.execve(sys.executable, [sys.executable, "-P", "-c", start, *arguments], environment)


def main() -> None:
    """Run AMX in this process; the hook prepares it when `amx` is imported."""
    (script,) = entry_points(group="console_scripts", name="amx")
    sys.argv[0] = "amx"
    script.load()()
