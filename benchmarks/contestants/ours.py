"""amx-kimi's client: `python -m benchmarks.contestants.ours TASK`."""

import asyncio
import json
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from amx_kimi.client import KimiClient
from amx_kimi.client.limiter import Limits
from amx_kimi.config import Profile
from amx_kimi.errors import KimiError
from amx_kimi.facts import load_catalog
from amx_kimi.settings import Settings
from amx_kimi.types import Ask


async def ask_all(task: dict[str, Any], folder: str) -> dict[str, Any]:
    """Ask every prompt, as many at once as the client has places for."""
    endpoint = load_catalog().endpoint("moonshot-ai")
    assert endpoint is not None
    endpoint = replace(endpoint, url=task["url"])
    profile = Profile("bench", endpoint, model=task["model"], api_key=task["key"])
    settings = Settings(config_dir=Path(folder))
    answered = active = 0
    changed = asyncio.Event()

    async def one(client: KimiClient, prompt: str) -> None:
        nonlocal answered, active
        ask = Ask(messages=({"role": "user", "content": prompt},), prompt_tokens=task["tokens"])
        try:
            reply = await client.chat(ask)
            answered += bool(reply.content)
        except KimiError as error:
            print(error, file=sys.stderr)
        finally:
            active -= 1
            changed.set()

    begun, cpu = time.perf_counter(), time.process_time()
    limits = Limits(**task["settings"])
    async with KimiClient(profile, settings, limits=limits) as client, asyncio.TaskGroup() as group:
        client.on_change = changed.set
        for number in range(task["prompts"]):
            while active >= client.places:  # as a run does: a question is made when it has a place
                changed.clear()
                await changed.wait()
            active += 1
            group.create_task(one(client, task["prompt"].replace("{}", str(number))))
    seconds, cpu = time.perf_counter() - begun, time.process_time() - cpu
    return {"seconds": seconds, "cpu": cpu, "answered": answered}


def main() -> None:
    """Do the task, print the figures."""
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(asyncio.run(ask_all(json.loads(sys.argv[1]), folder))))


if __name__ == "__main__":
    main()
