"""`amx-kimi export`: writes the results of a run for people and other tools."""

import sys
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from amx_kimi.cli.common import KimiCommand, open_journal, warn
from amx_kimi.cli.options import (
    choice_options,
    complete_runs,
    schema_option,
    store_option,
    table_option,
)
from amx_kimi.cli.output import mode_option, output
from amx_kimi.text import counted, one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from amx_kimi.journal import Described, Run
    from amx_kimi.publish.dbt import Merged

__all__ = ["export"]

_PLAIN = ("json", "jsonl", "csv", "markdown")
_OWN_OPTIONS = {
    "as_section": ("--as", "dbt"),
    "overwrite": ("--overwrite", "dbt"),
    "only_existing": ("--only-existing", "dbt"),
    "project": ("--project", "dbt"),
    "strict": ("--strict", "dbt"),
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
    help="The format to write.",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file to write (default: stdout). An existing dbt file is merged into; any other file"
    " is replaced.",
)
@table_option
@schema_option
@choice_options
@click.option(
    "--as",
    "as_section",
    type=click.Choice(["sources", "models"]),
    help="dbt: write tables that the file does not have as these (default: sources).",
)
@click.option("--overwrite", is_flag=True, help="dbt: also replace text that people wrote.")
@click.option("--only-existing", is_flag=True, help="dbt: add no tables or columns to the file.")
@click.option(
    "--project",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="dbt: the project folder; what its other files describe is not repeated (default: the"
    " project of --out).",
)
@click.option("--strict", is_flag=True, help="dbt: exit code 1 if something was skipped.")
@click.option("--platform", metavar="P", help="DataHub: the platform, such as snowflake.")
@click.option("--database", metavar="D", help="DataHub: the database part of table names.")
@click.option("--platform-instance", metavar="I", help="DataHub: the platform instance.")
@click.option("--env", metavar="E", help="DataHub: the environment (default: PROD).")
@click.option("--db-profile", metavar="NAME", help="AMX: its profile for the database.")
@mode_option
@store_option
def export(run: str, format_: str, out: Path | None, store: str | None, **options: Any) -> int:
    """Export results to a file, dbt, DataHub or AMX.

    RUN is the id of a run, or `last`. Formats:

    \b
    - json, jsonl, csv, markdown: everything, with what was decided and by
      whom
    - dbt (a schema.yml), datahub (metadata change proposals): what was
      accepted; with --unreviewed also undecided items
    - amx: everything, into AMX's own history for its review; accepted texts
      wait there for /apply

    Each format names the model, run, confidence and reviewer, and marks texts as AI-generated.
    """
    from amx_kimi.cli.show import note_if_going, rows_of
    from amx_kimi.journal import meant
    from amx_kimi.settings import Settings

    for name, (option, owner) in _OWN_OPTIONS.items():
        if options[name] and format_ != owner:
            raise click.UsageError(f"{option} requires --format {owner}.")
    with open_journal(store, Settings.from_environment(), create=False) as journal:
        found = journal.read(meant.run_with_results, run)
        note_if_going(found)
        if format_ in (*_PLAIN, "amx") and (options["unreviewed"] or options["min_confidence"]):
            raise click.UsageError(
                f"--format {format_} always exports everything: remove --unreviewed and "
                "--min-confidence."
            )
        if format_ == "amx" and (options["tables"] or options["schemas"]):
            raise click.UsageError(
                "--format amx always exports the whole run: remove --table and --schema."
            )
        rows = rows_of(journal, found, options["schemas"], options["tables"])
        if format_ in _PLAIN:
            return _plain(rows, found, format_, out)
        if format_ == "amx":
            if out:
                raise click.UsageError("--format amx writes no file: remove --out.")
            return _amx(rows, found, options)
        if format_ == "dbt":
            return _dbt(rows, found, out, options)
        return _datahub(rows, found, out, options)


def _plain(rows: "Iterator[Described]", run: "Run", format_: str, out: Path | None) -> int:
    from amx_kimi.publish.export import FORMATS

    with output(out) if out else nullcontext(sys.stdout) as file:
        FORMATS[format_](file, run, rows)
    if out:
        warn(f"Wrote {out}")
    return 0


def _datahub(
    rows: "Iterator[Described]", run: "Run", out: Path | None, options: dict[str, Any]
) -> int:
    from amx_kimi.cli.apply import choice_of
    from amx_kimi.publish.datahub import write_datahub

    choice, home = choice_of(options), _home(run, options)
    with output(out) if out else nullcontext(sys.stdout) as file:
        count = write_datahub(file, run, rows, choice, home)
    warn(counted(count, "description") + (f" in {out}" if out else ""))
    _hint(count, run, options)
    return 0


