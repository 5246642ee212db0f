"""The wizard's question for the key: asked hidden, checked at once, and where it is to live."""

from contextlib import suppress

import anyio

from amx_kimi.client import KeyReport, check_key
from amx_kimi.config import (
    Draft,
    FoundKey,
    KeyChoice,
    absolute_reference,
    clean_key,
    draft_key,
    draft_profile,
    keyring_state,
    load_overlay,
)
from amx_kimi.errors import ConfigError, KeyringError, MissingKeyError
from amx_kimi.facts import EndpointRow, load_catalog
from amx_kimi.settings import Settings
from amx_kimi.wizard.terminal import Back, Terminal

__all__ = ["ask_key", "choose_place"]


def ask_key(
    draft: Draft, terminal: Terminal, settings: Settings, *, check: bool, inside_amx: bool = False
) -> Draft:
    """Ask for the key until it works, or the person insists on it.

    Inside AMX, which keeps the key, there is no reference to it and no choice of its place.

    Raises:
        Back, Cancelled: as the person wished.
    """
    endpoint = _endpoint(draft, settings)
    none = "" if endpoint.own else ", or none"
    references = "" if inside_amx else "; env:NAME and file:/path do too"
    terminal.say(f"  From {endpoint.keys_from}. Hidden{references}{none}.")
    default, shown = _present(draft, endpoint, settings)
    while True:
        changed = terminal.ask(
            "API key",
            lambda text: _parse(text, draft, endpoint, references=not inside_amx),
            default=default,
            shown=shown,
            secret=True,
        )
        with suppress(Back):  # from a question about this answer: to the answer itself
            if (found := _found(changed, terminal, settings)) is None:
                if changed.key.kind in ("reference", "keep") and _insists(terminal, "it"):
                    return changed
                continue
            checked = _checked(changed, found, terminal, settings) if check else changed
            if checked is not None:
                return checked if inside_amx else choose_place(checked, terminal)


def choose_place(draft: Draft, terminal: Terminal, problem: str = "") -> Draft:
    """Where a typed key is to live when the OS keyring cannot hold it; else the draft as it is.

    `problem` says why, when a keyring that looks usable refused.
    """
    state = keyring_state()
    if draft.key.kind != "store" or (state.usable and not problem):
        return draft
    terminal.say(
        f"  The OS keyring cannot hold the key: {problem or state.description}.\n"
        "    1  keep it nowhere: you export AMX_LLM_API_KEY in each session\n"
        "    2  in config.yml in clear: whoever can read your files or backups has it,\n"
        "       and AMX keeps up to five old copies of that file\n"
        "  < goes back, to answer with file:/path or env:NAME instead."
    )
    places = {
        "1": KeyChoice("blank", draft.key.secret),
        "2": KeyChoice("clear", draft.key.secret),
    }

    def parse(text: str) -> KeyChoice:
        if text not in places:
            raise ConfigError("Answer 1 or 2")
        return places[text]

    return draft.with_key(terminal.ask("Where is the key to live", parse, default="1"))


def _endpoint(draft: Draft, settings: Settings) -> EndpointRow:
    """The endpoint by the tables, whatever the draft says of its key."""
    overlays = load_overlay(settings.config_dir)
    return overlays.endpoint(draft.value("endpoint", ""), draft.value("api_base"))


def _present(draft: Draft, endpoint: EndpointRow, settings: Settings) -> tuple[str, str]:
    """What Enter answers, and how the brackets show it."""
    if draft.key.secret or draft.key.reference:  # back at this question
        return "keep", draft.key.reference or str(draft.key.secret)
    if endpoint.auth == "none" or draft.value("auth") == "none":
        return "none", "none needed"
    try:
        found = draft_key(draft, settings)
    except ConfigError:
        there = draft.value("api_key_ref") or draft.value("api_key")
        return ("keep", f"{there}, which holds none now") if there else ("", "")
    if draft.new or draft.key.kind == "blank":
        return "keep", f"AMX_LLM_API_KEY, {found.secret}"
    return "keep", f"the present one, {found.secret}"


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
                "AMX takes a reference for the key itself",
                remedy="Use amx-kimi add-llm-profile for this profile.",
            )
        return changed.with_key(KeyChoice("reference", reference=absolute_reference(text)))
    return changed.with_key(KeyChoice("store", clean_key(text)))


def _found(draft: Draft, terminal: Terminal, settings: Settings) -> FoundKey | None:
    try:
        return draft_key(draft, settings)
    except (MissingKeyError, KeyringError) as error:
        terminal.say("  " + error.message.replace("\n", "\n  "))
        return None


def _checked(draft: Draft, found: FoundKey, terminal: Terminal, settings: Settings) -> Draft | None:
    """The draft with the base where the key works; None: ask for the key again."""
    draft, report = _ask_around(draft, found, settings)
    profile = draft_profile(draft, settings)
    if report.state == "ok":
        subject = f"The key {found.secret} works" if found.secret else "It answers without a key"
        terminal.say(f"✓ {subject}: {report.in_words(profile.endpoint)}")
        if not report.lists(profile.model):
            terminal.say(f"! {profile.model} is not in its list; the test request will tell.")
        return draft
    if report.state != "refused":
        terminal.say(f"! Not checked: {report.in_words(profile.endpoint)}")
        return draft
    terminal.say(f"✗ {report.in_words(profile.endpoint)}")
    other = _other_region(profile.endpoint, settings)
    if other and terminal.confirm(
        f"Keys of both regions look alike. Send it to {other.url} to try?", default=False
    ):
        moved = draft.with_fields(api_base=other.url).with_overlay(endpoint=None)
        return _checked_there(draft, moved, found, terminal, settings)
    return draft if _insists(terminal, "this key") else None


def _checked_there(
    draft: Draft, moved: Draft, found: FoundKey, terminal: Terminal, settings: Settings
) -> Draft | None:
    profile = draft_profile(moved, settings)
    report = anyio.run(check_key, profile, found, settings)
    if report.state == "ok":
        terminal.say(f"✓ The key works there: {report.in_words(profile.endpoint)}")
        terminal.say(f"  The API base is {profile.base_url} now.")
        return moved
    terminal.say(f"✗ {report.in_words(profile.endpoint)}")
    return draft if _insists(terminal, "this key") else None


def _ask_around(draft: Draft, found: FoundKey, settings: Settings) -> tuple[Draft, KeyReport]:
    """Check at the draft's base; where nothing is listed, at its `/v1` too, on the same host."""
    profile = draft_profile(draft, settings)
    report = anyio.run(check_key, profile, found, settings)
    if report.state == "unlisted" and profile.endpoint.name == "any":
        longer = draft.with_fields(api_base=f"{profile.base_url}/v1")
        second = anyio.run(check_key, draft_profile(longer, settings), found, settings)
        if second.state in ("ok", "refused"):
            return longer, second
    return draft, report


def _other_region(endpoint: EndpointRow, settings: Settings) -> EndpointRow | None:
    overlays, name = load_overlay(settings.config_dir), endpoint.other_region
    known = name and (name in overlays.endpoints or load_catalog().endpoint(name))
    return overlays.endpoint(name, None) if known else None


def _insists(terminal: Terminal, what: str) -> bool:
    return terminal.confirm(f"Use {what} all the same?", default=False)
