"""`add-llm-profile`: the wizard in a terminal, or flags for scripts and CI."""

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from amx_kimi.cli.common import KimiCommand, echo_json, say, warn
from amx_kimi.cli.options import complete_profiles, json_option

if TYPE_CHECKING:
    from amx_kimi.client import KeyReport
    from amx_kimi.config import Draft, KeyChoice
    from amx_kimi.settings import Settings

__all__ = ["add_llm_profile"]

_FROM_ENV = {
    "model": "KIMI_DEFAULT_MODEL",
    "api_base": "KIMI_BASE_URL",
    "temperature": "KIMI_TEMPERATURE",
    "max_tokens": "KIMI_MAX_TOKENS",
}
_KEY_VARIABLES = ("KIMI_API_KEY", "MOONSHOT_API_KEY")


@dataclass(frozen=True)
class _Flags:
    """The flags that replace the wizard's questions."""

    model: str | None
    api_base: str | None
    api_key_stdin: bool
    api_key_ref: str | None
    preset: str | None
    from_env: bool

    @property
    def any(self) -> bool:
        """Whether any flag is given, so that the wizard is not needed."""
        return any(vars(self).values())


@click.command("add-llm-profile", cls=KimiCommand)
@click.argument("name", required=False, shell_complete=complete_profiles)
@click.option("--model", metavar="ID", help="The model or an alias; see `amx-kimi models`.")
@click.option("--api-base", metavar="URL", help="The endpoint, by URL or name.")
@click.option(
    "--api-key-stdin", is_flag=True, help="Read the key from stdin and store it in the keyring."
)
@click.option("--api-key-ref", metavar="REF", help="Where the key is: env:NAME or file:PATH.")
@click.option("--preset", metavar="NAME", help="Start from a preset, such as kimi-bulk.")
@click.option(
    "--from-env",
    is_flag=True,
    help=f"Use KIMI_API_KEY (or MOONSHOT_API_KEY), {', '.join(_FROM_ENV.values())}.",
)
@click.option("--activate", is_flag=True, help="Make it the active profile, for AMX too.")
@click.option("--no-check", is_flag=True, help="Save without checking the key at the endpoint.")
@json_option
def add_llm_profile(
    name: str | None, activate: bool, no_check: bool, as_json: bool, **options: Any
) -> int:
    """Add or change an LLM profile in AMX's config.yml.

    In a terminal, without flags, a wizard asks for each value. A key is never given in a flag.

    If the endpoint refuses the key, or a web page answers at its address, nothing is saved and the
    exit code is 2. --no-check saves without checking.
    """
    flags = _Flags(**options)
    if not flags.any and not as_json and sys.stdin.isatty() and sys.stdout.isatty():
        return _wizard(name, check=not no_check)
    if not name:
        raise click.UsageError(
            "Without a terminal, give a name and flags: add-llm-profile NAME --model …"
        )
    return _by_flags(name, flags, activate=activate, check=not no_check, as_json=as_json)


def _wizard(name: str | None, *, check: bool) -> int:
    from amx_kimi.cli.common import INTERRUPTED
    from amx_kimi.config import check_name
    from amx_kimi.settings import Settings
    from amx_kimi.wizard.wizard import add_profile

    settings = Settings.from_environment()
    saved = add_profile(settings, check_name(name) if name else "", check=check)
    return 0 if saved else INTERRUPTED


def _by_flags(name: str, flags: _Flags, *, activate: bool, check: bool, as_json: bool) -> int:
    from amx_kimi.config import (
        active_profile,
        config_path,
        draft_profile,
        is_short,
        keyring_state,
        save_draft,
        unknown_model,
    )
    from amx_kimi.errors import ConfigError, KeyringError
    from amx_kimi.settings import Settings
    from amx_kimi.wizard.wizard import after_saving

    settings = Settings.from_environment()
    draft = _draft(name, flags, settings)
    profile = draft_profile(draft, settings)
    if draft.key.kind == "store" and not (state := keyring_state()).usable:
        raise KeyringError(
            f"The key cannot be stored: {state.description}",
            remedy="Nothing was sent or saved. Use --api-key-ref env:NAME or file:PATH instead.",
        )
    if draft.key.secret and is_short(draft.key.secret) and profile.endpoint.own:
        raise ConfigError("This is too short to be a key", remedy="Nothing was sent or saved.")
    if warning := unknown_model(profile.model):
        warn(warning)
    draft, report = _check(draft, settings) if check else (draft, None)
    first = active_profile(settings) is None
    save_draft(draft, settings, activate=activate or first)
    path = config_path(settings.config_dir)
    if report:
        _remember(draft, report, settings)
    if as_json:
        echo_json(
            {
                "profile": draft.name,
                "model": profile.model,
                "api_base": draft_profile(draft, settings).base_url,
                "check": report.state if report else None,
                "models": len(report.models) if report else None,
                "active": active_profile(settings) == draft.name,
                "config": str(path),
            }
        )
        return 0
    click.echo(f"✓ Saved LLM profile '{draft.name}' to {path}")
    for line in after_saving(draft, settings):
        say(f"  {line}")
    return 0


