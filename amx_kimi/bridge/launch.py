"""`amx-kimi amx ARGS…`: runs AMX's entry point in a prepared process. Processes that it starts are
prepared, too, such as the one that serves Studio."""

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
    """Become AMX, with the same process id, so that exit code and signals are AMX's own.

    Raises:
        ConfigError: AMX is not installed here.
    """
    if amx_folder() is None:
        raise ConfigError(
            "AMX is not installed in this environment",
            remedy=f"Install it beside amx-kimi: {sys.executable} -m pip install amx-cli",
        )
    # -P: do not import from the current folder. With -c, usage texts say `amx`.
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
