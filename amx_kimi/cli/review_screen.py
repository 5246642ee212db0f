"""The review on a terminal: a table at a time, its items above, the one under the cursor below."""

import textwrap
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

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

from amx_kimi.errors import KimiError
from amx_kimi.journal import Described
from amx_kimi.publish.review import Filter, Review
from amx_kimi.types import CONFIDENCES
from amx_kimi.wrap import one_line

__all__ = ["AskAgain", "Screen"]

AskAgain = Callable[[Described, str], Awaitable[object]]
"""Asks the model again about an item, with a hint; raises a KimiError when that fails."""

_COMMANDS = (  # keys, the method, how the help names the keys, what they do
    (("a", "enter"), "_accept", "a, Enter", "accept the first wording"),
    (tuple("123456789"), "_accept_number", "1 … 9", "accept this wording"),
    (("e",), "_edit", "e", "edit here (Enter, Esc)"),
    (("E",), "_edit_outside", "E", "edit in $EDITOR"),
    (("r",), "_reject", "r", "reject: nothing is written"),
    (("s", "tab"), "_next", "s", "skip: it stays open"),
    (("h",), "_ask_hint", "h", "ask again, with a hint"),
    (("A",), "_accept_table", "A", "accept all high of the table"),
    (("u",), "_undo", "u", "undo"),
    (("j", "down"), "_down", "j, down", "next item"),
    (("k", "up"), "_up", "k, up", "previous item"),
    (("n", "pagedown"), "_next_table", "n", "next table"),
    (("p", "pageup"), "_previous_table", "p", "previous table"),
    (("/",), "_ask_text", "/", "only items with a text"),
    (("t",), "_ask_table", "t", "only tables with a text"),
    (("c",), "_next_confidence", "c", "one confidence only"),
    (("o",), "_open_only", "o", "only what is open"),
    (("x",), "_show_all", "x", "everything again"),
    (("?",), "_show_help", "?", "this help"),
    (("q", "c-c", "c-d"), "_leave", "q", "leave; all is kept"),
)
_BAR = "? help  q leave  a accept  1-9 wording  e edit  r reject  s skip  h hint  u undo"
_STYLE = Style.from_dict(
    {
        "bar": "reverse",
        "cursor": "bold",
        "high": "ansigreen",
        "medium": "ansiyellow",
        "low": "ansired",
        "name": "bold",
        "dim": "ansibrightblack",
        "message": "bold",
    }
)
_MARKS = {"accept": "✓", "edit": "✎", "reject": "✗"}


