"""How a run ended: in words, as JSON, as an exit code."""

import traceback
from typing import TYPE_CHECKING, Any

import click

from amx_kimi.cli.common import INTERRUPTED, Invocation, echo_json, pasted, say, warn
from amx_kimi.errors import BudgetError
from amx_kimi.text import counted

if TYPE_CHECKING:
    from decimal import Decimal

    from amx_kimi.annotate.ending import Result
    from amx_kimi.annotate.estimate import Estimate
    from amx_kimi.config import Profile
    from amx_kimi.journal import Totals

__all__ = ["exit_code", "in_words", "known_in_words", "report", "report_estimate", "summary"]


def report(
    result: "Result",
    profile: "Profile",
    *,
    as_json: bool,
    store: str | None,
    again: "Result | None" = None,
    cap: "Decimal | None" = None,
) -> int:
    """Print how a run ended, what asking `again` brought, and the command that resumes it with the
    same `cap`; returns the exit code."""
    both = [result, again] if again else [result]
    same = f" --store {pasted(store)}" if store else ""
    last = both[-1]
    capped = f" --max-cost {cap}" if cap else ""
    resume = f"amx-kimi run --resume {last.run}{capped}{same}"
    if as_json:
        echo_json({**summary(result), **({"escalated": summary(again)} if again else {})})
    else:
        for one in both:
            say(in_words(one, profile))
        if not last.interrupted and not last.stopped:
            say(f"See them: amx-kimi show {result.run}{same}")
    for note in [note for one in both for note in one.notes]:
        warn(note, label="Note")
    if last.interrupted:
        is_whole = last.totals.described and not exit_code(last)
        how = "Interrupted, but all was described." if is_whole else "Interrupted."
        warn(how if is_whole else f"{how} Resume with: {resume}")
        return INTERRUPTED
    totals = result.totals
    if totals.tables_described < totals.tables:
        without = counted(totals.tables - totals.tables_described, "table")
        warn(f"Without a description: {without}")
    if last.stopped:
        if click.get_current_context().ensure_object(Invocation).debug:
            traceback.print_exception(last.stopped)
        warn(str(last.stopped), label="Stopped")
        if isinstance(last.stopped, BudgetError):
            resume = f"amx-kimi run --resume {last.run} --max-cost MORE{same}"
        warn(f"Results so far are kept. Resume with: {resume}")
        return last.stopped.exit_code
    if any(one.totals.failed for one in both):
        why = last.why_failed or result.why_failed
        because = f" ({why.rstrip('.')})" if why and as_json else ""  # else printed above already
        warn(f"Retry failed columns{because} with: {resume}")
    return max(exit_code(one) for one in both)


def exit_code(result: "Result") -> int:
    """0 when everything was described, else 1."""
    totals = result.totals
    whole = totals.described == totals.columns and totals.tables_described == totals.tables
    return 0 if whole else 1


def summary(result: "Result") -> dict[str, Any]:
    """The run in figures, as `--json` prints them."""
    totals = result.totals
    return {
        "run": result.run,
        "status": result.status,
        "error": str(result.stopped) if result.stopped else None,
        "columns": totals.columns,
        "described": totals.described,
        "reused": totals.reused,
        "inherited": totals.inherited,
        "shared": totals.shared,
        "deferred": totals.deferred,
        "failed": totals.failed,
        "requests": totals.requests,
        "retries": totals.retries,
        "tokens": {
            "prompt": totals.prompt,
            "cached": totals.cached,
            "completion": totals.completion,
            "reasoning": totals.reasoning,
        },
        "cost": {
            "amount": float(totals.cost) if totals.cost is not None else None,
            "currency": result.currency,
        },
        "seconds": round(result.seconds, 3),
        "notes": list(result.notes),
    }


