"""`export` and `import-amx`: what a run found, for other tools; and what AMX has already."""

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from amx_kimi.cli.common import KimiCommand, choice_options, complete_runs, store_option, warn
from amx_kimi.wrap import counted, one_line

if TYPE_CHECKING:
    from amx_kimi.journal import Journal, Run

__all__ = ["export"]

_PLAIN = ("json", "jsonl", "csv", "markdown")
_OWN_OPTIONS = {
    "as_section": ("--as", "dbt"),
    "overwrite": ("--overwrite", "dbt"),
    "platform": ("--platform", "datahub"),
    "database": ("--database", "datahub"),
    "platform_instance": ("--platform-instance", "datahub"),
    "env": ("--env", "datahub"),
    "db_profile": ("--db-profile", "amx"),
}


@click.command(cls=KimiCommand)
@click.argument("run", shell_complete=complete_runs)
@click.option(
    "--format",
    "format_",
    type=click.Choice([*_PLAIN, "dbt", "datahub", "amx"]),
    required=True,
    help="What to write.",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file to write (default: stdout). An existing dbt file is merged into.",
)
@choice_options
@click.option(
    "--as",
    "as_section",
    type=click.Choice(["sources", "models"]),
    help="dbt: what tables become that the file does not have (default: sources).",
)
@click.option("--overwrite", is_flag=True, help="dbt: also where a person's text stands.")
@click.option("--platform", metavar="P", help="DataHub: the platform, such as snowflake.")
@click.option("--database", metavar="D", help="DataHub: the database in the tables' names.")
@click.option("--platform-instance", metavar="I", help="DataHub: the platform instance.")
@click.option("--env", metavar="E", help="DataHub: the environment (default: PROD).")
@click.option("--db-profile", metavar="NAME", help="AMX: its name for the database.")
@store_option
def export(run: str, format_: str, out: Path | None, store: str | None, **options: Any) -> int:
    """Write what RUN (an id, or `last`) found for people and for other tools.

    json, jsonl, csv and markdown hold everything, with what was decided and by whom. dbt (a
    schema.yml) and datahub (metadata change proposals) take what was accepted, with --unreviewed
    also what nobody has decided. amx hands everything to AMX's own history, for its review; what
    was accepted waits there for /apply. Each says the model, run, confidence, reviewer, and that a
    text is AI-generated.
    """
    from amx_kimi.cli.results import note_if_going
    from amx_kimi.cli.run import open_journal
    from amx_kimi.journal import meant
    from amx_kimi.settings import Settings

    for name, (option, owner) in _OWN_OPTIONS.items():
        if options[name] and format_ != owner:
            raise click.UsageError(f"{option} is for --format {owner}.")
    with open_journal(store, Settings.from_environment(), create=False) as journal:
        found = journal.read(meant.run_with_results, run)
        note_if_going(found)
        if format_ in (*_PLAIN, "amx") and (options["unreviewed"] or options["min_confidence"]):
            raise click.UsageError(f"--format {format_} holds everything, as it is.")
        if format_ in _PLAIN:
            return _plain(journal, found, format_, out)
        if format_ == "amx":
            if out:
                raise click.UsageError("--format amx writes no file: leave --out out.")
            return _amx(journal, found, options)
        return _catalog(journal, found, format_, out, options)


def _plain(journal: "Journal", run: "Run", format_: str, out: Path | None) -> int:
    from amx_kimi.journal import results
    from amx_kimi.publish.export import FORMATS, open_output

    with open_output(out) if out else nullcontext(sys.stdout) as file:
        FORMATS[format_](file, run, journal.stream(results.described, run.id))
    if out:
        warn(f"Wrote {out}")
    return 0


def _catalog(
    journal: "Journal", run: "Run", format_: str, out: Path | None, options: dict[str, Any]
) -> int:
    from amx_kimi.cli.apply import choice_of
    from amx_kimi.journal import results
    from amx_kimi.publish.datahub import write_datahub
    from amx_kimi.publish.dbt import write_dbt
    from amx_kimi.publish.export import open_output

    choice = choice_of(options)
    rows = journal.stream(results.described, run.id)
    section: Any = options["as_section"] or "sources"
    if format_ == "dbt" and out and out.exists():
        return _merged(run, rows, choice, section, out, overwrite=options["overwrite"])
    problems: list[str] = []
    home = _home(run, options)
    with open_output(out) if out else nullcontext(sys.stdout) as file:
        if format_ == "dbt":
            written = write_dbt(file, run, rows, choice, section)
            count, problems = written.added, written.problems
        else:
            count = write_datahub(file, run, rows, choice, home)
    for problem in problems:
        warn(one_line(problem), label="Left out")
    warn(counted(count, "description") + (f" in {out}" if out else ""))
    _hint(count, options)
    return int(bool(problems))


def _merged(run: "Run", rows: Any, choice: Any, section: Any, out: Path, *, overwrite: bool) -> int:
    from amx_kimi.publish.dbt import merge_dbt
    from amx_kimi.publish.export import open_output

    text, merged = merge_dbt(out, run, rows, choice, section, overwrite=overwrite)
    with open_output(out) as file:
        file.write(text)
    for problem in merged.problems:
        warn(one_line(problem), label="Left alone")
    kept = f"; {counted(merged.kept, 'text')} of people's kept" if merged.kept else ""
    warn(f"{counted(merged.added, 'description')} merged into {out}{kept}")
    return int(bool(merged.problems))


def _home(run: "Run", options: dict[str, Any]) -> Any:
    from dataclasses import replace

    from amx_kimi.publish.datahub import ENVIRONMENTS, home_of

    env = (options["env"] or "PROD").upper()
    if env not in ENVIRONMENTS:
        raise click.BadParameter(
            f"{options['env']!r} is none of {', '.join(ENVIRONMENTS)}", param_hint="--env"
        )
    if options["platform"] and not options["platform"].replace("-", "").replace("_", "").isalnum():
        raise click.BadParameter("letters and digits, such as snowflake", param_hint="--platform")
    found = home_of(run)
    return replace(
        found,
        platform=options["platform"] or found.platform,
        database=found.database if options["database"] is None else options["database"],
        instance=options["platform_instance"] or "",
        env=env,
    )


def _amx(journal: "Journal", run: "Run", options: dict[str, Any]) -> int:
    from importlib.metadata import version

    from amx_kimi.config import load_database
    from amx_kimi.journal import results
    from amx_kimi.publish.amx_history import hand_over
    from amx_kimi.settings import Settings

    kind, _, name = run.source.partition(":")
    profile = options["db_profile"] or (name if kind == "db-profile" else None)
    if profile is None:
        raise click.UsageError("AMX knows databases by its profiles: which one is it? --db-profile")
    settings = Settings.from_environment()
    load_database(profile, settings)  # a name that AMX does not have is a typo
    handed = hand_over(
        *(run, journal.stream(results.described, run.id), settings.config_dir, Path.home()),
        profile=profile,
        version=version("amx-kimi"),
    )
    for problem in handed.problems:
        warn(one_line(problem), label="Left out")
    click.echo(
        f"AMX's run {handed.run} has {counted(handed.suggestions, 'suggestion')}; waiting for its "
        f"/apply: {handed.pending:,} accepted"
    )
    click.echo(f"In AMX: /apply first, then /history review {handed.run} --unevaluated-only")
    return int(bool(handed.problems))


def _hint(count: int, options: dict[str, Any]) -> None:
    if not count and not options["unreviewed"]:
        warn("Nothing of this run is accepted yet: `amx-kimi review` does that, or --unreviewed.")
