"""`doctor`: checks configuration, key, endpoint and model."""

import shutil
import sys

import click

from amx_kimi.cli.common import KimiCommand, echo_json, say
from amx_kimi.cli.options import json_option, profile_option
from amx_kimi.text import wrap

__all__ = ["doctor"]


@click.command(cls=KimiCommand)
@profile_option
@json_option
def doctor(profile: str | None, as_json: bool) -> int:
    """Check configuration, keyring, key, endpoint and model.

    Sends one real request. Each failure says what to do. The exit code is 1 if something failed.
    """
    import anyio

    from amx_kimi.doctor import Check, examine

    marks = {
        "ok": click.style("ok    ", fg="green"),
        "note": click.style("note  ", fg="yellow"),
        "failed": click.style("FAILED", fg="red"),
    }
    checks: list[Check] = []

    async def go() -> None:
        async for check in examine(profile):
            checks.append(check)
            if not as_json:
                detail = _indented(check.detail)
                say(f"  {check.name:<14} {detail}", mark=marks[check.state])
                if check.remedy:
                    say(f"{'':<23}{_indented(check.remedy)}")

    anyio.run(go)
    if as_json:
        echo_json([vars(check) for check in checks])
    return 1 if any(check.state == "failed" for check in checks) else 0


def _indented(text: str) -> str:
    """`text` indented below the heading of a check; wrapped if stdout is a terminal."""
    columns = shutil.get_terminal_size().columns - 23 if sys.stdout.isatty() else 1_000
    return wrap(text, columns).replace("\n", "\n" + " " * 23)
