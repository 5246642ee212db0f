"""Being at work on a run: all that is written is written under its claim, which is kept alive."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from amx_kimi.errors import JournalError
from amx_kimi.journal.journal import Journal
from amx_kimi.journal.lease import LEASE_SECONDS, Claim, renew

__all__ = ["at_work"]

_PATIENCE_SECONDS = 5.0


@contextmanager
def at_work(journal: Journal, claim: Claim) -> Iterator[None]:
    """Write under a claim, and renew its lease, until the block ends.

    In a thread of its own: an event loop that waits for a person's answer renews nothing. Where
    renewing fails, the next thing to be written says why.
    """
    ended = threading.Event()

    def keep() -> None:
        while not ended.wait(LEASE_SECONDS / 4):
            with suppress(JournalError):
                journal.write_now(renew, claim)

    keeper = threading.Thread(target=keep, name="kimi-lease", daemon=True)
    keeper.start()
    journal.claim = claim
    try:
        yield
    finally:
        journal.claim = None
        ended.set()
        keeper.join(_PATIENCE_SECONDS)
