"""After trouble of any kind a closed client leaves no task, no thread and no open file behind."""

from __future__ import annotations

import asyncio
import gc
import random
import threading
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from amx_kimi.client import KimiClient, SyncKimiClient
from amx_kimi.errors import KimiError
from amx_kimi.sandbox import Sandbox
from amx_kimi.sandbox.faults import KINDS

from .helpers import QUICK, ask, profile, until


def there_is() -> tuple[int, set[str]]:
    """Open files and sockets of this process, and its threads."""
    gc.collect()
    return len(list(Path("/proc/self/fd").iterdir())), {
        thread.name for thread in threading.enumerate()
    }


@pytest.mark.parametrize("seed", range(6))
def test_a_client(
    start_sandbox: Callable[..., Sandbox], monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setenv("AMX_LLM_TIMEOUT_SEC", "0.3")
    monkeypatch.setenv("AMX_KIMI_TOTAL_TIMEOUT_SEC", "1")
    dice = random.Random(seed)
    faults = ",".join(f"{kind}:0.15" for kind in dice.sample(KINDS, 6))
    sandbox = start_sandbox(faults=faults, seed=seed, retry_after=False, minute=0.05, latency=0.01)
    left: list[str] = []

    async def one(client: KimiClient, patience: float) -> None:
        try:
            with anyio.move_on_after(patience):
                await client.chat(ask())
        except KimiError:
            pass

    async def main() -> None:
        async with (
            KimiClient(profile(sandbox.url), backoff=QUICK, retries=1, patience=0.2) as client,
            anyio.create_task_group() as group,
        ):
            for _ in range(25):
                group.start_soon(one, client, dice.choice((0.02, 0.2, 5.0)))
        others = asyncio.all_tasks() - {asyncio.current_task()}
        left.extend(str(task) for task in others if task is not None)

    before = there_is()
    anyio.run(main)
    assert left == []
    until(lambda: there_is() == before)  # the sandbox, in this process too, closes its ends
    assert sandbox.totals.requests > 3


def test_the_sync_face(start_sandbox: Callable[..., Sandbox]) -> None:
    sandbox = start_sandbox(faults="reset-within:0.3,500:0.2", seed=3)

    def use() -> None:
        with SyncKimiClient(profile(sandbox.url), backoff=QUICK) as client:
            for _ in range(5):
                assert client.chat(ask()).content

    use()  # starts the one thread of this process
    before = there_is()
    use()
    until(lambda: there_is() == before)
