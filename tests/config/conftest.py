"""Configuration files in the test's own folder."""

from collections.abc import Callable
from pathlib import Path

import keyring.core
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import PasswordDeleteError

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


class Shelf(KeyringBackend):
    """A keyring in memory."""

    priority = 1  # type: ignore[assignment]
    name = "shelf"

    def __init__(self) -> None:
        super().__init__()
        self.held: dict[str, str] = {}
        self.locked = False

    def get_password(self, service: str, username: str) -> str | None:
        if self.locked:
            raise RuntimeError("locked")
        return self.held.get(username) if service == "amx" else None

    def set_password(self, service: str, username: str, password: str) -> None:
        assert service == "amx"
        if self.locked:
            raise RuntimeError("locked")
        self.held[username] = password

    def delete_password(self, service: str, username: str) -> None:
        assert service == "amx"
        if self.held.pop(username, None) is None:
            raise PasswordDeleteError


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> Shelf:
    shelf = Shelf()
    monkeypatch.setattr(keyring.core, "_keyring_backend", shelf)
    for name in ("night", "day"):
        shelf.held[f"//amx/{name}/api_key"] = f"sk-{name}-0123456789"
        shelf.held[f"llm_profiles/{name}/api_key"] = f"sk-{name}-0123456789"
    return shelf
