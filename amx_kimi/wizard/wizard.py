"""The wizard of `add-llm-profile`: collect a draft, show what it means, try it, save it."""

from collections.abc import Callable, Sequence

import anyio

from amx_kimi.annotate.estimate import estimate_items
from amx_kimi.annotate.job import Job, wanted_by
from amx_kimi.client import KimiClient
from amx_kimi.config import (
    Draft,
    LearnedStore,
    Profile,
    active_profile,
    config_path,
    draft_key,
    draft_of,
    draft_profile,
    find_key,
    load_profile,
    save_draft,
)
from amx_kimi.doctor import Check, ask_once, note_check
from amx_kimi.errors import ConfigError, KeyringError, KimiError, SilenceError, UnreachableError
from amx_kimi.policy import RequestPlan, plan
from amx_kimi.settings import Settings
from amx_kimi.text import counted
from amx_kimi.types import Ask
from amx_kimi.wizard.key import choose_place
from amx_kimi.wizard.questions import QUESTIONS, Asking, Question, shown_path
from amx_kimi.wizard.terminal import Back, Cancelled, Terminal

__all__ = ["add_profile", "after_saving", "ask_all", "collect", "summary"]

_HELP = "Enter accepts the value in [brackets]; < goes back; Ctrl-C leaves without changes."


def add_profile(settings: Settings, name: str = "", *, check: bool = True) -> str | None:
    """Run the whole wizard; returns the saved profile's name, or None if the person gave up.

    Raises:
        ConfigError: a configuration file is broken or cannot be written; nothing is lost.
    """
    terminal = Terminal()
    terminal.say(_HELP)
    try:
        context = Asking(terminal, settings, check)
        draft = collect(context, name)
        while not finish(draft, context):
            terminal.say("Starting over. Enter keeps each answer.")
            draft = ask_all(draft, context, QUESTIONS)
        return draft.name
    except (Cancelled, KeyboardInterrupt):
        terminal.say("\nNothing was saved or changed.")
        return None


def collect(context: Asking, name: str = "") -> Draft:
    """Ask everything that a profile needs. Saves nothing.

    Raises:
        Cancelled: the person gave up.
    """
    return ask_all(draft_of(name, context.settings), context, QUESTIONS)


def ask_all(draft: Draft, context: Asking, questions: Sequence[Question]) -> Draft:
    """Ask these questions in order; `<` returns to the one before.

    Raises:
        Cancelled: the person gave up.
    """
    asked: list[int] = []
    at = 0
    while at < len(questions):
        try:
            changed = questions[at](draft, context)
        except Back:  # to the last question asked, with its answer as the new default
            if asked:
                at = asked.pop()
            else:
                context.terminal.say("  This is the first question; Ctrl-C leaves.")
            continue
        if changed is not None:
            asked.append(at)
            draft = changed
        at += 1
    return draft


def finish(draft: Draft, context: Asking) -> bool:
    """Show what the draft means, try one request, and save; returns whether it was saved.

    Raises:
        Cancelled: the person gave up.
        ConfigError: a file is broken or cannot be written; nothing is lost.
    """
    terminal, settings = context.terminal, context.settings
    profile = draft_profile(draft, settings)
    terminal.say(summary(profile, settings))
    tried = _try_it(draft, profile, terminal, settings) if context.check else None
    failed = tried is not None and tried.state == "failed"
    if failed and not _confirm(terminal, "Save it anyway?", default=False):
        return False
    activate = _is_to_be_active(draft.name, terminal, settings)
    draft = _saved(draft, terminal, settings, activate=activate)
    if tried:
        note_check(profile, settings, tried)
    terminal.say(
        f"✓ Saved LLM profile '{draft.name}' to {shown_path(config_path(settings.config_dir))}"
    )
    for line in after_saving(draft, settings):
        terminal.say(f"  {line}")
    return True


def _confirm(terminal: Terminal, question: str, *, default: bool) -> bool:
    return _without_back(lambda: terminal.confirm(question, default=default))


def _without_back(ask: Callable[[], bool]) -> bool:
    while True:
        try:
            return ask()
        except Back:
            continue


