"""The session: `amx-kimi` alone. Runs the same click commands, with a slash, history and
completion."""

import difflib
import shlex
import signal
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
from click.shell_completion import ShellComplete
from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.history import FileHistory, History, InMemoryHistory

from amx_kimi.cli.main import run_main
from amx_kimi.conceal import may_be_secret
from amx_kimi.config import active_profile
from amx_kimi.errors import KimiError
from amx_kimi.files import private_file, private_folder
from amx_kimi.settings import Settings

__all__ = ["open_session"]

_OWN = {
    "help": "List the commands; /help run explains one.",
    "exit": "Leave (or press Ctrl-D).",
}
_TERMINATED = 143


def open_session(group: click.Group) -> int:
    """Read commands until `/exit` or Ctrl-D; returns the exit code. Ctrl-C ends a command only."""
    prompt: PromptSession[str] = PromptSession(
        history=_history(), completer=_Commands(group), complete_while_typing=True
    )
    click.echo("amx-kimi: commands begin with a slash. /help lists them, Ctrl-D leaves.")
    terminated: list[int] = []
    before = signal.getsignal(signal.SIGTERM)

    def terminate(number: int, frame: Any) -> None:
        terminated.append(number)
        if callable(before):
            before(number, frame)  # ends a run like Ctrl-C: results are kept, and it can resume

    signal.signal(signal.SIGTERM, terminate)
    try:
        while not terminated:
            try:
                if _run(prompt.prompt(_prompt_text()), group):
                    return 0
            except KeyboardInterrupt:
                continue
            except EOFError:
                return 0
        return _TERMINATED
    finally:
        signal.signal(signal.SIGTERM, before)


def _prompt_text() -> str:
    try:
        active = active_profile(Settings.from_environment())
    except KimiError:
        active = "config.yml is broken: /doctor"
    return f"amx-kimi ({active or 'no profile: /add-llm-profile'}) > "


def _run(line: str, group: click.Group) -> bool:
    """Run one line; returns whether to end the session."""
    try:
        words = shlex.split(line)
    except ValueError as error:
        click.echo(f"{error}: a quotation mark is not closed", err=True)
        return False
    if not words:
        return False
    name = words[0].removeprefix("/")
    if not words[0].startswith("/"):
        is_known = name in (*group.commands, *_OWN, "quit")
        meant = f": /{name}" if is_known else "; /help lists them"
        click.echo(f"Commands begin with a slash{meant}", err=True)
    elif name in ("exit", "quit"):
        return True
    elif name not in (*group.commands, *_OWN):
        near = difflib.get_close_matches(name, [*group.commands, *_OWN], 3)
        meant = " or ".join(f"/{word}" for word in near)
        hint = f"Did you mean {meant}?" if near else "/help lists the commands."
        click.echo(f"No such command: /{name}. {hint}", err=True)
    elif name == "help" and len(words) == 1:
        _help(group)
    elif name == "help":
        command = words[1].removeprefix("/")
        run_main(group, [command, *words[2:], "--help"], session=True)
    else:
        run_main(group, [name, *words[1:]], session=True)
    return False


def _help(group: click.Group) -> None:
    about = {name: command.get_short_help_str(54) for name, command in group.commands.items()}
    for name, text in {**about, **_OWN}.items():
        click.echo(f"  /{name:<20} {text}")


class _Commands(Completer):
    """Completes what click knows: commands, options, profile names and choices."""

    def __init__(self, group: click.Group) -> None:
        self._group = group
        self._click = ShellComplete(group, {}, "amx-kimi", "")

    def get_completions(
        self,
        document: Document,
        complete_event: CompleteEvent,  # noqa: ARG002
    ) -> Iterable[Completion]:
        words = document.text_before_cursor.split(" ")
        if not words[0].startswith("/"):
            return
        typed = words[-1]
        if len(words) == 1:
            for name, text in _OWN.items():
                if f"/{name}".startswith(typed):
                    yield Completion(f"/{name}", -len(typed), display_meta=text)
        if words[0] == "/help" and len(words) > 1:
            names = [name for name in self._group.commands if name.startswith(typed)]
            yield from (Completion(name, -len(typed)) for name in names)
            return
        slash = "/" if len(words) == 1 else ""
        before: list[str] = []
        if len(words) > 1:
            command = words[0].removeprefix("/")
            before = [command, *filter(None, words[1:-1])]
        for item in self._click.get_completions(before, typed.removeprefix(slash)):
            if item.type == "plain":
                yield Completion(slash + item.value, -len(typed), display_meta=item.help or "")


def _history() -> History:
    """The lines of earlier sessions, in a file readable by its owner only; if that fails, in
    memory."""
    try:
        folder = Settings.from_environment().config_dir
        private_folder(folder)
        path = folder / "kimi-history"
        private_file(path)
    except (OSError, KimiError):
        return InMemoryHistory()
    return _Discreet(path)


class _Discreet(FileHistory):
    """A history that keeps no line that may contain a password or a key."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))

    def store_string(self, string: str) -> None:
        if not may_be_secret(string):
            super().store_string(string)
