"""The wizard's questions, in AMX's documented order. Each takes a draft and returns a changed one,
or None if it does not apply."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from amx_kimi.conceal import shown
from amx_kimi.config import (
    Draft,
    check_name,
    check_number,
    draft_of,
    draft_profile,
    endpoint_url,
    load_overlay,
    model_id,
    near_model,
    near_name,
    profile_names,
)
from amx_kimi.errors import ConfigError
from amx_kimi.facts import ModelRow, load_catalog
from amx_kimi.facts.rows import Mode
from amx_kimi.policy import FLOOR, plan
from amx_kimi.settings import Settings
from amx_kimi.types import Ask
from amx_kimi.wizard.key import ask_key
from amx_kimi.wizard.terminal import Terminal

__all__ = ["AMX_QUESTIONS", "QUESTIONS", "Asking", "Question", "shown_path"]

_USUAL_MODEL = "kimi-k2.6"
_MODES: Mapping[str, tuple[Mode, ...]] = {
    "always": ("thinking",),
    "never": ("chat",),
    "optional": ("thinking", "chat"),
}
"""The modes in which a model may be asked, by its `thinking`."""


@dataclass(frozen=True)
class Asking:
    """What every question may need. Without `check`, the key is sent nowhere. With `inside_amx`,
    AMX stores the key and fields, so settings of kimi.yml are not asked for."""

    terminal: Terminal
    settings: Settings
    check: bool = True
    inside_amx: bool = False


Question = Callable[[Draft, Asking], Draft | None]


def _name(draft: Draft, context: Asking) -> Draft:
    kimi = {n: "" for n, provider in profile_names(context.settings).items() if provider == "kimi"}

    def parse(text: str) -> Draft:
        name = check_name(text)
        named = draft if name == draft.name else draft_of(name, context.settings)
        return named.with_fields(provider="kimi")

    changed = context.terminal.ask("Profile name", parse, default=draft.name, choices=kimi)
    if not changed.new:
        context.terminal.say(f"  {changed.name} exists; Enter keeps each of its values.")
    return changed


def _provider(draft: Draft, context: Asking) -> None:
    """Shown, because AMX asks for it here; not asked, because there is only one."""
    context.terminal.say(f"Provider: {draft.value('provider', 'kimi')} (Moonshot AI)")


def _model(draft: Draft, context: Asking) -> Draft:
    catalog, aliases = load_catalog(), load_overlay(context.settings.config_dir).aliases
    live = [row for row in catalog.models if row.live]
    rows = [*live, *(row for row in catalog.models if not row.live)]
    listed = [row.id for row in live if not row.endpoints]
    present = draft.value("model", _USUAL_MODEL)
    context.terminal.say("  Enter a number or a name; other models are possible:")
    for number, name in enumerate(listed, 1):
        about = f"{name:<24} {in_short(catalog.model(name))}"
        context.terminal.say(_shortened(f"  {number:>2}  {about}"))

    def parse(text: str) -> str:
        typed = context.terminal.pick(listed, text)
        model = aliases.get(typed, model_id(typed))
        return model if model == present else context.terminal.near(model, near_model(model))

    model = context.terminal.ask(
        "Model",
        parse,
        default=present,
        choices={row.id: in_short(row) for row in rows},
    )
    row = catalog.model(model)
    if row.retired_on:
        context.terminal.say(
            f"  Moonshot retired {row.id} on {row.retired_on}; its successor is {row.successor}.\n"
            "  Other hosts still serve it. < goes back to choose another one."
        )
    elif not catalog.knows(model):
        context.terminal.say(f"  {model} is not in amx-kimi's table; its price is unknown.")
    return draft.with_fields(model=model)


def in_short(row: ModelRow) -> str:
    """A model's context, price and when to pick it, or when it was retired."""
    if row.retired_on:
        return f"retired {row.retired_on}, successor {row.successor}"
    usd = row.prices.get("USD")
    price = "by plan"
    if usd:
        price = f"${usd.miss:g}/{usd.output:g}"
    context = f"{row.context // 1024:,}K"
    if row.context >= 1 << 20:
        context = f"{row.context >> 20}M"
    return f"{context:>4} {price:<10} {row.pick}"


def _shortened(line: str) -> str:
    if len(line) <= 79:
        return line
    return f"{line[:78].rsplit(' ', 1)[0]} …"


