"""`alias`: defines short names for models."""

from typing import TYPE_CHECKING

import click

from amx_kimi.cli.common import KimiCommand, echo_json, warn
from amx_kimi.cli.options import json_option

if TYPE_CHECKING:
    from amx_kimi.settings import Settings

__all__ = ["alias", "pairs_of", "warn_of_unknown"]


@click.command(cls=KimiCommand)
@click.argument("changes", metavar="[ALIAS=MODEL]...", nargs=-1)
@json_option
def alias(changes: tuple[str, ...], as_json: bool) -> None:
    """Define short names for models, such as k2=kimi-k2.6.

    ALIAS= removes an alias. Without arguments, lists all aliases.

    An alias can be used wherever amx-kimi expects a model. Plain AMX does not know aliases.
    """
    from amx_kimi.config import set_aliases
    from amx_kimi.settings import Settings

    settings, pairs = Settings.from_environment(), pairs_of(changes)
    aliases = set_aliases(settings, pairs)
    for model in pairs.values():
        warn_of_unknown(model, settings)
    if as_json:
        echo_json(aliases)
        return
    for name, model in aliases.items():
        click.echo(f"{name} = {model}")
    if not aliases:
        warn("There are no aliases. Define one: amx-kimi alias k2=kimi-k2.6")


def warn_of_unknown(model: str | None, settings: "Settings") -> None:
    """Warn if the model is not in amx-kimi's table."""
    from amx_kimi.config import load_overlay, unknown_model

    aliases = load_overlay(settings.config_dir).aliases
    if model and (warning := unknown_model(aliases.get(model, model))):
        warn(warning)


def pairs_of(changes: tuple[str, ...]) -> dict[str, str]:
    """`FIELD=VALUE` arguments, by field."""
    pairs: dict[str, str] = {}
    for change in changes:
        field, sign, value = change.partition("=")
        if not sign or not field.strip():
            raise click.UsageError("Expected FIELD=VALUE, but an argument has no field or no =")
        pairs[field.strip()] = value.strip()
    return pairs
