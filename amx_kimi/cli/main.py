"""Runs every command, and turns errors into a message and an exit code."""

import io
import logging
import sys
import traceback

import click

from amx_kimi.cli.common import INTERRUPTED, Invocation, warn, with_slash
from amx_kimi.conceal import conceal_text
from amx_kimi.errors import KimiError

__all__ = ["run_main"]


def run_main(
    group: click.Group, arguments: list[str] | None = None, *, session: bool = False
) -> int:
    """Run the command line; returns the exit code. No traceback without `--debug`."""
    state = Invocation(session=session)
    # When interrupted, SQLAlchemy logs a traceback about connections that it could not close.
    logging.getLogger("sqlalchemy").addHandler(logging.NullHandler())
    try:
        code = group.main(arguments, prog_name="amx-kimi", standalone_mode=False, obj=state)
        return code if isinstance(code, int) else 0
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.ClickException as error:
        text = io.StringIO()
        error.show(text)
        said = conceal_text(text.getvalue())
        click.echo(with_slash(said, group) if session else said, err=True, nl=False)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        warn("Interrupted.")
        return INTERRUPTED
    except BrokenPipeError:  # whoever read our output has ended, such as `head`
        sys.stderr.close()
        return 0
    except KimiError as error:
        _show_traceback(state)
        warn(with_slash(str(error), group) if session else str(error), label="Error")
        return error.exit_code
    except Exception as error:
        _show_traceback(state)
        error = _cause(error)
        if isinstance(error, KimiError):
            warn(str(error), label="Error")
            return error.exit_code
        hint = "" if state.debug else " Run the command again with --debug to see where."
        said = str(error).rstrip(".")
        bug = f"{type(error).__name__}: {said}"
        warn(f"This is a bug in amx-kimi: {bug}.{hint}", label="Error")
        return 1


def _cause(error: Exception) -> Exception:
    """The first error inside an exception group; one of ours before any other."""
    found = [error]
    for one in found:
        if isinstance(one, ExceptionGroup):
            found += one.exceptions
    plain = [one for one in found if not isinstance(one, ExceptionGroup)]
    return next((one for one in plain if isinstance(one, KimiError)), plain[0])


def _show_traceback(state: Invocation) -> None:
    if state.debug:
        traceback.print_exc()