def _api_base(draft: Draft, context: Asking) -> Draft:
    overlays, terminal = load_overlay(context.settings.config_dir), context.terminal
    known = [r for r in load_catalog().endpoints if r.url and r.protocol == "openai"]
    places = {row.name: row for row in known} | dict(overlays.endpoints)
    terminal.say("  Enter a number, name or URL. A key of one does not work at another:")
    for number, (name, row) in enumerate(places.items(), 1):
        about = f"{name:<18} {row.url:<32} {row.keys_from}"
        terminal.say(_shortened(f"  {number:>2}  {about}"))

    def parse(text: str) -> str:
        typed = terminal.pick(list(places), text)
        is_name = typed not in places and not re.search(r"[/.:]", typed)
        meant = near_name(typed, places) if is_name else ""
        return endpoint_url(terminal.near(typed, meant), overlays)

    url = terminal.ask(
        "API base",
        parse,
        default=draft.value("api_base") or overlays.usual_for(str(draft.value("model", ""))).url,
        choices={row.url: f"{name}: {row.region}" for name, row in places.items()},
    )
    changed = draft.with_fields(api_base=url)
    named = draft.value("endpoint")
    if named and overlays.endpoint(named, None).url != url:
        changed = changed.with_overlay(endpoint=None)
    return changed


def _key(draft: Draft, context: Asking) -> Draft:
    return ask_key(
        draft,
        context.terminal,
        context.settings,
        check=context.check,
        inside_amx=context.inside_amx,
    )


def _temperature(draft: Draft, context: Asking) -> Draft | None:
    model = draft_profile(draft, context.settings).facts().model
    if all(mode in model.temperature for mode in _MODES[model.thinking]):
        context.terminal.say("  The temperature of this model is fixed, so it is never sent.")
        return None
    value = context.terminal.ask(
        "Temperature",
        lambda text: check_number("temperature", text),
        default=f"{draft.value('temperature', 0.2):g}",
    )
    return draft.with_fields(temperature=value)


def _max_tokens(draft: Draft, context: Asking) -> Draft:
    profile = draft_profile(draft, context.settings)
    if plan(profile, profile.facts(), context.settings, Ask((), 1_000)).thinking:
        floor = context.settings.min_max_tokens or FLOOR
        context.terminal.say(
            f"  {profile.model} thinks before it answers, so it gets at least {floor:,}\n"
            "  (the floor of reasoning routes; AMX_LLM_MIN_MAX_TOKENS changes it)."
        )
    value = context.terminal.ask(
        "Output token budget (max_tokens)",
        lambda text: check_number("max_tokens", text),
        default=str(draft.value("max_tokens", 4096)),
    )
    return draft.with_fields(max_tokens=value)


def _alternatives(draft: Draft, context: Asking) -> Draft:
    value = context.terminal.ask(
        "Number of alternatives per column",
        lambda text: check_number("n_alternatives", text),
        default=str(draft.value("n_alternatives", 3)),
    )
    return draft.with_fields(n_alternatives=value)


def _effort(draft: Draft, context: Asking) -> Draft | None:
    model = draft_profile(draft, context.settings).facts().model
    if model.thinking == "never" or model.effort.dialect == "none":
        return None
    if model.effort.dialect == "thinking":
        return _thinking(draft, context) if model.thinking == "optional" else None
    allowed = model.effort.values or ("low", "medium", "high")

    def parse(text: str) -> Draft:
        if text not in allowed:
            raise ConfigError(f"{shown(text)} is not one of {', '.join(allowed)}")
        same = text == draft.value("effort", "low")
        return draft if same else draft.with_overlay(effort=text)

    label = f"Reasoning effort ({', '.join(allowed)})"
    return context.terminal.ask(label, parse, default=draft.value("effort", "low"))


def _thinking(draft: Draft, context: Asking) -> Draft:
    profile = draft_profile(draft, context.settings)
    # AMX_REASONING_EFFORT of this shell must not decide what the profile says.
    usual = replace(context.settings, effort=None)
    now = plan(profile, profile.facts(), usual, Ask((), 1_000)).thinking

    def parse(text: str) -> Draft:
        if text.lower() not in ("on", "off"):
            raise ConfigError("Answer on or off")
        on = text.lower() == "on"
        return draft if on == now else draft.with_overlay(thinking=on)

    return context.terminal.ask(
        "Thinking before the answer, more expensive and slower (off, on)",
        parse,
        default="on" if now else "off",
    )


QUESTIONS: tuple[Question, ...] = (
    _name,
    _provider,
    _model,
    _api_base,
    _key,
    _temperature,
    _max_tokens,
    _alternatives,
    _effort,
)
"""All questions, in order."""


AMX_QUESTIONS: tuple[Question, ...] = (
    *(_model, _api_base, _key, _temperature, _max_tokens, _alternatives),
)
"""The questions that are asked inside AMX's own wizard."""


def shown_path(path: Path) -> str:
    """A path with `~` for the home folder."""
    home = Path.home()
    return f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path)
