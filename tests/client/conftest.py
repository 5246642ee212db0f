"""A limiter per test: the process's shared ones outlive a sandbox and its port."""

import pytest

from amx_kimi.client import limiter


@pytest.fixture(autouse=True)
def _no_shared_limiters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limiter, "_SHARED", {})