def _dbt(rows: "Iterator[Described]", run: "Run", out: Path | None, options: dict[str, Any]) -> int:
    from amx_kimi.cli.apply import choice_of
    from amx_kimi.publish.dbt import (
        MergeRules,
        merge_dbt,
        project_around,
        read_project,
        write_dbt,
    )

    choice = choice_of(options)
    section: Any = options["as_section"] or "sources"
    folder = options["project"] or (project_around(out) if out else None)
    project = read_project(folder, without=out) if folder else None
    is_there = bool(out and out.is_file())
    if options["only_existing"] and not is_there:
        raise click.UsageError("--only-existing requires an existing dbt file: --out FILE.")
    if out and is_there:
        rules = MergeRules(run, choice, section, options["overwrite"], options["only_existing"])
        text, done = merge_dbt(out, rows, rules, project)
        is_news = text.encode() != out.read_bytes()
        if is_news:
            with output(out) as file:
                file.write(text)
    else:
        is_news = True
        opened = output(out) if out else nullcontext(sys.stdout)
        with suppress(_NothingToWrite), opened as file:
            done = write_dbt(file, run, rows, choice, section, project)
            if out and not done.added:
                raise _NothingToWrite  # then no file appears
    verb = "written to"
    if is_there:
        verb = "merged into" if is_news else "already in"
    where = f" {verb} {out}" if out else ""
    if out and not is_there and not done.added:
        where = f": {out} was not written"
    _say_done(done, where)
    if not done.problems:
        _hint(done.added + done.kept + done.absent, run, options)
    return int(options["strict"] and bool(done.problems))


def _say_done(done: "Merged", where: str) -> None:
    for warning in done.warnings:
        warn(one_line(warning), label="Warning")
    for problem in done.problems:
        warn(one_line(problem), label="Skipped")
    kept = f"; {counted(done.kept, 'text')} written by people kept" if done.kept else ""
    absent = f"; {counted(done.absent, 'item')} without an entry there" if done.absent else ""
    warn(f"{counted(done.added, 'description')}{where}{kept}{absent}")


class _NothingToWrite(Exception):
    pass


def _home(run: "Run", options: dict[str, Any]) -> Any:
    from dataclasses import replace

    from amx_kimi.publish.datahub import ENVIRONMENTS, home_of

    env = (options["env"] or "PROD").upper()
    if env not in ENVIRONMENTS:
        raise click.BadParameter(
            f"{options['env']!r} is not one of {', '.join(ENVIRONMENTS)}", param_hint="--env"
        )
    platform = options["platform"]
    if platform and not platform.replace("-", "").replace("_", "").isalnum():
        raise click.BadParameter(
            "use letters and digits, such as snowflake", param_hint="--platform"
        )
    found = home_of(run)
    return replace(
        found,
        platform=platform or found.platform,
        database=found.database if options["database"] is None else options["database"],
        instance=options["platform_instance"] or "",
        env=env,
    )


def _amx(rows: "Iterator[Described]", run: "Run", options: dict[str, Any]) -> int:
    from importlib.metadata import version

    from amx_kimi.config import load_database
    from amx_kimi.publish.amx_history import hand_over
    from amx_kimi.settings import Settings

    kind, _, name = run.source.partition(":")
    profile = options["db_profile"] or (name if kind == "db-profile" else None)
    if profile is None:
        raise click.UsageError("Which of AMX's database profiles? Use --db-profile NAME.")
    settings = Settings.from_environment()
    load_database(profile, settings)  # raises if AMX has no profile of this name
    handed = hand_over(
        *(run, rows, settings.config_dir, Path.home()),
        profile=profile,
        version=version("amx-kimi"),
    )
    for problem in handed.problems:
        warn(one_line(problem), label="Skipped")
    click.echo(
        f"AMX's run {handed.run} has {counted(handed.suggestions, 'suggestion')}; "
        f"{handed.pending:,} accepted, waiting for its /apply"
    )
    click.echo(f"In AMX: /apply first, then /history review {handed.run} --unevaluated-only")
    return int(bool(handed.problems))


def _hint(count: int, run: "Run", options: dict[str, Any]) -> None:
    from amx_kimi.cli.apply import none_accepted

    if not count and not options["unreviewed"]:
        is_part = options["tables"] or options["schemas"]
        warn(none_accepted(run, "these tables" if is_part else "this run"))
