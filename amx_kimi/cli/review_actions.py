"""What each key of a review does; each action returns the message to show ("": none)."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol, TypeVar

from amx_kimi.journal import Described
from amx_kimi.publish.review import Filter, Review, Step
from amx_kimi.text import counted
from amx_kimi.types import CONFIDENCES, Suggestion

__all__ = ["COMMANDS", "Actions", "AskAgain", "Asker", "help_text"]

_T = TypeVar("_T")
AskAgain = Callable[[Described, str], Awaitable[Suggestion]]
"""Asks the model again about an item, with a hint; raises a KimiError when that fails."""

COMMANDS = (  # keys, the action, how the help names the keys, what they do
    (("a", "enter"), "accept", "a, Enter", "accept the first alternative"),
    (tuple("123456789"), "accept_number", "1 … 9", "accept this alternative"),
    (("e",), "edit", "e", "edit here (Enter, Esc)"),
    (("E",), "edit_outside", "E", "edit in $EDITOR"),
    (("r",), "reject", "r", "reject: publish nothing"),
    (("s", "tab"), "next_open", "s", "skip: it stays open"),
    (("h",), "ask_again", "h", "ask again, with a hint"),
    (("A",), "accept_table", "A", "accept all high in table"),
    (("u",), "undo", "u", "undo"),
    (("j", "down"), "down", "j, down", "next item"),
    (("k", "up"), "up", "k, up", "previous item"),
    (("n", "pagedown"), "next_table", "n", "next table"),
    (("p", "pageup"), "previous_table", "p", "previous table"),
    (("/",), "find_text", "/", "filter items by a text"),
    (("t",), "find_table", "t", "filter tables by a text"),
    (("c",), "next_confidence", "c", "filter by confidence"),
    (("o",), "open_only", "o", "show only open items"),
    (("x",), "show_all", "x", "show everything again"),
    (("?",), "show_help", "?", "this help"),
    (("q", "c-c", "c-d"), "leave", "q", "leave; all is saved"),
)
_DID = {"accept": "accepted", "edit": "edited", "reject": "rejected"}


class Asker(Protocol):
    """What an action may need of the screen. What `then` returns is shown as a message."""

    def ask(self, prompt: str, default: str, then: Callable[[str], str]) -> None:
        """Ask for a line of text."""

    def edit_outside(self, text: str, then: Callable[[str], str]) -> None:
        """Have a text edited in the person's own editor; `then` only if it was changed."""

    def wait_for(self, doing: Awaitable[_T], what: str, then: Callable[[_T], str]) -> None:
        """Show that `doing` is running, until it ends or the person stops waiting."""

    def help(self) -> None:
        """Show the keys."""

    def leave(self) -> None:
        """End the review."""


