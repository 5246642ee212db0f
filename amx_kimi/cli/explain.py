"""`explain`: shows what a request would send, and why."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from amx_kimi.cli.common import KimiCommand, echo_json
from amx_kimi.cli.options import json_option, profile_option

if TYPE_CHECKING:
    from amx_kimi.config import Profile
    from amx_kimi.policy import RequestPlan

__all__ = ["explain"]

_PROMPT_TOKENS = 3_000  # about what a batch of 60 columns takes


@click.command(cls=KimiCommand)
@profile_option
@json_option
def explain(profile: str | None, as_json: bool) -> None:
    """Show what one request would send, and why.

    Each value of a request to describe columns is shown with its reason. Nothing is sent.
    """
    from amx_kimi.config import LearnedStore, load_profile
    from amx_kimi.facts import HABITS
    from amx_kimi.policy import plan
    from amx_kimi.settings import Settings
    from amx_kimi.types import Ask

    settings = Settings.from_environment()
    loaded = load_profile(profile, settings)
    learned = LearnedStore(settings.config_dir).quirks(loaded.base_url, loaded.model)
    facts = loaded.facts(learned)
    ask = Ask((), _PROMPT_TOKENS, json_mode=True, cache_key="amx-kimi-RUN")
    planned = plan(loaded, facts, settings, ask)
    retry = _retry_text(planned)
    if as_json:
        echo_json(_explained(loaded, planned))
        return
    click.echo(f"Profile {loaded.name}: {facts.wire_model} at {loaded.base_url}")
    api = facts.quirks.get("api_base")
    base = api.value if api else loaded.base_url
    click.echo(f"POST {base}/chat/completions, for a prompt of {_PROMPT_TOKENS:,} tokens")
    for name, value in planned.values.items():
        shown = "–" if value.value is None else _short(value.value)
        _echo_row(name, shown, value.reason)
    for name, quirk in facts.quirks.items():
        if name not in planned.values:
            shown = "–" if quirk.value is None else str(quirk.value)
            about = HABITS.get(name, "refused")
            _echo_row(name, shown, f"{about}, learned on {quirk.learned_on}")
    click.echo(f"  on length              {retry}")
    click.echo(f"Settings that change this: {', '.join(_variables())}")


def _echo_row(name: str, value: str, reason: str) -> None:
    click.echo(f"  {name:<22} {value:<26}  {reason}")


def _explained(loaded: "Profile", planned: "RequestPlan") -> dict[str, Any]:
    return {
        "profile": loaded.name,
        "endpoint": loaded.base_url,
        "thinking": planned.thinking,
        "budget": planned.budget,
        "retry_budget": planned.retry_budget,
        "values": {
            name: {"value": value.value, "sent": value.value is not None, "reason": value.reason}
            for name, value in planned.values.items()
        },
    }


def _retry_text(planned: "RequestPlan") -> str:
    if planned.retry_budget is None:
        return "no retry: the budget is already the largest that fits"
    return f"asked again once with {planned.retry_budget:,} tokens, if the answer is empty"


def _variables() -> Mapping[str, str]:
    from amx_kimi.settings import VARIABLES

    return VARIABLES


def _short(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
