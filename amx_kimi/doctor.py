"""`doctor`: checks everything from the configuration to one real request, with remedies."""

from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from amx_kimi.client import KimiClient
from amx_kimi.config import (
    FoundKey,
    LearnedStore,
    Profile,
    config_path,
    find_key,
    keyring_state,
    load_overlay,
    load_profile,
    profile_names,
)
from amx_kimi.errors import AuthenticationError, ConfigError, KimiError, ServiceError
from amx_kimi.facts import HABITS, model_key
from amx_kimi.settings import Settings
from amx_kimi.text import counted
from amx_kimi.tokens import count_messages
from amx_kimi.types import Ask, Message

_LONGEST_OK = 20  # characters

__all__ = ["Check", "ask_once", "examine", "note_check"]


@dataclass(frozen=True)
class Check:
    """The result of one step. A `note` is no failure; `remedy` says what to do."""

    name: str
    state: Literal["ok", "note", "failed"]
    detail: str
    remedy: str = ""


async def examine(profile_name: str | None) -> AsyncIterator[Check]:
    """Run the checks in order. They end at a failure that makes the later ones impossible."""
    try:
        settings = Settings.from_environment()
        profile = load_profile(profile_name, settings)
    except KimiError as error:
        yield _failed("configuration", error)
        return
    yield Check(
        "configuration", "ok", f"profile {profile.name} in {config_path(settings.config_dir)}"
    )
    strays = set(load_overlay(settings.config_dir).profiles) - set(profile_names(settings))
    if strays:
        detail = f"profiles that are not in config.yml: {', '.join(sorted(strays))}"
        yield Check("kimi.yml", "note", detail, "Their settings have no effect. Is this a typo?")
    yield _check_keyring()
    try:
        key = find_key(profile, settings)
    except KimiError as error:
        yield _failed("key", error)
        return
    yield _check_key(key)
    try:
        opened = KimiClient(profile, settings, retries=1, patience=2.0)
    except KimiError as error:
        yield _failed("endpoint", error)
        return
    async with opened as client:
        async for check in _ask_service(client, profile):
            yield check
            if check.state == "failed" or check.name == "request":
                note_check(profile, settings, check)


def _check_keyring() -> Check:
    state = keyring_state()
    if state.usable:
        return Check("keyring", "ok", state.description)
    remedy = "Keys can also come from AMX_LLM_API_KEY, or from api_key_ref in kimi.yml."
    return Check("keyring", "note", state.description, remedy)


def _check_key(key: FoundKey) -> Check:
    if key.secret is None:
        return Check("key", "ok", key.where)
    shown = f"{key.secret} from {key.where}"
    if not key.secret.reveal().startswith("sk-"):
        return Check("key", "note", shown, "Kimi's keys start with sk-. Is this the right key?")
    if "in plain text" in key.where:
        remedy = "Leave api_key blank there and use api_key_ref in kimi.yml, or the keyring."
        return Check("key", "note", shown, remedy)
    return Check("key", "ok", shown)


async def _ask_service(client: KimiClient, profile: Profile) -> AsyncIterator[Check]:
    try:
        served = [str(row.get("id")) for row in await client.models()]
    except AuthenticationError as error:
        yield _failed("endpoint", error)
        return
    except ServiceError as error:
        yield Check("endpoint", "note", f"{profile.base_url} lists no models ({error.status})")
        served = []
    except KimiError as error:
        yield _failed("endpoint", error)
        return
    else:
        listed = counted(len(served), "model")
        yield Check("endpoint", "ok", f"{profile.base_url} lists {listed}")
    yield _check_model(client, served)
    try:
        check = await ask_once(client)
    except KimiError as error:
        check = _failed("request", error)
    habits = [_habit(name, quirk.value) for name, quirk in client.facts.quirks.items()]
    if habits:
        yield Check("learned", "note", "; ".join(habits), "`amx-kimi explain` shows what is sent.")
    yield check


def _check_model(client: KimiClient, served: list[str]) -> Check:
    row = client.facts.model
    listed = model_key(row.id) in {model_key(model) for model in served}
    if row.retired_on and client.facts.endpoint.own:
        detail = f"{row.id} was retired on {row.retired_on}"
        return Check("model", "note", detail, f"Its successor is {row.successor}.")
    if served and not listed:
        return Check(
            "model",
            "note",
            f"{row.id} is not in the endpoint's list",
            "`amx-kimi models --refresh` lists its models. The request below decides.",
        )
    known = "" if client.facts.known else "; not in amx-kimi's table, treated like its family"
    return Check("model", "ok", f"{row.id}, context {row.context:,}{known}")


async def ask_once(client: KimiClient) -> Check:
    """Send one real request, as small as possible.

    Raises:
        KimiError: it was refused, or failed on the way.
    """
    question: list[Message] = [{"role": "user", "content": "Reply with OK."}]
    ask = Ask(question, count_messages(question), label="doctor", holds=_is_ok)
    reply = await client.chat(ask)
    if not reply.content.strip():
        return Check(
            "request",
            "failed",
            "the answer has no visible characters",
            "Raise AMX_LLM_MIN_MAX_TOKENS, or lower AMX_REASONING_EFFORT.",
        )
    cost = ""
    if reply.cost is not None:
        cost = f", {reply.cost:.6f} {client.facts.currency}"
    seconds = sum(attempt.seconds for attempt in reply.attempts)
    return Check(
        "request",
        "ok",
        f"{reply.usage.prompt} + {reply.usage.completion} tokens in {seconds:.1f} s{cost}",
    )


def _habit(name: str, value: object) -> str:
    has_value = isinstance(value, str | int) and value is not True
    shown = f" ({value})" if has_value else ""
    return f"{name}: {HABITS.get(name, 'refused')}{shown}"


def _is_ok(text: str) -> bool:
    return len(text) <= _LONGEST_OK and "ok" in text.lower()


def note_check(profile: Profile, settings: Settings, check: Check) -> None:
    """Remember the result for `llm-profiles`; ignored if the file cannot be written."""
    with suppress(ConfigError):
        LearnedStore(settings.config_dir).note_check(
            profile.name, profile.base_url, profile.model, check.state != "failed", check.detail
        )


def _failed(name: str, error: KimiError) -> Check:
    return Check(name, "failed", error.message, error.remedy)