class Screen:
    """The terminal's side of a review."""

    def __init__(self, review: Review, ask_again: AskAgain) -> None:
        self._review = review
        self._ask_again = ask_again
        self._message = "" if review.tables else "Nothing to review."
        self._help = False
        self._busy = False
        self._key = ""
        self._input = Buffer(multiline=False, accept_handler=self._entered)
        self._prompt = ""
        self._then: Callable[[str], None] = lambda _: None
        self._app: Application[None] = Application(
            layout=self._layout(),
            key_bindings=self._bindings(),
            style=_STYLE,
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

        is_asking = Condition(lambda: bool(self._prompt))
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
                    Window(control(self._heading), height=1, style="class:bar"),
                    ConditionalContainer(
                        HSplit([self._list, Window(height=1, char="─")]),
                        Condition(lambda: not self._help),
                    ),
                    Window(control(self._detail), wrap_lines=True, height=Dimension(weight=2)),
                    ConditionalContainer(entry, is_asking),
                    ConditionalContainer(
                        Window(control(self._said), wrap_lines=True, dont_extend_height=True),
                        Condition(lambda: bool(self._message)),
                    ),
                    Window(control(lambda: [("", _BAR)]), height=1, style="class:bar"),
                ]
            )
        )

    def _said(self) -> StyleAndTextTuples:
        return [("class:message", one_line(self._message))]

    def _heading(self) -> StyleAndTextTuples:
        review = self._review
        where = ".".join(filter(None, review.table)) if review.table else "–"
        place = f"table {review.at_table + 1} of {len(review.tables)}" if review.tables else ""
        done = f"{review.decided:,} of {review.total:,} decided"
        shown = f"[{review.filter}] " if str(review.filter) else ""
        return [("", one_line(f" {shown}{where} · {place} · {done} · run {review.run.id}"))]

    def _items(self) -> StyleAndTextTuples:
        review = self._review
        info = self._list.render_info
        height = info.window_height if info else 8
        first = max(0, min(review.at_row - height // 2, len(review.rows) - height))
        lines: StyleAndTextTuples = []
        for number, row in enumerate(review.rows[first : first + height], first):
            here = number == review.at_row
            lines += self._item(row, here=here)
        return lines

    def _item(self, row: Described, *, here: bool) -> StyleAndTextTuples:
        assert row.suggestion is not None
        style = "class:cursor" if here else ""
        sure = row.suggestion.confidence
        mark = _MARKS.get(row.decision.action, " ") if row.decision else " "
        name = row.item.column or "(the table)"
        text = row.text if row.text is not None else "rejected"
        return [
            (style, f"{'▸' if here else ' '}{mark} {one_line(name):<24.24} "),
            (f"class:{sure}", f"{sure:<7}"),
            (style, f"{one_line(text)}\n"),
        ]

    def _detail(self) -> StyleAndTextTuples:
        if self._help:
            return [("", _help())]
        row = self._review.row
        if row is None or row.suggestion is None:
            return [("", "Nothing here. x shows everything, q leaves.")]
        item, found = row.item, row.suggestion
        about = ", ".join(filter(None, (item.type or item.kind, item.key_role, item.fk)))
        score = f" {found.score:.2f}" if found.score is not None else ""
        lines: StyleAndTextTuples = [
            ("class:name", one_line(item.name)),
            ("", f"  {one_line(about)}   confidence "),
            (f"class:{found.confidence}", found.confidence),
            ("class:dim", f" ({found.signal}{score})\n"),
        ]
        if item.comment:
            lines.append(("", self._wrapped("Comment now: ", item.comment)))
        if seen := _seen(row.facts):
            lines.append(("class:dim", self._wrapped("The model saw: ", seen)))
        for number, wording in enumerate(found.alternatives, 1):
            lines.append(("", self._wrapped(f" {number}  ", wording)))
        return [*lines, ("class:message", self._wrapped("", _decided(row)))]

    def _wrapped(self, head: str, text: str) -> str:
        """A paragraph as wide as the terminal, not broken within words."""
        columns = max(20, self._app.output.get_size().columns - 1)
        lines = textwrap.wrap(head + one_line(text), columns, subsequent_indent="    ")
        return "\n".join(lines or [head]) + "\n"

    # What a key does

    def _bindings(self) -> KeyBindings:
        keys = KeyBindings()
        browsing = Condition(lambda: not self._prompt and not self._busy)
        for names, method, _, _ in _COMMANDS:
            for name in names:
                keys.add(name, filter=browsing)(self._handler(getattr(self, method)))

        @keys.add("escape", filter=browsing, eager=True)
        def close_help(_: KeyPressEvent) -> None:
            self._help = False

        @keys.add("escape", filter=~browsing, eager=True)
        @keys.add("c-c", filter=~browsing)
        def give_up(_: KeyPressEvent) -> None:
            if self._busy:  # an answer that takes long is not waited for
                self._leave()
            self._end_entry()

        return keys

    def _handler(self, action: Callable[[], None]) -> Callable[[KeyPressEvent], None]:
        def handle(event: KeyPressEvent) -> None:
            closes, self._help = self._help, False
            self._message, self._key = "", event.data
            if not closes:  # the key that closes the help does nothing else
                self._safely(action)

        return handle

    def _safely(self, action: Callable[[], None]) -> None:
        try:
            action()
        except KimiError as error:
            self._message = f"{error.message} {error.remedy}"

    def _leave(self) -> None:
        self._app.exit()

    def _show_help(self) -> None:
        self._help = True

    def _down(self) -> None:
        self._review.move(1)

    def _up(self) -> None:
        self._review.move(-1)

    def _next_table(self) -> None:
        self._review.move_table(1)

    def _previous_table(self) -> None:
        self._review.move_table(-1)

    def _next(self) -> None:
        if self._review.rows and not self._review.to_next_open():
            self._message = "Everything that is shown is decided."

    def _accept(self) -> None:
        self._accept_wording(1)

    def _accept_number(self) -> None:
        self._accept_wording(int(self._key))

    def _go_on(self, before: Described) -> None:
        """To the next that is open; who revises a decision goes down the table."""
        if before.decision:
            self._review.move(1)
        else:
            self._next()

    def _accept_wording(self, number: int) -> None:
        row = self._review.row
        if row is None:
            return
        if self._review.accept(number):
            self._go_on(row)
        else:
            self._message = f"There is no wording {number}."

    def _reject(self) -> None:
        if row := self._review.row:
            self._review.decide("reject")
            self._go_on(row)

    def _undo(self) -> None:
        if not self._review.undo():
            self._message = "There is nothing of yours to undo in this sitting."

    def _accept_table(self) -> None:
        count = self._review.accept_table()
        self._message = (
            f"Accepted {count:,} of this table. u takes them back."
            if count
            else "Nothing of this table is open and high."
        )

    def _edit(self) -> None:
        if row := self._review.row:
            self._ask("Text: ", row.text or _best(row), self._edited)

    def _edited(self, text: str) -> None:
        row = self._review.row
        if row and self._review.edit(text):
            self._go_on(row)
        else:
            self._message = "An empty text is no description: r rejects."

    def _edit_outside(self) -> None:
        row = self._review.row
        if row is None:
            return
        before = row.text or _best(row)

        def edit() -> None:
            try:
                text = click.edit(before, extension=".txt")
            except click.ClickException as error:
                self._message = error.format_message()
                return
            except UnicodeDecodeError:
                self._message = "The editor's file is not UTF-8: nothing was kept."
                return
            if text is None or text.strip() == before.strip():
                self._message = "Not changed."
            else:
                self._safely(lambda: self._edited(text))

        async def outside() -> None:
            await run_in_terminal(edit, in_executor=True)

        self._app.create_background_task(outside())

    def _ask_hint(self) -> None:
        if self._review.row:
            self._ask("Hint for the model: ", "", self._hint)

    def _hint(self, hint: str) -> None:
        row = self._review.row
        if row is None or not hint.strip():
            return
        self._busy, self._message = True, "Asking …"

        async def ask() -> None:
            try:
                await self._ask_again(row, hint.strip())
                self._review.refresh()
                self._message = "Asked again: this is the new answer."
            except KimiError as error:
                self._message = f"{error.message} {error.remedy}"
            except Exception as error:  # the sitting goes on, whatever the answer was
                self._message = f"Unexpected {type(error).__name__}: {error}"
            finally:
                self._busy = False
                self._app.invalidate()

        self._app.create_background_task(ask())

    def _ask_text(self) -> None:
        self._ask("Show items with: ", self._review.filter.text, self._find)

    def _find(self, text: str) -> None:
        self._show(text=text.strip())

    def _ask_table(self) -> None:
        self._ask("Show tables with: ", self._review.filter.table, self._find_table)

    def _find_table(self, text: str) -> None:
        self._show(table=text.strip())

    def _next_confidence(self) -> None:
        order = (None, *CONFIDENCES)
        now = order.index(self._review.filter.confidence)
        self._show(confidence=order[(now + 1) % len(order)])

    def _open_only(self) -> None:
        self._show(open_only=not self._review.filter.open_only)

    def _show_all(self) -> None:
        self._review.set_filter(Filter())

    def _show(self, **changes: Any) -> None:
        self._review.set_filter(replace(self._review.filter, **changes))

    # A line of text

    def _ask(self, prompt: str, default: str, then: Callable[[str], None]) -> None:
        self._prompt, self._then = prompt, then
        self._input.text = default
        self._input.cursor_position = len(default)
        self._app.layout.focus(self._input)

    def _entered(self, buffer: Buffer) -> bool:
        text, then = buffer.text, self._then
        self._end_entry()
        self._safely(lambda: then(text))
        return False

    def _end_entry(self) -> None:
        self._prompt = ""
        self._app.layout.focus(self._list)


def _help() -> str:
    """The keys in two columns: a small terminal shows all of them."""
    lines = [f"{keys:<8} {what:.28}" for _, _, keys, what in _COMMANDS]
    half = (len(lines) + 1) // 2
    pairs = zip(lines[:half], [*lines[half:], ""], strict=False)
    return "".join(f"{left:<39} {right}\n" for left, right in pairs)


def _decided(row: Described) -> str:
    decision = row.decision
    if decision is None:
        return "Open."
    when = decision.at[:16].replace("T", " ")
    said = {"accept": "Accepted", "edit": "Edited", "reject": "Rejected"}[decision.action]
    text = f": {decision.text}" if decision.text is not None else ""
    return f"{said} by {decision.by}, {when}{text}"


def _seen(facts: Mapping[str, Any]) -> str:
    parts = []
    for key, value in facts.items():
        shown = ", ".join(map(str, value)) if isinstance(value, list) else value
        parts.append(f"{key} {shown}")
    return "; ".join(parts)[:400]


def _best(row: Described) -> str:
    return row.suggestion.alternatives[0] if row.suggestion else ""


def _has_colour() -> bool:
    from amx_kimi.settings import read_variable

    return read_variable("NO_COLOR") is None
