"""`use-llm`, `remove-`, `rename-`, `set-llm-profile` and `alias`: changing what is there."""

from typing import TYPE_CHECKING

import click

from amx_kimi.cli.common import KimiCommand, complete_profiles, echo_json, json_option, warn
from amx_kimi.wrap import counted

if TYPE_CHECKING:
    from amx_kimi.settings import Settings

__all__ = ["alias", "remove_llm_profile", "rename_llm_profile", "set_llm_profile", "use_llm"]


@click.command("use-llm", cls=KimiCommand)
@click.argument("name", shell_complete=complete_profiles)
def use_llm(name: str) -> None:
    """Make NAME the active LLM profile, for AMX too."""
    from amx_kimi.config import profile_names, use_profile
    from amx_kimi.settings import Settings

    settings = Settings.from_environment()
    use_profile(settings, name)
    warn(f"Active LLM profile: {name}")
    if (provider := profile_names(settings)[name]) != "kimi":
        warn(f"Its provider is {provider!r}: amx-kimi's own commands want a kimi profile.")


@click.command("remove-llm-profile", cls=KimiCommand)
@click.argument("name", shell_complete=complete_profiles)
@click.option("--yes", is_flag=True, help="Do not ask.")
def remove_llm_profile(name: str, yes: bool) -> int:
    """Remove the LLM profile NAME, its settings in kimi.yml and its key in the OS keyring."""
    import sys

    from amx_kimi.config import remove_profile
    from amx_kimi.settings import Settings

    if not yes and not sys.stdin.isatty():
        raise click.UsageError("Without a terminal, removing wants --yes")
    if not yes:
        click.confirm(f"Remove the LLM profile {name!r}, and its key?", abort=True)
    removed = remove_profile(Settings.from_environment(), name)
    keys = f", and {counted(removed.secrets, 'key')} from the OS keyring" if removed.secrets else ""
    file = f", and its key's file {removed.key_file}" if removed.key_file else ""
    warn(f"Removed the LLM profile {name!r}{keys}{file}.")
    if removed.active:
        warn(f"Active LLM profile: {removed.active}")
    if removed.problem:
        warn(f"Its key could not be removed from the OS keyring: {removed.problem}", label="Error")
        warn(f"Run `amx-kimi remove-llm-profile {name}` again when the keyring is there.")
    return 1 if removed.problem else 0


@click.command("rename-llm-profile", cls=KimiCommand)
@click.argument("old", shell_complete=complete_profiles)
@click.argument("new")
def rename_llm_profile(old: str, new: str) -> None:
    """Rename the LLM profile OLD to NEW, with its settings in kimi.yml and its key."""
    from amx_kimi.config import rename_profile
    from amx_kimi.settings import Settings

    rename_profile(Settings.from_environment(), old, new)
    warn(f"The LLM profile {old!r} is {new!r} now.")


@click.command("set-llm-profile", cls=KimiCommand)
@click.argument("name", shell_complete=complete_profiles)
@click.argument("changes", metavar="FIELD=VALUE...", nargs=-1, required=True)
def set_llm_profile(name: str, changes: tuple[str, ...]) -> None:
    """Change fields of the LLM profile NAME, AMX's or kimi.yml's; FIELD= takes one back.

    Such as: set-llm-profile bulk max_tokens=8192 tier=1 effort=high
    """
    from amx_kimi.config import set_fields
    from amx_kimi.settings import Settings

    settings = Settings.from_environment()
    written = set_fields(settings, name, _pairs(changes))
    for field, value in written.items():
        warn(f"{name}: {field} {'is the default again' if value is None else f'= {value}'}")
    _warn_of_unknown(written.get("model"), settings)


@click.command(cls=KimiCommand)
@click.argument("changes", metavar="[ALIAS=MODEL]...", nargs=-1)
@json_option
def alias(changes: tuple[str, ...], as_json: bool) -> None:
    """Name models shortly, such as k2=kimi-k2.6; ALIAS= takes one away. Lists them all.

    An alias stands for its model wherever amx-kimi takes one; plain AMX does not know it.
    """
    from amx_kimi.config import set_aliases
    from amx_kimi.settings import Settings

    settings, pairs = Settings.from_environment(), _pairs(changes)
    aliases = set_aliases(settings, pairs)
    for model in pairs.values():
        _warn_of_unknown(model, settings)
    if as_json:
        echo_json(aliases)
        return
    for name, model in aliases.items():
        click.echo(f"{name} = {model}")
    if not aliases:
        warn("There is no alias. Make one: amx-kimi alias k2=kimi-k2.6")


def _warn_of_unknown(model: str | None, settings: "Settings") -> None:
    from amx_kimi.config import load_overlay, unknown_model

    aliases = load_overlay(settings.config_dir).aliases
    if model and (warning := unknown_model(aliases.get(model, model))):
        warn(warning)


def _pairs(changes: tuple[str, ...]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for change in changes:
        field, sign, value = change.partition("=")
        if not sign or not field.strip():
            raise click.UsageError("Expected FIELD=VALUE, found an argument without =")
        pairs[field.strip()] = value.strip()
    return pairs
