"""Asks again about one item, with a person's hint. Uses the journal, not the database."""

import json
from collections.abc import Mapping
from typing import Any

from amx_kimi.annotate.asking import question
from amx_kimi.annotate.batch import Batch, Piece
from amx_kimi.annotate.confidence import score_spans, suggestion
from amx_kimi.annotate.job import Job
from amx_kimi.annotate.pack import packer_of
from amx_kimi.annotate.parse import parse
from amx_kimi.annotate.prompt import Wanted
from amx_kimi.client import KimiClient
from amx_kimi.config import Profile
from amx_kimi.errors import ReplyError
from amx_kimi.journal import Described, Journal, Run, RunRecorder, Stored, answers, items
from amx_kimi.redact import ColumnFacts, facts_again, kept, redact_text
from amx_kimi.settings import Settings
from amx_kimi.types import Suggestion

__all__ = ["ask_with_hint"]


async def ask_with_hint(
    journal: Journal, run: Run, row: Described, hint: str, profile: Profile, settings: Settings
) -> Suggestion:
    """Ask about an item again with a hint, replace the old answer, and add the request to the run.

    Raises:
        KimiError: there is no key, or no usable answer; the old answer stays.
    """
    wanted = Wanted(**json.loads(run.options).get("wanted", {}))
    job = Job(profile, wanted=wanted)
    batch = _batch(journal, run, row, hint)
    async with KimiClient(profile, settings) as client:
        client.record_with(RunRecorder(journal, run.id), run.id)
        expected = packer_of(job, client.facts, settings).expectation
        reply = await client.chat(question(batch, job, expected, run.id))
        parsed = parse(reply.content, batch, wanted.alternatives, markup=wanted.markup)
        found = list(parsed.values())
        if not found:
            raise ReplyError("The model's answer has no usable entry")
        (score,) = score_spans(reply.content, reply.logprobs, [found[0].span])
        new = suggestion(found[0], score, profile)
        await journal.write(answers.replace_suggestion, row.id, new, profile.model)
        return new


def _batch(journal: Journal, run: Run, row: Described, hint: str) -> Batch:
    item = row.item
    stored = Stored(row.id, item, "")
    table = journal.read(items.table_of, run.id, item)
    known: Mapping[str, Any] = kept(table)
    columns: tuple[tuple[Stored, ColumnFacts], ...] = ()
    if item.column:
        columns = ((stored, facts_again(row.facts, hint=hint)),)
    else:
        known = {**known, "hint": redact_text(hint)}
    names = journal.read(items.column_names, run.id, item.schema, item.table, 60)
    ask = None if item.column else stored
    return Batch((Piece(table, ask, columns, tuple(names), known),))
