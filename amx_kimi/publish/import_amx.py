"""What people accepted in AMX already, taken into the journal: nothing is paid for twice."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from amx_kimi.annotate.execute import Target
from amx_kimi.annotate.redact import Redactor
from amx_kimi.annotate.sources import Reading, Selection, open_source
from amx_kimi.errors import SourceError
from amx_kimi.journal import Journal, answers, items, runs
from amx_kimi.journal.decisions import Action, Decision
from amx_kimi.publish.amx_history import Accepted, accepted_texts
from amx_kimi.types import Item

__all__ = ["Imported", "import_amx"]

_AT_ONCE = 1_000
_SOMEBODY = "AMX"


@dataclass(frozen=True)
class Imported:
    """The run that holds what was imported, how many texts, and the items that the database does
    not have any more."""

    run: str
    texts: int
    gone: tuple[str, ...]


def import_amx(target: Target, history: Path, profile: str, journal: Journal) -> Imported:
    """Take accepted texts of one of AMX's database profiles in, as a run of their own. Later runs
    over the same database reuse them, whatever model they ask.

    Raises:
        SourceError: the history or the database cannot be read, or nothing was accepted.
    """
    accepted = {
        (one.schema, one.table, one.column): one for one in accepted_texts(history, profile)
    }
    if not accepted:
        raise SourceError(f"Nothing was accepted in AMX for its database profile {profile!r}")
    source = open_source(target.url, Reading(samples=False))
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
        run = journal.write_now(lambda connection: runs.begin_run(connection, **fields))
        try:
            found = source.items(Selection())
            kept = 0
            while chunk := list(islice(found, _AT_ONCE)):
                kept += _keep(journal, run, source.identity, chunk, accepted)
        except BaseException:
            journal.write_now(runs.forget_run, run)
            raise
    finally:
        source.close()
    journal.write_now(runs.note_inventory, run)
    journal.write_now(runs.set_status, run, "complete")
    return Imported(run, kept, tuple(sorted(_named(place) for place in accepted)))


def _keep(
    journal: Journal,
    run: str,
    database: str,
    chunk: list[Item],
    accepted: dict[tuple[str, str, str], Accepted],
) -> int:
    """Add a chunk of the inventory, and the texts for it, which leave `accepted`."""
    redactor = Redactor()
    rows = [(redactor.item(item), _key(item, database), "deferred") for item in chunk]
    journal.write_now(items.add_items, run, rows)
    texts = {
        (item.schema, item.table, item.column): one
        for item in chunk
        if (one := accepted.pop((item.schema, item.table, item.column), None))
    }
    if not texts:
        return 0
    places = {(schema, table) for schema, table, _ in texts}
    stored = (one for place in sorted(places) for one in journal.read(items.stored_of, run, *place))
    kept = [
        (one, text.text, text.model, _decision(text))
        for one in stored
        if (text := texts.get((one.item.schema, one.item.table, one.item.column)))
    ]
    journal.write_now(answers.save_imported, kept)
    return len(kept)


def _decision(text: Accepted) -> Decision:
    action: Action = "edit" if text.edited else "accept"
    return Decision(action, text.text, text.by or _SOMEBODY, text.at)


def _key(item: Item, database: str) -> str:
    """A reuse key of its own: what was imported is found by name and type, not by a model."""
    parts = ["imported", database, item.schema, item.table, item.column, item.type]
    return hashlib.sha256(json.dumps(parts, ensure_ascii=False).encode()).hexdigest()


def _model(accepted: Iterable[Accepted]) -> str:
    names = sorted({one.model for one in accepted})
    return names[0] if len(names) == 1 else "several, by AMX"


def _named(place: tuple[str, str, str]) -> str:
    return ".".join(part for part in place if part)