def _draft(name: str, flags: _Flags, settings: "Settings") -> "Draft":
    """The profile as the flags describe it.

    Each value comes from the first of these that has it: flag, environment, preset, default.
    """
    from amx_kimi.config import (
        check_name,
        draft_of,
        endpoint_url,
        load_overlay,
        load_preset,
        model_id,
    )

    draft = draft_of(check_name(name), settings)
    overlays = load_overlay(settings.config_dir)
    if flags.preset:
        preset = load_preset(flags.preset, overlays)
        draft = draft.with_fields(**preset.profile).with_overlay(**preset.kimi)
    values = _from_environment() if flags.from_env else {}
    if flags.model:
        values["model"] = flags.model
    if flags.api_base:
        values["api_base"] = flags.api_base
    if "model" in values:
        values["model"] = overlays.aliases.get(values["model"], model_id(values["model"]))
    if "api_base" in values:
        values["api_base"] = endpoint_url(values["api_base"], overlays)
        draft = draft.with_overlay(endpoint=None)
    draft = draft.with_fields(**values)
    if not draft.value("model"):
        unset = "KIMI_DEFAULT_MODEL is not set. " if flags.from_env else ""
        raise click.UsageError(f"Which model? {unset}Use --model or --preset.")
    if choice := _key_choice(flags):
        draft = draft.with_key(choice)
    return draft


def _from_environment() -> dict[str, Any]:
    from amx_kimi.config import check_number
    from amx_kimi.settings import read_variable

    found = {field: read_variable(name) for field, name in _FROM_ENV.items()}
    values: dict[str, Any] = {field: text for field, text in found.items() if text}
    for field in ("temperature", "max_tokens"):
        if field in values:
            values[field] = check_number(field, values[field])
    return values


def _key_choice(flags: _Flags) -> "KeyChoice | None":
    from amx_kimi.config import KeyChoice, absolute_reference, clean_key, keyring_state
    from amx_kimi.settings import read_variable

    if flags.api_key_stdin and flags.api_key_ref:
        raise click.UsageError("--api-key-stdin and --api-key-ref cannot be combined")
    if flags.api_key_ref:
        return KeyChoice("reference", reference=absolute_reference(flags.api_key_ref))
    if flags.api_key_stdin:
        typed = click.prompt("API key", hide_input=True) if sys.stdin.isatty() else None
        return KeyChoice("store", clean_key(typed or sys.stdin.read(65_536)))
    if not flags.from_env:
        return None
    for variable in _KEY_VARIABLES:
        if key := read_variable(variable):
            if keyring_state().usable:
                return KeyChoice("store", clean_key(key))
            return KeyChoice("reference", reference=f"env:{variable}")
    warn(f"Neither {' nor '.join(_KEY_VARIABLES)} is set.")
    return None


def _check(draft: "Draft", settings: "Settings") -> "tuple[Draft, KeyReport]":
    """Check the key at the endpoint, and print the result.

    Returns:
        the draft, with the longer API base if only that one is an API, and the result

    Raises:
        KimiError: the key was refused or is missing, or something else than an API answers there.
    """
    from amx_kimi.config import draft_key, draft_profile
    from amx_kimi.errors import NotAnApiError
    from amx_kimi.wizard.base import look_for_api

    given, longer = look_for_api(draft, draft_key(draft, settings), settings)
    draft, report = (longer or given).draft, (longer or given).report
    profile = draft_profile(draft, settings)
    if longer:
        base = given.draft.value("api_base")
        warn(f"{base} lists no models: the API base is {profile.base_url}.")
    # A 404 alone may be that of an API that lists no models.
    is_no_api = isinstance(report.error, NotAnApiError) and report.error.status != 404
    if report.error and (report.state == "refused" or is_no_api):
        report.error.remedy += " Nothing was saved; --no-check saves it anyway."
        raise report.error
    if report.state == "ok" and report.models:
        warn(f"The key works: {report.in_words(profile.endpoint)}")
    else:
        warn(f"Not checked: {report.in_words(profile.endpoint)}")
    row = profile.facts().model
    if row.retired_on and profile.endpoint.own:
        warn(f"{row.id} was retired on {row.retired_on}; its successor is {row.successor}.")
    elif not report.lists(profile.model):
        warn(f"{profile.model} is not in the endpoint's list of models.")
    return draft, report


def _remember(draft: "Draft", report: "KeyReport", settings: "Settings") -> None:
    from amx_kimi.config import draft_profile
    from amx_kimi.doctor import Check, note_check

    if report.state in ("ok", "refused"):
        profile = draft_profile(draft, settings)
        detail = report.in_words(profile.endpoint)
        note_check(profile, settings, Check("key", "ok", detail))
