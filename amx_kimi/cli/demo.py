"""`amx-kimi demo`: describes a sample database, with the sandbox in place of Kimi."""

import click

from amx_kimi.cli.common import INTERRUPTED, KimiCommand, echo_json, say, warn
from amx_kimi.cli.options import json_option
from amx_kimi.text import counted

__all__ = ["demo"]

_SHOWN = 3


@click.command(cls=KimiCommand)
@click.option("--model", default="kimi-k2.6", show_default=True, help="The model to imitate.")
@click.option("--all", "all_tables", is_flag=True, help="Show all tables, not just three.")
@json_option
def demo(model: str, all_tables: bool, as_json: bool) -> int:
    """Describe a sample database; needs no key or network.

    The database is a legacy ERP with cryptic names. The answers come from the sandbox, a stand-in
    server that answers by rules; they are not Kimi's. Requests, tokens and cost are counted as for
    Kimi.
    """
    from amx_kimi.annotate.job import Job
    from amx_kimi.annotate.opening import Target
    from amx_kimi.annotate.run import RunSpec, execute
    from amx_kimi.cli.outcome import exit_code, in_words, summary
    from amx_kimi.cli.progress import watch
    from amx_kimi.cli.show import print_tables
    from amx_kimi.config import journal_path, load_profile
    from amx_kimi.demo import set_stage
    from amx_kimi.journal import Journal, results

    warn(
        "Demo: describes a sample ERP database, with a stand-in server on this machine (not Kimi)."
    )
    with set_stage(model) as stage:
        profile = load_profile(settings=stage.settings)
        with Journal(journal_path(stage.folder)) as journal:
            target = Target(f"sqlite:///{stage.database}")
            with watch("USD") as shown:
                result = execute(RunSpec(Job(profile), target, journal, stage.settings), shown)
            if not as_json:
                rows = journal.stream(results.described, result.run)
                more = print_tables(rows, most=None if all_tables else _SHOWN)
                if more:
                    say(f"… and {counted(more, 'more table')}: amx-kimi demo --all\n")
    if as_json:
        echo_json(summary(result))
    else:
        click.echo(in_words(result, profile))
        say(
            "This was a demo; it leaves no files. With a Kimi key, describe your own database:\n"
            "  amx-kimi run sqlite:///path/to/your.db   (first: amx-kimi add-llm-profile)"
        )
    return INTERRUPTED if result.interrupted else exit_code(result)
