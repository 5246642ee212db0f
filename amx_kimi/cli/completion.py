"""`completion`: the script with which a shell completes commands, options, profiles,
runs and paths."""

from pathlib import Path

import click

from amx_kimi.cli.common import KimiCommand
from amx_kimi.settings import read_variable

__all__ = ["completion"]

_VARIABLE = "_AMX_KIMI_COMPLETE"  # click's own name for it
_SHELLS = ("bash", "zsh", "fish")


@click.command(cls=KimiCommand)
@click.argument("shell", type=click.Choice(_SHELLS), required=False)
@click.pass_context
def completion(context: click.Context, shell: str | None) -> None:
    """Print a completion script for your shell.

    The default is the shell in $SHELL. Install it with:

    \b
    bash:  amx-kimi completion bash >> ~/.bashrc
    zsh:   amx-kimi completion zsh >> ~/.zshrc
    fish:  amx-kimi completion fish > ~/.config/fish/completions/amx-kimi.fish
    """
    from click.shell_completion import get_completion_class

    name = shell or Path(read_variable("SHELL") or "").name
    found = get_completion_class(name) if name in _SHELLS else None
    if found is None:
        raise click.UsageError(f"Which shell? Use one of {', '.join(_SHELLS)}.")
    root = context.find_root()
    click.echo(found(root.command, {}, "amx-kimi", _VARIABLE).source())
