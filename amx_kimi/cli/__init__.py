"""The command line. `amx-kimi --help` imports none of litellm, httpx, sqlalchemy, prompt_toolkit.

The click group is the registry of commands. `run` and `demo` do work; `results` reads the journal;
`profiles` reads the configuration; `check` tries it out; `sandbox` stands in for the service.
"""

import signal
import sys

import click

from amx_kimi.cli.check import doctor, explain
from amx_kimi.cli.common import KimiCommand, run_main
from amx_kimi.cli.demo import demo
from amx_kimi.cli.profiles import llm_profiles, models, use_llm
from amx_kimi.cli.results import export, runs, show
from amx_kimi.cli.run import run
from amx_kimi.cli.sandbox import sandbox

__all__ = ["cli", "main"]


class _Group(click.Group):
    command_class = KimiCommand

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(self.commands)  # in the order of a first visit, not of the alphabet


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="amx-kimi", prog_name="amx-kimi")
def cli() -> None:
    """Describe the tables and columns of your databases with Kimi (Moonshot AI).

    Try `amx-kimi demo` first: it needs no key, no database and no network.
    """


for _command in (
    demo,
    run,
    runs,
    show,
    export,
    llm_profiles,
    use_llm,
    models,
    explain,
    doctor,
    sandbox,
):
    cli.add_command(_command)


def _as_interrupt(*_: object) -> None:
    if callable(signal.getsignal(signal.SIGINT)):
        signal.raise_signal(signal.SIGINT)
    else:
        raise KeyboardInterrupt  # a script's background job, where SIGINT is ignored


def main() -> None:
    """The console script. SIGTERM ends a run as Ctrl-C does: kept, and resumable."""
    signal.signal(signal.SIGTERM, _as_interrupt)
    sys.exit(run_main(cli))
