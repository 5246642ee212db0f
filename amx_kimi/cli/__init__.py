"""The command line. `amx-kimi --help` imports none of litellm, httpx, sqlalchemy, prompt_toolkit.

The click group is the registry of commands; `session` runs them with a slash. A command is in the
file of its name, with these exceptions:

- `llm_profiles` has the five commands that manage LLM profiles
- `runs` has `usage` too, and `journal` has `runs delete`
- `amx` has the four commands for Kimi inside AMX

`common`, `options` and `target` hold what commands share. `main` turns errors into messages and
exit codes. `tables`, `progress` and `outcome` print what people see. `review` has its screen in
`review_screen`, `review_view` and `review_actions`; `run` has its cost limits in `spend`; `output`
opens the files that commands write.
"""

import difflib
import signal
import sys

import click

from amx_kimi.cli.add_llm_profile import add_llm_profile
from amx_kimi.cli.advise import advise
from amx_kimi.cli.alias import alias
from amx_kimi.cli.amx import amx, disable, enable, status
from amx_kimi.cli.apply import apply
from amx_kimi.cli.check import check
from amx_kimi.cli.common import KimiCommand
from amx_kimi.cli.completion import completion
from amx_kimi.cli.demo import demo
from amx_kimi.cli.doctor import doctor
from amx_kimi.cli.explain import explain
from amx_kimi.cli.export import export
from amx_kimi.cli.import_amx import import_amx
from amx_kimi.cli.journal import delete, journal
from amx_kimi.cli.llm_profiles import (
    llm_profiles,
    remove_llm_profile,
    rename_llm_profile,
    set_llm_profile,
    use_llm,
)
from amx_kimi.cli.main import run_main
from amx_kimi.cli.models import models
from amx_kimi.cli.payload import payload
from amx_kimi.cli.report import report
from amx_kimi.cli.review import review
from amx_kimi.cli.run import run
from amx_kimi.cli.runs import runs, usage
from amx_kimi.cli.sandbox import sandbox
from amx_kimi.cli.show import show
from amx_kimi.conceal import shown

__all__ = ["cli", "main"]


SECTIONS = {
    "Describe": (demo, advise, run, runs, show, usage, journal),
    "Decide and publish": (review, apply, export, report),
    "Profiles": (
        *(add_llm_profile, llm_profiles, use_llm, set_llm_profile, rename_llm_profile),
        *(remove_llm_profile, models, alias),
    ),
    "AMX and LiteLLM": (amx, enable, disable, status, import_amx),
    "Look and check": (explain, payload, doctor, check, sandbox, completion),
}
"""The commands by purpose, in the order in which a new user needs them."""


class _Group(click.Group):
    command_class = KimiCommand

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(self.commands)  # as in SECTIONS; click would sort them by name

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands by purpose."""
        width = max(map(len, self.commands))
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl(
                    [
                        (f"{command.name:<{width}}", command.get_short_help_str(formatter.width))
                        for command in commands
                    ]
                )

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

    Try `amx-kimi demo` first: it needs no key, no database and no network.

    Without a command, amx-kimi opens a session in a terminal. There, the same commands begin with
    a slash.
    """
    if context.invoked_subcommand is not None:
        return
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        click.echo(context.get_help())
        context.exit(2)
    from amx_kimi.cli.session import open_session

    context.exit(open_session(cli))


for _commands in SECTIONS.values():
    for _command in _commands:
        cli.add_command(_command)
runs.add_command(delete)


def _as_interrupt(*_: object) -> None:
    if callable(signal.getsignal(signal.SIGINT)):
        signal.raise_signal(signal.SIGINT)
    else:
        raise KeyboardInterrupt  # SIGINT is ignored, as in a script's background job


def main() -> None:
    """The console script. SIGTERM ends a run like Ctrl-C: results are kept, and it can resume."""
    signal.signal(signal.SIGTERM, _as_interrupt)
    sys.exit(run_main(cli))
