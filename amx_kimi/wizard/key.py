"""The wizard's question for the key: hidden input, an immediate check, and where to store it."""

import re
from contextlib import suppress

import anyio

from amx_kimi.client import check_key
from amx_kimi.config import (
    Draft,
    FoundKey,
    KeyChoice,
    absolute_reference,
    clean_key,
    draft_key,
    draft_profile,
    is_short,
    key_file,
    keyring_state,
    load_overlay,
)
from amx_kimi.errors import ConfigError, KeyringError, MissingKeyError
from amx_kimi.facts import EndpointRow, load_catalog
from amx_kimi.settings import Settings
from amx_kimi.text import counted
from amx_kimi.wizard.base import Based, look_for_api
from amx_kimi.wizard.terminal import Back, Terminal

__all__ = ["ask_key", "choose_place"]

_VARIABLE = re.compile(r"\$?\{?[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\}?")


def ask_key(
    draft: Draft, terminal: Terminal, settings: Settings, *, check: bool, inside_amx: bool = False
) -> Draft:
    """Ask for the key until it works, or the person insists on it.

    Inside AMX, which stores the key itself, no references and no other places are offered.

    Raises:
        Back, Cancelled: the person chose so.
    """
    endpoint = _endpoint(draft, settings)
    none = "" if endpoint.own else ", or none"
    references = "" if inside_amx else ", env:NAME or file:/path"
    terminal.say(
        f"  Keys come from {endpoint.keys_from}. Enter the key (hidden){references}{none}."
    )
    default, shown = _present(draft, endpoint, settings)
    while True:
        changed = terminal.ask(
            "API key",
            lambda text: _parse(text, draft, endpoint, references=not inside_amx),
            default=default,
            shown=shown,
            secret=True,
        )
        with suppress(Back):  # back from a question about this answer: ask for the key again
            if (found := _found(changed, terminal, settings)) is None:
                if changed.key.kind in ("reference", "keep") and _insists(terminal, "it"):
                    return changed
                continue
            if not _may_be_sent(found, endpoint, terminal):
                continue
            checked = _checked(changed, found, terminal, settings) if check else changed
            if checked is not None:
                return checked if inside_amx else choose_place(checked, terminal, settings)


def choose_place(draft: Draft, terminal: Terminal, settings: Settings, problem: str = "") -> Draft:
    """Ask where to store a typed key if the OS keyring cannot hold it; else return the draft.

    `problem` says why, if a keyring that looked usable refused.
    """
    state = keyring_state()
    if draft.key.kind != "store" or (state.usable and not problem):
        return draft
    present = str(draft.ours.get("api_key_ref") or "")
    file = key_file(settings.config_dir, draft.name, present)
    terminal.say(
        f"  The OS keyring cannot hold the key: {problem or state.description}.\n"
        f"    1  file     {file}, which only you can read\n"
        "    2  nowhere  you export AMX_LLM_API_KEY in each session\n"
        "    3  config   config.yml, in plain text: anyone who can read your files or backups\n"
        "                has it, and AMX keeps up to five old copies of that file\n"
        "  Plain AMX finds the file only after `amx-kimi enable`. < goes back, to enter\n"
        "  file:/path or env:NAME instead."
    )
    secret = draft.key.secret
    places = {
        "file": KeyChoice("file", secret),
        "nowhere": KeyChoice("blank", secret),
        "config": KeyChoice("clear", secret),
    }

    def parse(text: str) -> KeyChoice:
        name = terminal.pick(list(places), text.lower())
        if name not in places:
            raise ConfigError(f"Answer 1, 2 or 3, or {', '.join(places)}")
        return places[name]

    return draft.with_key(terminal.ask("Where should the key be stored?", parse, default="1"))


def _endpoint(draft: Draft, settings: Settings) -> EndpointRow:
    """The endpoint as the tables have it, whatever the draft says about its key."""
    overlays = load_overlay(settings.config_dir)
    return overlays.endpoint(draft.value("endpoint", ""), draft.value("api_base"))


def _present(draft: Draft, endpoint: EndpointRow, settings: Settings) -> tuple[str, str]:
    """The answer that Enter gives, and how the brackets show it."""
    if draft.key.secret or draft.key.reference:  # back at this question
        return "keep", draft.key.reference or str(draft.key.secret)
    if endpoint.auth == "none" or draft.value("auth") == "none":
        return "none", "none needed"
    try:
        found = draft_key(draft, settings)
    except ConfigError:
        there = draft.value("api_key_ref") or draft.value("api_key")
        return ("keep", f"{there}, where there is no key now") if there else ("", "")
    if draft.new or draft.key.kind == "blank":
        return "keep", f"AMX_LLM_API_KEY, {found.secret}"
    return "keep", f"the current one, {found.secret}"


