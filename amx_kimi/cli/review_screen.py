"""The review in a terminal: one table at a time, with its items above, and the item under the
cursor below."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import click
from prompt_toolkit.application import Application, run_in_terminal
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.layout import (
    BufferControl,
    ConditionalContainer,
    Dimension,
    FormattedTextControl,
    HSplit,
    Layout,
    VSplit,
    Window,
)
from prompt_toolkit.output.color_depth import ColorDepth
from prompt_toolkit.styles import Style

from amx_kimi.cli.review_actions import COMMANDS, Actions, AskAgain, help_text
from amx_kimi.cli.review_view import STYLES, detail, heading, items
from amx_kimi.errors import KimiError
from amx_kimi.publish.review import Review
from amx_kimi.text import one_line

__all__ = ["Screen"]

_T = TypeVar("_T")
_BAR = "? help  q leave  a accept  1-9 choose  e edit  r reject  s skip  h hint  u undo"


class Screen:
    """Draws the review, calls the action of each key, and asks for lines of text."""

    def __init__(self, review: Review, ask_again: AskAgain) -> None:
        self._review = review
        self._actions = Actions(review, self, ask_again)
        self._message = "" if review.tables else "Nothing to review."
        self._help = False
        self._waiting: asyncio.Task[None] | None = None
        self._waiting_for = ""
        self._since = 0.0
        self._input = Buffer(multiline=False, accept_handler=self._entered)
        self._prompt = ""
        self._then: Callable[[str], str] = lambda _: ""
        self._app: Application[None] = Application(
            layout=self._layout(),
            key_bindings=self._bindings(),
            style=Style.from_dict(STYLES),
            full_screen=True,
            mouse_support=False,
            color_depth=None if _has_colour() else ColorDepth.MONOCHROME,
        )

    def run(self) -> None:
        """Show it until the person leaves."""
        self._app.run()

    # What is shown

    def _layout(self) -> Layout:
        def control(text: Callable[[], StyleAndTextTuples]) -> FormattedTextControl:
            return FormattedTextControl(text, show_cursor=False)

        entry = VSplit(
            [
                Window(
                    FormattedTextControl(lambda: [("class:message", self._prompt)]),
                    dont_extend_width=True,
                ),
                Window(BufferControl(self._input), wrap_lines=True),
            ],
            height=Dimension(min=1, max=6),
        )
        self._list = Window(control(self._items), height=Dimension(min=3, weight=1))
        return Layout(
            HSplit(
                [
                    Window(
                        control(lambda: heading(self._review, self._columns)),
                        height=1,
                        style="class:bar",
                    ),
                    ConditionalContainer(
                        HSplit([self._list, Window(height=1, char="─")]),
                        Condition(lambda: not self._help),
                    ),
                    Window(control(self._detail), wrap_lines=True, height=Dimension(weight=2)),
                    ConditionalContainer(
                        Window(control(self._said), wrap_lines=True, dont_extend_height=True),
                        Condition(lambda: bool(self._message or self._waiting)),
                    ),
                    ConditionalContainer(entry, Condition(lambda: bool(self._prompt))),
                    Window(control(lambda: [("", _BAR)]), height=1, style="class:bar"),
                ]
            )
        )

    @property
    def _columns(self) -> int:
        return self._app.output.get_size().columns

    def _items(self) -> StyleAndTextTuples:
        info = self._list.render_info
        return items(self._review, self._columns, info.window_height if info else 8)

    def _detail(self) -> StyleAndTextTuples:
        return [("", help_text())] if self._help else detail(self._review, self._columns)

    def _said(self) -> StyleAndTextTuples:
        if not self._waiting:
            return [("class:message", one_line(self._message))]
        seconds = int(time.monotonic() - self._since)
        waits = f"{one_line(self._waiting_for)} … {seconds} s. Esc stops waiting, Ctrl-C leaves."
        return [("class:message", waits)]

    # What a key does

    def _bindings(self) -> KeyBindings:
        keys = KeyBindings()
        browsing = Condition(lambda: not self._prompt and not self._waiting)
        for names, action, _, _ in COMMANDS:
            for name in names:
                keys.add(name, filter=browsing)(self._handler(getattr(self._actions, action)))

        @keys.add("escape", filter=browsing, eager=True)
        def close_help(_: KeyPressEvent) -> None:
            self._help = False

        @keys.add("escape", filter=~browsing, eager=True)
        def give_up(_: KeyPressEvent) -> None:
            if self._waiting:
                self._waiting.cancel()
            self._end_entry()

        @keys.add("c-c", filter=~browsing)
        def leave(_: KeyPressEvent) -> None:
            if self._waiting:  # leaves at once, without waiting for the answer
                self.leave()
            self._end_entry()

        return keys

    def _handler(self, action: Callable[[], str]) -> Callable[[KeyPressEvent], None]:
        def handle(event: KeyPressEvent) -> None:
            closes, self._help = self._help, False
            self._message, self._actions.key = "", event.data
            if not closes:  # the key that closes the help does nothing else
                self._say(action)

        return handle

    def _say(self, action: Callable[[], str]) -> None:
        """Do it, and show its message."""
        try:
            self._message = action()
        except KimiError as error:
            self._message = f"{error.message} {error.remedy}"

    # What actions need

    def leave(self) -> None:
        """End the review."""
        self._app.exit()

    def help(self) -> None:
        """Show the keys."""
        self._help = True

    def ask(self, prompt: str, default: str, then: Callable[[str], str]) -> None:
        """Ask for a line of text; what `then` returns is shown as a message."""
        self._prompt, self._then = one_line(prompt), then
        self._input.text = default
        self._input.cursor_position = len(default)
        self._app.layout.focus(self._input)

    def _entered(self, buffer: Buffer) -> bool:
        text, then = buffer.text, self._then
        self._end_entry()
        self._say(lambda: then(text))
        return False

    def _end_entry(self) -> None:
        self._prompt = ""
        self._app.layout.focus(self._list)

    def edit_outside(self, text: str, then: Callable[[str], str]) -> None:
        """Have a text edited in the person's own editor; `then` only if it was changed."""

        async def outside() -> None:
            try:
                edited = await run_in_terminal(
                    lambda: click.edit(text, extension=".txt"), in_executor=True
                )
            except click.ClickException as error:
                self._message = error.format_message()
            except UnicodeDecodeError:
                self._message = "The editor's file is not UTF-8. Nothing was changed."
            else:
                changed = edited is not None and edited.strip() != text.strip()
                self._say(lambda: then(edited or "") if changed else "Not changed.")
            self._app.invalidate()

        self._app.create_background_task(outside())

    def wait_for(self, doing: Awaitable[_T], what: str, then: Callable[[_T], str]) -> None:
        """Show that `doing` is running, until it ends or the person stops waiting."""

        async def wait() -> None:
            try:
                found = await doing
                self._say(lambda: then(found))
            except asyncio.CancelledError:
                self._message = "Stopped waiting."
                raise
            except KimiError as error:
                self._message = f"{error.message} {error.remedy}"
            except Exception as error:  # no answer may end the review
                self._message = f"{what} failed: {type(error).__name__}: {error}"
            finally:
                self._waiting = None
                self._app.invalidate()

        self._waiting_for, self._since = what, time.monotonic()
        self._waiting = self._app.create_background_task(wait())
        self._app.create_background_task(self._tick(self._waiting))

    async def _tick(self, task: "asyncio.Task[None]") -> None:
        """Redraw once a second while waiting."""
        while not task.done():
            await asyncio.wait([task], timeout=1.0)
            self._app.invalidate()


def _has_colour() -> bool:
    from amx_kimi.settings import read_variable

    return read_variable("NO_COLOR") is None