def summary(profile: Profile, settings: Settings) -> str:
    """What one request will look like, and what 1,000 columns will cost (an estimate)."""
    learned = LearnedStore(settings.config_dir).quirks(profile.base_url, profile.model)
    facts = profile.facts(learned)
    planned = plan(profile, facts, settings, Ask((), 3_000, json_mode=True))
    sent = [f"up to {planned.budget:,} tokens of output", _thinking_in_words(planned)]
    temperature = planned.values["temperature"].value
    if temperature is not None:
        sent.append(f"temperature {temperature:g}")
    job = Job(profile, wanted=wanted_by(profile))
    found = estimate_items(1_000, job, facts, settings)
    cost = "price unknown"
    if found.cost is not None:
        cost = f"{found.cost:.2f} {facts.currency}"
    return (
        f"  One request: POST {profile.base_url}/chat/completions\n"
        f"    {facts.wire_model}, {', '.join(sent)}\n"
        f"  1,000 columns (an estimate): {counted(found.requests, 'request')}, "
        f"{found.prompt_tokens:,} + {found.completion_tokens:,} tokens, {cost}"
    )


def _thinking_in_words(planned: RequestPlan) -> str:
    sent = {name: value.value for name, value in planned.values.items()}
    effort = sent.get("reasoning_effort") or (sent.get("reasoning") or {}).get("effort")
    if effort:
        return f"effort {effort}"
    return "thinking" if planned.thinking else "thinking off"


def _try_it(draft: Draft, profile: Profile, terminal: Terminal, settings: Settings) -> Check | None:
    try:
        found = draft_key(draft, settings)
    except ConfigError as error:  # the key's reference leads to no key yet
        terminal.say(f"! Not tried: {error.message.splitlines()[0]}")
        return None

    async def ask() -> Check:
        async with KimiClient(profile, settings, key=found, retries=0, patience=2.0) as client:
            return await ask_once(client)

    terminal.say("  Sending one real test request …")
    try:
        tried = anyio.run(ask)
    except (UnreachableError, SilenceError) as error:
        terminal.say(f"! Not tried: {error.message}")
        return None
    except KimiError as error:
        tried = Check("request", "failed", error.message, error.remedy)
    mark = "✗" if tried.state == "failed" else "✓"
    terminal.say(f"{mark} {tried.detail}")
    if tried.remedy:
        terminal.say(f"  {tried.remedy}".rstrip())
    return tried


def _is_to_be_active(name: str, terminal: Terminal, settings: Settings) -> bool:
    active = active_profile(settings)
    if active in (None, name):
        return True
    question = f"Make it the active profile, instead of '{active}'?"
    return _confirm(terminal, question, default=True)


def _saved(draft: Draft, terminal: Terminal, settings: Settings, *, activate: bool) -> Draft:
    """Save the draft; if the keyring refuses the key, ask for another place. Returns what was
    saved."""
    while True:
        try:
            save_draft(draft, settings, activate=activate)
        except KeyringError as error:
            try:
                draft = choose_place(draft, terminal, settings, error.message)
            except Back:
                continue
        else:
            return draft


def after_saving(draft: Draft, settings: Settings) -> list[str]:
    """Lines that say whether the profile is active, where its key is, and what to run next."""
    active = active_profile(settings)
    profile = load_profile(draft.name, settings)
    return [
        "It is now the active profile."
        if active == draft.name
        else f"The active profile is still '{active}': `amx-kimi use-llm {draft.name}` switches.",
        _where_the_key_is(profile),
        _next(profile, settings, is_active=active == draft.name),
    ]


def _where_the_key_is(profile: Profile) -> str:
    if profile.endpoint.auth == "none":
        return "This endpoint needs no key."
    if profile.overlay.api_key_ref:
        return f"Its key comes from {profile.overlay.api_key_ref} (kimi.yml)."
    if profile.api_key.startswith("keyring:"):
        return f"Its key is in the OS keyring: {profile.api_key}"
    where = "is in config.yml, in plain text" if profile.api_key else "comes from AMX_LLM_API_KEY"
    return f"Its key {where}."


def _next(profile: Profile, settings: Settings, *, is_active: bool) -> str:
    chosen = "" if is_active else f" --profile {profile.name}"
    run = f"amx-kimi run DATABASE{chosen} --dry-run (shows the cost; sends nothing)"
    in_keyring = profile.api_key.startswith("keyring:") and not profile.overlay.api_key_ref
    try:
        if not in_keyring:  # the keyring might ask for its password again
            find_key(profile, settings)
    except ConfigError:
        kind, _, place = profile.overlay.api_key_ref.partition(":")
        variable = place if kind == "env" else "AMX_LLM_API_KEY"
        first = f"put the key into {place}" if kind == "file" else f"export {variable}=…"
        return f"Next: {first}, then {run}"
    return f"Next: {run}"
