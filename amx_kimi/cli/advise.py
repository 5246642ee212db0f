"""`amx-kimi advise`: compares profiles for a database, and recommends one."""

import shlex
from typing import TYPE_CHECKING, Any

import click

from amx_kimi.cli.common import KimiCommand, echo_json, open_journal, pasted, say
from amx_kimi.cli.options import (
    LIMITS,
    database_options,
    json_option,
    limit_options,
    prompt_options,
    store_option,
)
from amx_kimi.cli.tables import Column, print_table
from amx_kimi.text import counted

if TYPE_CHECKING:
    from decimal import Decimal

    from amx_kimi.annotate.advise import Advice, Offer
    from amx_kimi.config import Profile
    from amx_kimi.settings import Settings

__all__ = ["advise"]

_COLUMNS = (
    Column(""),
    Column("Profile"),
    Column("Model", rank=2),
    Column("Alternatives", rank=4, right=True),
    Column("Requests", rank=3, right=True),
    Column("Cost"),
    Column("Time", rank=1, right=True),
)


@click.command(cls=KimiCommand)
@database_options
@store_option
@click.option("--all", "all_columns", is_flag=True, help="Include columns that have a comment.")
@prompt_options
@limit_options
@click.option("--no-input", is_flag=True, help="Never ask questions, such as for a password.")
@json_option
def advise(urls: tuple[str, ...], db_profile: str | None, as_json: bool, **options: Any) -> None:
    """Compare profiles for a database, and recommend one.

    Compares the cost and time of your own kimi profiles, and of the presets at the active
    profile's endpoint. All figures are estimates. Nothing is sent.

    The account's limits are those of --tier, else of kimi.yml, else of tier 1.
    """
    from amx_kimi.annotate import advise as advisor
    from amx_kimi.cli.run import job_from
    from amx_kimi.cli.target import find_target
    from amx_kimi.settings import Settings

    settings = Settings.from_environment()
    profiles = _candidates(settings, options)
    target = find_target(urls, db_profile, settings, options)
    jobs = [job_from(profile, options) for profile in profiles]
    with open_journal(options["store"], settings) as journal:
        offers = advisor.advise(jobs, target, journal, settings)
    advice = advisor.recommend(offers)
    if as_json:
        echo_json(_json(advice))
    else:
        _print(advice)


def _candidates(settings: "Settings", options: dict[str, Any]) -> list["Profile"]:
    """The profiles to compare, the active one first. Those that differ only in name count once."""
    from amx_kimi.config import load_presets, load_profile, profile_names, with_limits, with_preset
    from amx_kimi.errors import ConfigError

    active = load_profile(None, settings)
    found = [active]
    for name, provider in profile_names(settings).items():
        if provider == "kimi" and name != active.name:
            try:
                found.append(load_profile(name, settings))
            except ConfigError:  # a broken profile is skipped; `llm-profiles` says why it is broken
                continue
    found += [with_preset(active, preset) for preset in load_presets().values() if preset.portable]
    given = {key: options[key] for key in LIMITS if options[key] is not None}
    kept: dict[Any, Profile] = {}
    for profile in found:
        overlay = profile.overlay
        key = (
            *(profile.model, profile.base_url, profile.n_alternatives, overlay.thinking),
            profile.own_prices,
        )
        if not profile.facts().model.retired_on or not profile.endpoint.own or profile is active:
            stated = given or overlay.tier or overlay.concurrency or overlay.rpm or overlay.tpm
            limits = given if stated else {"tier": 1}
            kept.setdefault((*key, overlay.effort), with_limits(profile, limits))
    return list(kept.values())


def _print(advice: "Advice") -> None:
    first = advice.offers[0]
    asked = counted(first.items, "column or table", "columns and tables")
    click.echo(f"{asked} to ask about, with {first.profile.name}")
    print_table(_COLUMNS, [_cells(offer, offer is advice.best) for offer in advice.offers])
    click.echo(
        f"These are estimates; nothing was sent. Time is limited by {advice.best.bound}. ~ means "
        "that the model's speed is a guess (40 tokens/s)."
    )
    click.echo(f"Recommended: {advice.best.profile.name}")
    for reason in advice.reasons:
        click.echo(f"  {reason}")
    again = f" --escalate {advice.escalate.profile.name}" if advice.escalate else ""
    profile = shlex.quote(advice.best.profile.name)
    say(f"Continue with: amx-kimi run {_as_given()} --profile {profile}{again}")


def _cells(offer: "Offer", best: bool) -> list[str]:
    return [
        "*" if best else "",
        offer.profile.name,
        offer.profile.model,
        str(offer.profile.n_alternatives),
        f"{offer.estimate.requests:,}",
        _cost(offer),
        f"{'' if offer.measured else '~'}{_time(offer.seconds)}",
    ]


def _as_given() -> str:
    """This command's arguments, as far as `run` has the same ones."""
    context = click.get_current_context()
    words = []
    for parameter in context.command.params:
        value = context.params.get(parameter.name or "")
        if not value or parameter.name in ("as_json", "no_input", "yes"):
            continue
        for each in value if isinstance(value, tuple) else (value,):
            if isinstance(parameter, click.Option):
                words.append(parameter.opts[0])
            if each is not True:
                words.append(pasted(str(each)))
    return " ".join(words)


def _cost(offer: "Offer") -> str:
    found = offer.estimate
    if found.least is None or found.most is None:
        return "no price"
    return f"{found.least:.2f} to {found.most:.2f} {offer.currency}"


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5_400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def _figure(amount: "Decimal | None") -> float | None:
    return None if amount is None else float(amount)


def _json(advice: "Advice") -> dict[str, Any]:
    return {
        "recommended": advice.best.profile.name,
        "escalate": advice.escalate.profile.name if advice.escalate else None,
        "reasons": list(advice.reasons),
        "offers": [
            {
                "profile": offer.profile.name,
                "model": offer.profile.model,
                "wordings": offer.profile.n_alternatives,
                "thinks": offer.thinks,
                "items": offer.items,
                "requests": offer.estimate.requests,
                "cost": {
                    "least": _figure(offer.estimate.least),
                    "most": _figure(offer.estimate.most),
                    "currency": offer.currency,
                },
                "seconds": round(offer.seconds, 1),
                "bound": offer.bound,
                "speed_measured": offer.measured,
            }
            for offer in advice.offers
        ],
    }