class Actions:
    """The actions of one review; `key` is the one that was pressed."""

    def __init__(self, review: Review, screen: Asker, ask_again: AskAgain) -> None:
        self._review = review
        self._screen = screen
        self._ask_again = ask_again
        self.key = ""

    def leave(self) -> str:
        self._screen.leave()
        return ""

    def show_help(self) -> str:
        self._screen.help()
        return ""

    # Where one is

    def down(self) -> str:
        self._review.move(1)
        return ""

    def up(self) -> str:
        self._review.move(-1)
        return ""

    def next_table(self) -> str:
        self._review.move_table(1)
        return ""

    def previous_table(self) -> str:
        self._review.move_table(-1)
        return ""

    def next_open(self) -> str:
        if self._review.rows and not self._review.to_next_open():
            return "All items shown are decided."
        return ""

    def _go_on(self, before: Described) -> str:
        """Move to the next open item; after a changed decision, to the next item of the table."""
        return self.down() if before.decision else self.next_open()

    # Deciding

    def accept(self) -> str:
        return self._accept_wording(1)

    def accept_number(self) -> str:
        return self._accept_wording(int(self.key))

    def _accept_wording(self, number: int) -> str:
        row = self._review.row
        if row is None:
            return ""
        if self._review.accept(number):
            return self._go_on(row)
        return f"There is no alternative {number}."

    def reject(self) -> str:
        row = self._review.row
        if row is None:
            return ""
        self._review.decide("reject")
        return self._go_on(row)

    def accept_table(self) -> str:
        done = self._review.accept_table()
        left = ""
        if done.left:
            left = f" Skipped, because a person wrote their text in another run: {done.left:,}."
        if not (done.count or done.left):
            return "No open item of this table has high confidence."
        return f"Accepted {counted(done.count, 'item')} of this table. u undoes this.{left}"

    def edit(self) -> str:
        if row := self._review.row:
            self._screen.ask("Text: ", self._text_to_edit(row), self._edited)
        return ""

    def edit_outside(self) -> str:
        if row := self._review.row:
            self._screen.edit_outside(self._text_to_edit(row), self._edited)
        return ""

    def _text_to_edit(self, row: Described) -> str:
        """The decided text, else what a person wrote in another run, else the best alternative."""
        worded = None if row.decision else self._review.worded.get(row.id)
        best = row.suggestion.alternatives[0] if row.suggestion else ""
        return worded.text if worded else row.text or best

    def _edited(self, text: str) -> str:
        row = self._review.row
        if row and self._review.edit(text):
            return self._go_on(row)
        return "Empty text: use r to reject."

    # Undoing

    def undo(self) -> str:
        step = self._review.last_step()
        if step is None:
            return "There is nothing to undo in this review."
        hidden = step.hidden(self._review.filter)
        if not hidden:
            return self._undo(step)
        hides = "hides" if hidden == len(step.done) else f"hides {hidden:,} of them"
        self._screen.ask("Undo that? (y/n) ", "", lambda text: self._undo_if(text, step))
        return f"{_was_done(step)}; the filter {hides}."

    def _undo_if(self, answer: str, step: Step) -> str:
        agreed = answer.strip().lower() in ("y", "yes")
        return self._undo(step) if agreed else "Nothing was undone."

    def _undo(self, step: Step) -> str:
        undone = self._review.undo()
        left = len(step.done) - len(undone)
        if not undone:
            return (
                f"{_was_done(step)}, but somebody else has changed that since. Nothing was undone."
            )
        since = f" Not undone, because somebody else changed it since: {left:,}." if left else ""
        return f"Undone: {_was_done(step)}, and {_are_again(undone)}.{since}"

    # Asking again

    def ask_again(self) -> str:
        if self._review.row:
            self._screen.ask("Hint for the model: ", "", self._hint)
        return ""

    def _hint(self, hint: str) -> str:
        row = self._review.row
        if row and hint.strip():
            self._screen.wait_for(
                self._ask_again(row, hint.strip()),
                f"Asking about {row.item.name}",
                lambda new: self._answered(row, new),
            )
        return ""

    def _answered(self, row: Described, new: Suggestion) -> str:
        self._review.refresh()
        decided = f" It stays {_DID[row.decision.action]}." if row.decision else ""
        old = row.suggestion
        if old is None:
            return f"Asked again: a first answer, {new.confidence}.{decided}"
        if new.alternatives == old.alternatives:
            return f"Asked again: the same answer, {_moved(old, new)}.{decided}"
        before = f"Before: “{old.alternatives[0]}”"
        return f"Asked again: a new answer, {_moved(old, new)}. {before}{decided}"

    # What is shown

    def find_text(self) -> str:
        before = self._review.filter.text
        self._screen.ask("Show items with: ", before, lambda text: self._show(text=text.strip()))
        return ""

    def find_table(self) -> str:
        before = self._review.filter.table
        self._screen.ask("Show tables with: ", before, lambda text: self._show(table=text.strip()))
        return ""

    def next_confidence(self) -> str:
        order = (None, *CONFIDENCES)
        now = order.index(self._review.filter.confidence)
        return self._show(confidence=order[(now + 1) % len(order)])

    def open_only(self) -> str:
        return self._show(open_only=not self._review.filter.open_only)

    def show_all(self) -> str:
        self._review.set_filter(Filter())
        return ""

    def _show(self, **changes: Any) -> str:
        self._review.set_filter(replace(self._review.filter, **changes))
        return ""


def help_text() -> str:
    """The keys in two columns, so that a small terminal shows all of them."""
    lines = [f"{keys:<8} {what:.28}" for _, _, keys, what in COMMANDS]
    half = (len(lines) + 1) // 2
    pairs = zip(lines[:half], [*lines[half:], ""], strict=False)
    return "".join(f"{left:<39} {right}\n" for left, right in pairs)


def _was_done(step: Step) -> str:
    """What a step did: `items.xq1 was accepted`, `12 items of orders were accepted`."""
    first = step.done[0]
    did = {_DID[row.decision.action] for row in step.done if row.decision}
    said = did.pop() if len(did) == 1 else "decided"
    if len(step.done) == 1:
        return f"{first.item.name} was {said}"
    table = replace(first.item, column="").name
    return f"{len(step.done):,} items of {table} were {said}"


def _are_again(undone: Sequence[Described]) -> str:
    """The state of the items now that their decisions are undone."""
    are = "is" if len(undone) == 1 else "are"
    actions = {row.decision.action if row.decision else "open" for row in undone}
    action = actions.pop() if len(actions) == 1 else ""
    if not action:
        return f"{are} as before"
    return f"{are} {_DID.get(action, action)} again"


def _moved(old: Suggestion, new: Suggestion) -> str:
    if new.confidence == old.confidence:
        return f"{new.confidence} as before"
    return f"{new.confidence}; it was {old.confidence}"
