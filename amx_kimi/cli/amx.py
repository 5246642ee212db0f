"""`amx`, `enable`, `disable`, `status`: use Kimi inside AMX."""

import click

from amx_kimi.cli.common import KimiCommand, as_typed, echo_json, warn
from amx_kimi.cli.options import json_option

__all__ = ["amx", "disable", "enable", "status"]


@click.command(
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    add_help_option=False,
)
@click.argument("arguments", metavar="[ARGS]...", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def amx(context: click.Context, arguments: tuple[str, ...]) -> None:
    """Run AMX with Kimi inside, for one run.

    `amx-kimi amx ARGS` is `amx ARGS` with Kimi inside, without enabling anything. All arguments are
    AMX's own: `amx-kimi amx --help` shows AMX's help if AMX is installed, and this text otherwise.
    """
    from amx_kimi.bridge.compare import amx_folder
    from amx_kimi.bridge.launch import hand_over

    if arguments[:1] in (("--help",), ("-h",)) and amx_folder() is None:
        click.echo(as_typed(context.get_help()))
        return
    hand_over(list(arguments))


@click.command(cls=KimiCommand)
def enable() -> None:
    """Enable Kimi in every AMX process of this environment.

    This includes AMX's scheduler, MCP server and Studio.
    """
    from amx_kimi.bridge.enable import enable, status

    changed, now = enable(), status()
    already = "" if changed else "already "
    warn(f"Kimi is {already}enabled in AMX {now.amx} ({now.folder}).")


@click.command(cls=KimiCommand)
def disable() -> None:
    """Disable Kimi in AMX again, without a trace."""
    from amx_kimi.bridge.enable import disable

    changed = disable()
    warn("Kimi is no longer enabled in AMX." if changed else "Kimi was not enabled in AMX here.")


@click.command(cls=KimiCommand)
@json_option
def status(as_json: bool) -> int:
    """Say whether Kimi is enabled in AMX here.

    Also says whether amx-kimi fits the installed AMX. The exit code is 1 if Kimi is enabled but
    does not fit.
    """
    from amx_kimi.bridge.enable import status

    now = status()
    if as_json:
        echo_json({**vars(now), "folder": str(now.folder)})
    else:
        click.echo(f"AMX: {now.amx or 'not installed in this environment'}")
        state = "enabled" if now.enabled else "not enabled"
        click.echo(f"Kimi inside: {state} ({now.folder})")
        for line in now.misfits:
            click.echo(f"Does not fit, so nothing is attached: {line}")
    return 1 if now.enabled and (now.misfits or not now.amx) else 0
