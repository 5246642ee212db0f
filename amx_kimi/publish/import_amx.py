"""Imports texts that people accepted in AMX into the journal, so that nothing is paid for twice."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from amx_kimi.annotate.opening import Target
from amx_kimi.blocks import blocks
from amx_kimi.databases.base import Selection
from amx_kimi.databases.opening import open_source
from amx_kimi.errors import SourceError
from amx_kimi.journal import Journal, answers, decisions, items, runs
from amx_kimi.journal.decisions import Action, Decision, Worded
from amx_kimi.publish.amx_history import AmxText, accepted_texts
from amx_kimi.redact import Redactor
from amx_kimi.types import Item

__all__ = ["Imported", "import_amx"]

_AT_ONCE = 1_000
_SOMEBODY = "AMX"


@dataclass(frozen=True)
class Imported:
    """The result of an import: how many texts were accepted, how many of them are `new` since the
    last import, and the run created for them (None: nothing is new). Skipped items are those that
    the database no longer has (`gone`), and those whose text a person wrote here (`worded`)."""

    run: str | None
    texts: int
    new: int
    gone: tuple[str, ...]
    worded: tuple[str, ...] = ()


def import_amx(target: Target, history: Path, profile: str, journal: Journal) -> Imported:
    """Import the accepted texts of an AMX database profile as a run, unless all are imported.

    Later runs over the same database reuse them, whatever their model. A text that a person wrote
    here is replaced only by one that a person wrote in AMX later.

    Raises:
        SourceError: the history or the database cannot be read, or nothing was accepted.
    """
    accepted = {
        (one.schema, one.table, one.column): one for one in accepted_texts(history, profile)
    }
    if not accepted:
        raise SourceError(f"Nothing was accepted in AMX for its database profile {profile!r}")
    source = open_source(target.url, replace(target.reading, samples=False))
    try:
        fields = {
            "source": target.stored(source.reopen),
            "database": source.identity,
            "profile": "",
            "model": _model(accepted.values()),
            "endpoint": "AMX",
            "currency": None,
            "options": json.dumps({"imported": str(history)}),
        }
        known = journal.read(answers.imported_texts, source.identity)
        run = journal.write_now(lambda connection: runs.begin_run(connection, **fields))
        try:
            kept: list[_Kept] = []
            worded: list[str] = []
            for chunk in blocks(source.items(Selection(extensions=True)), _AT_ONCE):
                some, left = _keep(journal, run, source.identity, chunk, accepted)
                kept += some
                worded += left
        except BaseException:
            journal.write_now(runs.forget_run, run)
            raise
    finally:
        source.close()
    new = sum(known.get(item) != text for item, text in kept)
    if new:
        journal.write_now(runs.note_inventory, run)
        journal.write_now(runs.set_status, run, "complete")
    else:
        journal.write_now(runs.forget_run, run)
    gone = tuple(sorted(_named(place) for place in accepted))
    return Imported(run if new else None, len(kept), new, gone, tuple(worded))


_Kept = tuple[tuple[str, ...], str]
"""An item, by schema, table, column and type, and its text."""


def _keep(
    journal: Journal,
    run: str,
    database: str,
    chunk: list[Item],
    accepted: dict[tuple[str, str, str], AmxText],
) -> tuple[list[_Kept], list[str]]:
    """Add a chunk of the inventory with its texts, and remove these from `accepted`; returns what
    was kept, and the names of items whose text a person wrote here."""
    redactor = Redactor()
    rows = [
        (redactor.item(item), _key(item, database), "commented" if item.comment else "not imported")
        for item in chunk
    ]
    journal.write_now(items.add_items, run, rows)
    texts: dict[tuple[str, str, str], AmxText] = {}
    for item in chunk:
        if one := accepted.pop(_place(item), None):
            texts[_place(item)] = one
    if not texts:
        return [], []
    places = {(schema, table) for schema, table, _ in texts}
    stored: list[items.Stored] = []
    for schema, table in sorted(places):
        stored += journal.read(items.stored_of, run, schema, table)
    found = [(one, text) for one in stored if (text := texts.get(_place(one.item)))]
    mine = journal.read(decisions.worded_elsewhere, run, [one.id for one, _ in found])
    left = {one.id for one, text in found if _is_ours(mine.get(one.id), text)}
    kept = [
        (one, text.text, text.model, _decision(text)) for one, text in found if one.id not in left
    ]
    journal.write_now(answers.save_imported, kept)
    said: list[_Kept] = []
    for answered, wording, *_ in kept:
        item = answered.item
        said.append(((*_place(item), item.type), wording))
    return said, [one.item.name for one, _ in found if one.id in left]


def _place(item: Item) -> tuple[str, str, str]:
    return item.schema, item.table, item.column


def _is_ours(worded: Worded | None, text: AmxText) -> bool:
    """Whether a text that a person wrote here takes precedence over AMX's."""
    if worded is None or worded.text == text.text:
        return False
    return not text.edited or text.at < worded.at


def _decision(text: AmxText) -> Decision:
    action: Action = "edit" if text.edited else "accept"
    return Decision(action, text.text, text.by or _SOMEBODY, text.at)


def _key(item: Item, database: str) -> str:
    """A special reuse key, because imported texts are found by name and type, not by model."""
    parts = ["imported", database, item.schema, item.table, item.column, item.type]
    return hashlib.sha256(json.dumps(parts, ensure_ascii=False).encode()).hexdigest()


def _model(accepted: Iterable[AmxText]) -> str:
    names = sorted({one.model for one in accepted})
    return names[0] if len(names) == 1 else "several, by AMX"


def _named(place: tuple[str, str, str]) -> str:
    return ".".join(part for part in place if part)