def in_words(result: "Result", profile: "Profile") -> str:
    totals = result.totals
    free = [f"{totals.reused:,} from earlier runs"] if totals.reused else []
    free += [f"{totals.inherited:,} inherited from dbt"] if totals.inherited else []
    free += [f"{totals.shared:,} shared with another table"] if totals.shared else []
    reused = f" ({', '.join(free)})" if free else ""
    columns, tables = counted(totals.columns, "column"), counted(totals.tables, "table")
    retries = counted(totals.retries, "retry", "retries")
    since = " since resuming" if result.resumed else ""
    unknown = f"; unknown for {counted(totals.uncertain, 'request')}" if totals.uncertain else ""
    lines = [
        f"Run {result.run}: {totals.described:,} of {columns} described{reused}, "
        f"and {totals.tables_described:,} of {tables}",
        f"Requests: {totals.requests:,} ({retries}) in {result.seconds:.1f} s{since}",
        f"Tokens: {totals.prompt:,} prompt ({totals.cached:,} cached), "
        f"{totals.completion:,} completion ({totals.reasoning:,} of them reasoning){unknown}",
        f"Cost: {_cost_in_words(result, profile)}",
    ]
    if totals.requests and not _kept(totals):
        lines.append("These requests brought no usable descriptions")
    if totals.deferred:
        lines.append(f"Not asked: {counted(totals.deferred, 'column')}, beyond --limit")
    if totals.failed:
        why = f" ({result.why_failed})" if result.why_failed else ""
        lines.append(
            f"Failed: {counted(totals.failed, 'column')}{why}; `amx-kimi show {result.run}` shows "
            "each reason"
        )
    return "\n".join(lines)


def _kept(totals: "Totals") -> int:
    """How many descriptions this run's own requests brought."""
    columns = totals.described - totals.reused - totals.inherited - totals.shared
    return max(columns, 0) + totals.tables_described


def _cost_in_words(result: "Result", profile: "Profile") -> str:
    totals = result.totals
    if totals.cost is None:
        return "unknown: there is no price for this model at this endpoint"
    notes = []
    if profile.own_prices is None and (when := profile.facts().model.date):
        notes.append(f"prices of {when}")
    if profile.endpoint.list_prices and profile.own_prices is None:
        notes.append("an estimate, at the maker's list prices")
    if totals.uncertain:
        unknown = counted(totals.uncertain, "request")
        notes.append(f"{unknown} of unknown usage counted at the worst case")
    noted = f" ({'; '.join(notes)})" if notes else ""
    return f"{totals.cost:.4f} {result.currency}{noted}"


def report_estimate(found: "Estimate", currency: str | None, *, as_json: bool) -> None:
    """Print what a run would ask, and its tokens and cost."""
    if as_json:
        echo_json(_estimate_json(found, currency))
        return
    cost = "no price is known"
    if found.cost is not None and found.least is not None and found.most is not None:
        bounds = f"{found.least:.4f} to {found.most:.4f} {currency}"
        cost = f"{bounds}, {found.cost:.4f} expected"
    click.echo(
        f"Nothing was sent. This run would ask about {found.in_words} "
        f"({found.reused:,} more known from earlier runs, {found.shared:,} with a shared answer), "
        f"in about {counted(found.requests, 'request')}\n"
        f"Tokens (an estimate): {found.prompt_tokens:,} prompt, "
        f"{found.completion_tokens:,} completion\nCost (an estimate): {cost}"
    )
    if found.one is not None:
        click.echo(
            f"--max-cost must be at least {found.one:.4f} {currency} (the worst case of one "
            "request)"
        )
    if found.known:
        warn(f"{known_in_words(found.known)}.", label="Note")
    for note in found.notes:
        warn(note, label="Note")


def known_in_words(known: int) -> str:
    """Says that `known` columns need not be paid for again."""
    verb, those = ("was", "it") if known == 1 else ("were", "them")
    return f"{known:,} of them {verb} described with other settings; --keep-known reuses {those}"


def _estimate_json(found: "Estimate", currency: str | None) -> dict[str, Any]:
    return {
        "columns": found.columns,
        "asked": found.asked,
        "tables": found.tables,
        "known": found.known,
        "reused": found.reused,
        "shared": found.shared,
        "requests": found.requests,
        "tokens": {"prompt": found.prompt_tokens, "completion": found.completion_tokens},
        "cost": {
            "amount": float(found.cost) if found.cost is not None else None,
            "least": float(found.least) if found.least is not None else None,
            "most": float(found.most) if found.most is not None else None,
            "currency": currency,
            "one_request_at_worst": float(found.one) if found.one is not None else None,
        },
        "notes": list(found.notes),
        "estimate": True,
    }
