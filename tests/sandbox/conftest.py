"""Sandboxes that end with their test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from amx_kimi.sandbox import Options, Sandbox

from .helpers import KEY, Client


@pytest.fixture
def start() -> Iterator[Callable[..., Client]]:
    with ExitStack() as stack:

        def begin(**options: Any) -> Client:
            sandbox = stack.enter_context(Sandbox(Options(**options)))
            headers = {"Authorization": f"Bearer {KEY}"}
            http = stack.enter_context(httpx.Client(headers=headers, timeout=10, trust_env=False))
            return Client(sandbox, http)

        yield begin


@pytest.fixture
def client(start: Callable[..., Client]) -> Client:
    return start()
