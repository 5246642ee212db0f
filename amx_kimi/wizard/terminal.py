"""Questions in a terminal, one line each: defaults in brackets, `<` goes back, Ctrl-C gives up."""

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
    """The person wants to return to the previous question."""


class Cancelled(Exception):
    """The person gave up: Ctrl-C or Ctrl-D."""


class Terminal:
    """The terminal of this process. prompt_toolkit handles dumb terminals and NO_COLOR."""

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

        - `shown`: shown in the brackets instead of the default
        - `choices` (word -> when to pick it): complete the answer
        - `secret`: hides what is typed, unless it is `env:…` or `file:…`

        `parse` may ask about the answer. If the person goes back there, the answer is asked again.

        Raises:
            Back, Cancelled: the person chose so.
        """
        bracket = shown or default
        message = f"{label} [{bracket}]: " if bracket else f"{label}: "
        while True:
            text = self._line(message, choices or {}, secret).strip()
            if text == "<":
                raise Back
            try:
                return parse(text or default)
            except Back:  # back from a question about this answer: ask this one again
                continue
            except ConfigError as error:
                self.say(f"  {error.message}. {error.remedy}".rstrip(" "))

    def confirm(self, question: str, *, default: bool) -> bool:
        """Ask a yes-or-no question.

        Raises:
            Back, Cancelled: the person chose so.
        """
        return self.ask(f"{question} {'[Y/n]' if default else '[y/N]'}", _yes_or_no(default))

    def pick(self, names: Sequence[str], text: str) -> str:
        """The name that an answer means: the answer may be its number in the list, from 1.

        Raises:
            ConfigError: there is no such number.
        """
        if not (text.isascii() and text.isdigit()):
            return text
        if not 1 <= int(text) <= len(names):
            raise ConfigError(f"There is no number {text[:9]}. Answer 1 to {len(names)}, or a name")
        return names[int(text) - 1]

    def near(self, text: str, meant: str) -> str:
        """`meant`, a known name similar to `text`, if the person accepts it; else `text`."""
        if not meant or meant == text:
            return text
        asked = f"{text} is unknown. Did you mean {meant}?"
        return meant if self.confirm(asked, default=False) else text

    def _line(self, message: str, choices: Mapping[str, str], secret: bool) -> str:
        hidden = Condition(lambda: secret and not _is_reference(get_app().current_buffer.text))
        # A new session each time, because a history would contain the key.
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
    """Completes an answer to any word that contains the typed text, and shows its explanation."""

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
