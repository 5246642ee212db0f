"""The command line. `amx-kimi --help` imports none of litellm, httpx, sqlalchemy, prompt_toolkit.

The click group is the registry of commands; `session` runs them with a slash. `run` and `demo` do
work; `runs` and `results` read the journal, `prune` tidies it; `review` decides, `apply`, `export`
and `report` publish; `profiles` reads the configuration, `add_profile` and `changes` write it;
`check` tries it out; `amx` is for Kimi inside AMX; `sandbox` stands in for the service; `tables`
lays out what is printed.
"""

import difflib
import signal
import sys

import click

from amx_kimi.cli.add_profile import add_llm_profile
from amx_kimi.cli.advise import advise
from amx_kimi.cli.amx import amx, disable, enable, status
from amx_kimi.cli.apply import apply
from amx_kimi.cli.changes import (
    alias,
    remove_llm_profile,
    rename_llm_profile,
    set_llm_profile,
    use_llm,
)
from amx_kimi.cli.check import doctor, explain
from amx_kimi.cli.common import KimiCommand, run_main
from amx_kimi.cli.completion import completion
from amx_kimi.cli.coverage import check
from amx_kimi.cli.demo import demo
from amx_kimi.cli.export import export
from amx_kimi.cli.import_amx import import_amx
from amx_kimi.cli.models import models
from amx_kimi.cli.payload import payload
from amx_kimi.cli.profiles import llm_profiles
from amx_kimi.cli.prune import delete, journal
from amx_kimi.cli.report import report
from amx_kimi.cli.results import show
from amx_kimi.cli.review import review
from amx_kimi.cli.run import run
from amx_kimi.cli.runs import runs, usage
from amx_kimi.cli.sandbox import sandbox
from amx_kimi.conceal import shown

__all__ = ["cli", "main"]


class _Group(click.Group):
    command_class = KimiCommand

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(self.commands)  # in the order of a first visit, not of the alphabet

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if not (ctx.resilient_parsing or name.startswith("-") or self.get_command(ctx, name)):
            near = difflib.get_close_matches(name, self.commands, 3)
            hint = f" Did you mean {' or '.join(near)}?" if near else ""
            ctx.fail(f"No such command {shown(name)}.{hint}")
        return super().resolve_command(ctx, args)


@click.group(
    cls=_Group,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="amx-kimi", prog_name="amx-kimi")
@click.pass_context
def cli(context: click.Context) -> None:
    """Describe the tables and columns of your databases with Kimi (Moonshot AI).

    Try `amx-kimi demo` first: it needs no key, no database and no network. Without a command, a
    terminal gets a session, where the same commands begin with a slash.
    """
    if context.invoked_subcommand is not None:
        return
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        click.echo(context.get_help())
        context.exit(2)
    from amx_kimi.cli.session import open_session

    context.exit(open_session(cli))


for _command in (
    demo,
    advise,
    run,
    runs,
    show,
    review,
    apply,
    export,
    report,
    check,
    import_amx,
    usage,
    journal,
    payload,
    add_llm_profile,
    llm_profiles,
    use_llm,
    set_llm_profile,
    rename_llm_profile,
    remove_llm_profile,
    models,
    alias,
    explain,
    doctor,
    amx,
    enable,
    disable,
    status,
    sandbox,
    completion,
):
    cli.add_command(_command)
runs.add_command(delete)


def _as_interrupt(*_: object) -> None:
    if callable(signal.getsignal(signal.SIGINT)):
        signal.raise_signal(signal.SIGINT)
    else:
        raise KeyboardInterrupt  # a script's background job, where SIGINT is ignored


def main() -> None:
    """The console script. SIGTERM ends a run as Ctrl-C does: kept, and resumable."""
    signal.signal(signal.SIGTERM, _as_interrupt)
    sys.exit(run_main(cli))
