"""Exactly what a run would send: with inventory, statistics, masking and packing as in a run."""

import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amx_kimi.annotate.asking import question
from amx_kimi.annotate.inventory import take_inventory
from amx_kimi.annotate.job import Job, OpenRun
from amx_kimi.annotate.opening import Target, begin_run
from amx_kimi.annotate.pack import packer_of
from amx_kimi.annotate.pending import batches
from amx_kimi.annotate.reader import Reader
from amx_kimi.config import LearnedStore
from amx_kimi.journal import Journal, digest_of
from amx_kimi.policy import plan
from amx_kimi.settings import Settings

__all__ = ["Payload", "payloads"]


@dataclass(frozen=True)
class Payload:
    """One request: what it is about, its JSON body, and the digest of its messages, as a run
    stores it."""

    label: str
    body: dict[str, Any]
    digest: str


async def payloads(
    job: Job, target: Target, settings: Settings, notes: list[str]
) -> AsyncIterator[Payload]:
    """The requests of a run with an empty journal. Nothing is sent, and no key is needed.

    At the end, the source's notes are in `notes`.

    Raises:
        KimiError: the database is unusable, or there is nothing to describe.
    """
    learned = LearnedStore(settings.config_dir).quirks(job.profile.base_url, job.profile.model)
    facts = job.profile.facts(learned)
    packer = packer_of(job, facts, settings)
    with (
        tempfile.TemporaryDirectory(prefix="amx-kimi-") as folder,
        Journal(Path(folder) / "payload.db") as journal,
    ):
        async with Reader(lambda: target.open(job)) as reader:
            run = OpenRun(await journal.write(begin_run, job, target, reader), job, journal, reader)
            await take_inventory(run)
            async for batch in batches(run, packer):
                ask = question(batch, job, packer.expectation, run.id)
                body = plan(job.profile, facts, settings, ask).body
                body.pop("prompt_cache_key", None)  # contains the run's id, but there is no run
                yield Payload(batch.label, body, digest_of(ask.messages))
            notes += reader.source.notes
