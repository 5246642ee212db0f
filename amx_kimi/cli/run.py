"""`amx-kimi run`: describe a database."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from amx_kimi.cli.common import KimiCommand, open_journal, warn
from amx_kimi.cli.options import (
    LIMITS,
    chosen,
    complete_profiles,
    complete_runs,
    database_options,
    json_option,
    limit_options,
    profile_or_preset_option,
    prompt_options,
    store_option,
)
from amx_kimi.cli.spend import amount, spend_of

if TYPE_CHECKING:
    from amx_kimi.annotate.ending import Result
    from amx_kimi.annotate.job import Job
    from amx_kimi.annotate.run import RunSpec
    from amx_kimi.config import Profile
    from amx_kimi.journal import Journal
    from amx_kimi.settings import Settings

__all__ = ["job_from", "run"]


class _RunCommand(KimiCommand):
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        # click would take the URL after a bare --only-changed as its value.
        bare = "--only-changed"
        with_value = [f"{bare}=schema" if arg == bare else arg for arg in args]
        return super().parse_args(ctx, with_value)


@click.command(cls=_RunCommand)
@database_options
@profile_or_preset_option
@store_option
@click.option("--all", "all_columns", is_flag=True, help="Include columns that have a comment.")
@click.option(
    "--only-changed",
    type=click.Choice(["schema", "data"]),
    metavar="[=data]",
    help="Only columns that are new, or whose type changed, since earlier runs; also lists the "
    "changes. With =data, also columns whose data changed.",
)
@click.option(
    "--no-shared",
    is_flag=True,
    help="Ask about technical columns (such as created_at) in each table, not once for all.",
)
@click.option(
    "--keep-known",
    is_flag=True,
    help="Reuse descriptions of earlier runs with another model, style or number of alternatives.",
)
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Describe at most N columns.")
@prompt_options
@click.option(
    "--keep-markup",
    is_flag=True,
    help="Keep links and markup in the model's texts (default: remove them).",
)
@click.option("--dry-run", is_flag=True, help="Show requests, tokens and cost; send nothing.")
@click.option(
    "--max-cost",
    metavar="X",
    help="Stop before more than X is spent, in the endpoint's currency.",
)
@limit_options
@click.option(
    "--escalate",
    metavar="PROFILE",
    shell_complete=complete_profiles,
    help="Ask again about low-confidence results, with this profile or preset.",
)
@click.option(
    "--resume",
    metavar="RUN",
    shell_complete=complete_runs,
    help="Resume a run (an id, or `last`).",
)
@click.option("--no-input", is_flag=True, help="Never ask questions, such as for a password.")
@json_option
def run(urls: tuple[str, ...], db_profile: str | None, resume: str | None, **options: Any) -> int:
    """Describe the columns that have no comment yet.

    URL is one of these:

    \b
    - a SQLAlchemy URL: postgresql://user@host/db, mysql://user@host/db,
      sqlite:///erp.db, duckdb:///dwh.duckdb, and those of Snowflake,
      BigQuery, Databricks, Redshift, SQL Server, Oracle, ClickHouse, Trino
      and others (docs/databases.md)
    - the path of a SQLite or DuckDB file
    - data files, each of them a table: data/*.parquet, .csv, .json, or a
      folder of them

    Without a URL, AMX's active database profile is used. Passwords are better kept out of the URL:
    use AMX's database profile, or the variables and files of the database's own clients
    (PGPASSWORD, ~/.pgpass, MYSQL_PWD, SNOWFLAKE_PASSWORD, DATABRICKS_TOKEN and others).

    The descriptions go to the journal: see `show` and `export`. What an earlier run described is
    not asked again.

    Exit codes: 0 all described, 1 some failed, 2 usage or configuration, 3 the cost cap was
    reached, 130 interrupted.
    """
    from amx_kimi.annotate.run import RunSpec
    from amx_kimi.cli.target import find_target
    from amx_kimi.settings import Settings

    options["max_cost"] = amount(options["max_cost"])
    settings = Settings.from_environment()
    with open_journal(options["store"], settings) as journal:
        if resume:
            return _resume(journal, resume, urls, db_profile, settings, options)
        profile = _load_profile(options["profile"], settings, options)
        job = job_from(profile, options)
        target = find_target(urls, db_profile, settings, options)
        if options["dry_run"] and options["escalate"]:
            raise click.UsageError(
                "--escalate cannot be combined with --dry-run: low-confidence results are not "
                "known in advance."
            )
        spec = RunSpec(job, target, journal, settings)
        if options["dry_run"]:
            return _dry_run(spec, as_json=options["as_json"])
        return _execute(spec, options)


def _resume(
    journal: "Journal",
    name: str,
    urls: tuple[str, ...],
    db_profile: str | None,
    settings: "Settings",
    options: dict[str, Any],
) -> int:
    from amx_kimi.annotate.opening import job_of
    from amx_kimi.annotate.run import RunSpec
    from amx_kimi.cli.target import target_of
    from amx_kimi.errors import ConfigError
    from amx_kimi.journal import runs

    if any(options[key] for key in _FIXED):
        raise click.UsageError("--resume keeps the run's own options; remove the others.")
    found = journal.read(runs.find_run, name)
    profile = _load_profile(options["profile"] or found.profile, settings, options)
    if profile.model != found.model:  # the journal attributes all answers of a run to one model
        raise ConfigError(
            f"Run {found.id} was started with {found.model}, but the profile {profile.name!r} now "
            f"has {profile.model}",
            remedy="Resume it with a profile for that model (--profile), or start a new run.",
        )
    target = target_of(found, urls, db_profile, settings, options)
    spec = RunSpec(job_of(found, profile), target, journal, settings, resume=found)
    return _execute(spec, options)


_FIXED = (  # options that a resumed run keeps
    *("schemas", "tables", "all_columns", "limit", "language", "batch_size", "dry_run"),
    *("only_changed", "no_shared", "no_samples", "names_only", "profile_data", "context"),
    *(
        "keep_known",
        "keep_markup",
        "with_extensions",
        "csv_encoding",
        "csv_separator",
        "csv_header",
    ),
)


def _load_profile(name: str | None, settings: "Settings", options: dict[str, Any]) -> "Profile":
    """The profile, with the limits that the command line gives."""
    from amx_kimi.config import find_profile, with_limits

    given = {key: options[key] for key in LIMITS if options[key] is not None}
    profile = with_limits(find_profile(name, settings), given)
    row = profile.facts().model
    if row.retired_on and profile.endpoint.own:
        warn(
            f"{row.id} was retired on {row.retired_on} at Moonshot's own endpoints; asking it "
            f"anyway. Its successor is {row.successor}."
        )
    return profile


def job_from(profile: "Profile", options: dict[str, Any]) -> "Job":
    """The job that the options of `run` (or `payload`) ask for."""
    from amx_kimi.annotate.context import load_context
    from amx_kimi.annotate.job import Job, wanted_by

    selection, csv = chosen(options)
    return Job(
        profile=profile,
        selection=selection,
        csv=csv,
        wanted=wanted_by(
            profile, options["language"] or "", markup=options.get("keep_markup", False)
        ),
        all_columns=options["all_columns"],
        limit=options.get("limit"),
        only_changed=options.get("only_changed") or "",
        keep_known=options.get("keep_known", False),
        share=not options.get("no_shared", False),
        batch_size=options["batch_size"],
        samples=not options["no_samples"],
        names_only=options["names_only"],
        profile_data=options["profile_data"],
        context=load_context(options["context"]),
    )


def _execute(spec: "RunSpec", options: dict[str, Any]) -> int:
    from amx_kimi.cli.outcome import report
    from amx_kimi.errors import KimiError

    profile = spec.job.profile
    stronger = _stronger(profile, spec.settings, options) if options["escalate"] else None
    result = _watched(spec, options)
    again, failure = None, None
    if stronger and not result.stopped and not result.interrupted:
        try:
            again = _ask_again(result, spec, stronger, options)
        except (KimiError, click.Abort) as error:  # raised after the first run's report
            failure = error
    code = report(
        result,
        profile,
        as_json=options["as_json"],
        store=options["store"],
        again=again,
        cap=options["max_cost"],
    )
    if failure:
        warn("Low-confidence results were not asked again.", label="Note")
        raise failure
    return code


def _watched(spec: "RunSpec", options: dict[str, Any]) -> "Result":
    from amx_kimi.annotate.run import execute
    from amx_kimi.cli.progress import watch

    profile = spec.job.profile
    facts, endpoint = profile.facts(), profile.endpoint
    # Nothing is billed per request at an own endpoint without a currency, or without a key.
    billed = endpoint.auth == "key" and bool(endpoint.currency or not endpoint.own)
    if facts.prices is None and billed:
        warn(
            f"The cost is unknown, because there is no price for {profile.model} here. Set "
            "custom_input_cost_per_mtok and custom_output_cost_per_mtok in the profile.",
            label="Note",
        )
    spend = spend_of(profile, options)
    with watch(facts.currency) as shown:
        return execute(replace(spec, spend=spend), shown)


def _stronger(profile: "Profile", settings: "Settings", options: dict[str, Any]) -> "Profile":
    """The profile to escalate to; checked, with its key, before anything is paid for."""
    from amx_kimi.config import find_key
    from amx_kimi.errors import ConfigError

    found = _load_profile(options["escalate"], settings, options)
    if (found.model, found.overlay) == (profile.model, profile.overlay):
        raise ConfigError(
            f"--escalate {found.name} has the same model and settings as the run",
            remedy="Choose a stronger one; see `amx-kimi models`.",
        )
    currencies = {found.facts().currency, profile.facts().currency}
    if options["max_cost"] is not None and len(currencies) > 1:
        raise ConfigError(
            "--max-cost cannot cover two currencies",
            remedy="Remove --escalate, and use it afterwards: run --resume RUN --escalate NAME.",
        )
    find_key(found, settings)
    return found


def _ask_again(
    result: "Result", spec: "RunSpec", stronger: "Profile", options: dict[str, Any]
) -> "Result | None":
    """A second run over the low-confidence results, whose answers replace them."""
    from amx_kimi.errors import BudgetError
    from amx_kimi.journal.again import count_low, spent_again

    job, journal = spec.job, spec.journal
    low = journal.read(count_low, result.run)
    if not low:
        warn("No result had low confidence; nothing is asked again.", label="Note")
        return None
    left = options["max_cost"]
    if left is not None:
        left -= (result.totals.cost or 0) + journal.read(spent_again, result.run)
        if left <= 0:
            raise BudgetError(f"{low:,} had low confidence, but nothing is left of --max-cost")
    asked = f"{stronger.name} ({stronger.model})"
    warn(f"{low:,} had low confidence; asking {asked}", label="Note")
    wanted = replace(job.wanted, alternatives=stronger.n_alternatives)
    second = replace(
        job,
        profile=stronger,
        wanted=wanted,
        again_of=result.run,
        only_changed="",
        limit=None,
    )
    return _watched(replace(spec, job=second, resume=None), {**options, "max_cost": left})


def _dry_run(spec: "RunSpec", *, as_json: bool) -> int:
    from amx_kimi.annotate.run import dry_run
    from amx_kimi.cli.outcome import report_estimate

    report_estimate(dry_run(spec), spec.job.profile.facts().currency, as_json=as_json)
    return 0
