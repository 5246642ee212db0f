"""Asking a person, a line at a time: defaults in brackets, `<` goes back, Ctrl-C gives up."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

import click
from prompt_toolkit import PromptSession
from prompt_toolkit.application import get_app
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.filters import Condition

from amx_kimi.errors import ConfigError
from amx_kimi.text import wrap

__all__ = ["Back", "Cancelled", "Terminal"]

_T = TypeVar("_T")


class Back(Exception):
    """The person wants the question before."""


class Cancelled(Exception):
    """The person gave up: Ctrl-C or Ctrl-D."""


class Terminal:
    """The terminal that this process runs in; prompt_toolkit copes with dumb ones and NO_COLOR."""

    def say(self, text: str = "") -> None:
        """Print a line, or several."""
        click.echo(wrap(text))

    def ask(
        self,
        label: str,
        parse: Callable[[str], _T],
        *,
        default: str = "",
        shown: str = "",
        choices: Mapping[str, str] | None = None,
        secret: bool = False,
    ) -> _T:
        """Ask until `parse` accepts the answer; Enter answers `default`.

        `shown` stands in the brackets instead of the default; `choices` (word -> when to pick it)
        complete the answer; `secret` hides what is typed, unless it is `env:…` or `file:…`. `parse`
        may ask about the answer: who goes back there is asked for the answer again.

        Raises:
            Back, Cancelled: as the person wished.
        """
        bracket = shown or default
        message = f"{label} [{bracket}]: " if bracket else f"{label}: "
        while True:
            text = self._line(message, choices or {}, secret).strip()
            if text == "<":
                raise Back
            try:
                return parse(text or default)
            except Back:  # from a question about this answer: to the answer itself
                continue
            except ConfigError as error:
                self.say(f"  {error.message}. {error.remedy}".rstrip(" "))

    def confirm(self, question: str, *, default: bool) -> bool:
        """A question of yes or no.

        Raises:
            Back, Cancelled: as the person wished.
        """
        return self.ask(f"{question} {'[Y/n]' if default else '[y/N]'}", _yes_or_no(default))

    def pick(self, names: Sequence[str], text: str) -> str:
        """The name that an answer means which may be a number of a list, counted from 1.

        Raises:
            ConfigError: there is no such number.
        """
        if not (text.isascii() and text.isdigit()):
            return text
        if not 1 <= int(text) <= len(names):
            raise ConfigError(f"There is no {text[:9]}: answer 1 to {len(names)}, or a name")
        return names[int(text) - 1]

    def near(self, text: str, meant: str) -> str:
        """`meant`, a name near to an unknown one, if the person says y to it; else the text."""
        if not meant or meant == text:
            return text
        asked = f"{text} is not known here. Did you mean {meant}?"
        return meant if self.confirm(asked, default=False) else text

    def _line(self, message: str, choices: Mapping[str, str], secret: bool) -> str:
        hidden = Condition(lambda: secret and not _is_reference(get_app().current_buffer.text))
        # A session of its own: no history, where a key would stand.
        session: PromptSession[str] = PromptSession(
            message,
            completer=_Choices(choices),
            is_password=hidden,
            complete_while_typing=bool(choices),
        )
        try:
            return session.prompt()
        except (KeyboardInterrupt, EOFError):
            raise Cancelled from None


def _is_reference(text: str) -> bool:
    return text.startswith(("env:", "file:"))


def _yes_or_no(default: bool) -> Callable[[str], bool]:
    def parse(text: str) -> bool:
        word = text.lower()
        if word in ("", "y", "yes", "n", "no"):
            return default if not word else word[0] == "y"
        raise ConfigError("Answer y or n")

    return parse


class _Choices(Completer):
    """Completes a whole answer from words with an explanation, wherever the text occurs in them."""

    def __init__(self, choices: Mapping[str, str]) -> None:
        self._choices = choices

    def get_completions(
        self,
        document: Document,
        complete_event: CompleteEvent,  # noqa: ARG002
    ) -> Iterable[Completion]:
        typed = document.text_before_cursor
        for word, about in self._choices.items():
            if typed.lower() in word.lower():
                yield Completion(word, start_position=-len(typed), display_meta=about)