def _parse(text: str, draft: Draft, endpoint: EndpointRow, *, references: bool) -> Draft:
    if text == "keep":
        return draft
    if text.lower() == "none":
        auth = None if endpoint.auth == "none" else "none"
        return draft.with_key(KeyChoice("blank")).with_overlay(auth=auth)
    auth = None if endpoint.auth == "key" else "key"
    changed = draft.with_overlay(auth=auth)
    if text.startswith(("env:", "file:")):
        if not references:
            raise ConfigError(
                "AMX would use a reference as the key itself",
                remedy="Use amx-kimi add-llm-profile for this profile.",
            )
        return changed.with_key(KeyChoice("reference", reference=absolute_reference(text)))
    if _VARIABLE.fullmatch(text):
        raise ConfigError(
            "That is the name of a variable", remedy="Enter env:NAME to read the key from it."
        )
    if text.startswith(("/", "./", "~/")):
        raise ConfigError("That is a path", remedy="Enter file:PATH to read the key from it.")
    return changed.with_key(KeyChoice("store", clean_key(text)))


def _may_be_sent(found: FoundKey, endpoint: EndpointRow, terminal: Terminal) -> bool:
    """Whether the key may be sent. A short one is never sent to Moonshot, and elsewhere only if
    the person insists."""
    if found.secret is None or not is_short(found.secret):
        return True
    length = counted(len(found.secret.reveal()), "character")
    terminal.say(f"✗ {length}: too short for a key.")
    return not endpoint.own and _insists(terminal, "it")


def _found(draft: Draft, terminal: Terminal, settings: Settings) -> FoundKey | None:
    try:
        return draft_key(draft, settings)
    except (MissingKeyError, KeyringError) as error:
        terminal.say("  " + error.message.replace("\n", "\n  "))
        return None


def _checked(draft: Draft, found: FoundKey, terminal: Terminal, settings: Settings) -> Draft | None:
    """The draft with the base where the key works; None: ask for the key again."""
    based = _with_api(draft, found, terminal, settings)
    draft, report = based.draft, based.report
    profile = draft_profile(draft, settings)
    said = report.in_words(profile.endpoint)
    if report.state == "ok" and report.models:
        subject = f"The key {found.secret} works" if found.secret else "It works without a key"
        terminal.say(f"✓ {subject}: {said}")
        if not report.lists(profile.model):
            terminal.say(f"! {profile.model} is not in its list; the test request will decide.")
        return draft
    if report.state != "refused":
        terminal.say(f"! Not checked: {said}")
        return draft
    terminal.say(f"✗ {said}")
    other = _other_region(profile.endpoint, settings)
    if other and terminal.confirm(
        f"Keys of both regions look alike. Send it to {other.url} to try?", default=False
    ):
        moved = draft.with_fields(api_base=other.url).with_overlay(endpoint=None)
        return _checked_there(draft, moved, found, terminal, settings)
    return draft if _insists(terminal, "this key") else None


def _with_api(draft: Draft, found: FoundKey, terminal: Terminal, settings: Settings) -> Based:
    """The draft, with the longer base if only that is an API and the person agrees."""
    given, longer = look_for_api(draft, found, settings)
    if longer is None:
        return given
    base, with_v1 = given.draft.value("api_base"), longer.draft.value("api_base")
    question = f"{base} lists no models, but {with_v1} is an API. Use that?"
    return longer if terminal.confirm(question, default=True) else given


def _checked_there(
    draft: Draft, moved: Draft, found: FoundKey, terminal: Terminal, settings: Settings
) -> Draft | None:
    profile = draft_profile(moved, settings)
    report = anyio.run(check_key, profile, found, settings)
    if report.state == "ok":
        terminal.say(f"✓ The key works there: {report.in_words(profile.endpoint)}")
        terminal.say(f"  The API base is now {profile.base_url}.")
        return moved
    terminal.say(f"✗ {report.in_words(profile.endpoint)}")
    return draft if _insists(terminal, "this key") else None


def _other_region(endpoint: EndpointRow, settings: Settings) -> EndpointRow | None:
    overlays, name = load_overlay(settings.config_dir), endpoint.other_region
    known = name and (name in overlays.endpoints or load_catalog().endpoint(name))
    return overlays.endpoint(name, None) if known else None


def _insists(terminal: Terminal, what: str) -> bool:
    return terminal.confirm(f"Use {what} anyway?", default=False)
