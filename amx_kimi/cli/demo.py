"""`amx-kimi demo`: the main job, on a sample database and the stand-in server."""

import click

from amx_kimi.cli.common import INTERRUPTED, KimiCommand, echo_json, say, warn
from amx_kimi.cli.options import json_option
from amx_kimi.text import counted

__all__ = ["demo"]

_SHOWN = 3


@click.command(cls=KimiCommand)
@click.option("--model", default="kimi-k2.6", show_default=True, help="Whose rules to play by.")
@click.option("--all", "all_tables", is_flag=True, help="Show every table, not three.")
@json_option
def demo(model: str, all_tables: bool, as_json: bool) -> int:
    """Describe a sample database: a legacy ERP with cryptic names. Needs no key and no network.

    The answers come from the sandbox, a stand-in that knows abbreviations and rules; they are not
    Kimi's. Requests, tokens and cost are counted as they would be.
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
        "A demo: a sample ERP database, described by a stand-in server on this machine (not Kimi)."
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
            "This was a demo; nothing is left of it. With a Kimi key, describe your own database:\n"
            "  amx-kimi run sqlite:///path/to/your.db   (first: amx-kimi add-llm-profile)"
        )
    return INTERRUPTED if result.interrupted else exit_code(result)
