"""Configuration files in the test's own folder."""

from collections.abc import Callable
from pathlib import Path

import pytest

from amx_kimi.settings import Settings


@pytest.fixture
def write(home: Path) -> Callable[[str, str], Path]:
    """Write a file of the configuration folder."""

    def write_file(name: str, text: str) -> Path:
        home.mkdir(exist_ok=True)
        path = home / name
        path.write_text(text, "utf-8")
        return path

    return write_file


@pytest.fixture
def settings() -> Settings:
    return Settings.from_environment()
