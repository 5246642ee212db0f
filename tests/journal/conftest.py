"""A journal in SQLite and one in PostgreSQL, fresh for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from amx_kimi.journal import Journal


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str | Path:
    """Where a journal may be made: a path, or the URL of an empty database."""
    if request.param == "sqlite":
        return tmp_path / "folder" / "kimi.db"
    url: str = request.getfixturevalue("fresh_postgres")
    return url


@pytest.fixture
def journal(store: str | Path) -> Iterator[Journal]:
    """An open journal there."""
    with Journal(store) as opened:
        yield opened
