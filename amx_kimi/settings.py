"""The one place that reads environment variables; nothing here or elsewhere writes them.

`Settings.from_environment()` reads and validates those that amx-kimi knows; `read_variable` serves
references such as `api_key_ref: env:NAME`; `child_environment` is what another program gets.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeVar, cast, get_args

from amx_kimi.conceal import shown
from amx_kimi.errors import SettingError
from amx_kimi.types import Secret

__all__ = ["EFFORTS", "VARIABLES", "Effort", "Settings", "child_environment", "read_variable"]

Effort = Literal["none", "minimal", "low", "medium", "high", "max"]
EFFORTS: tuple[Effort, ...] = get_args(Effort)
"""Reasoning efforts, least first."""

VARIABLES: Mapping[str, str] = {
    "AMX_LLM_API_KEY": "the API key if the profile has none",
    "AMX_LLM_MIN_MAX_TOKENS": "the smallest output budget on reasoning routes, in tokens (32768)",
    "AMX_REASONING_EFFORT": f"{', '.join(EFFORTS)} (low)",
    "AMX_LLM_TIMEOUT_SEC": "longest silence of an answer, in seconds (180)",
    "AMX_KIMI_TOTAL_TIMEOUT_SEC": "longest answer in total, in seconds (900)",
    "AMX_CONFIG_DIR": "the folder of config.yml, kimi.yml and the journal (~/.amx)",
    "AMX_CA_BUNDLE": "a PEM file with additional certificate authorities",
}
"""Every variable that `Settings` reads, and what it does."""

_T = TypeVar("_T")


def read_variable(name: str) -> str | None:
    """The value of environment variable `name`, or None when it is unset or blank."""
    return os.environ.get(name, "").strip() or None


def child_environment(**added: str) -> dict[str, str]:
    """This process's environment with `added`, for a program that it becomes or starts."""
    return {**os.environ, **added}


@dataclass(frozen=True)
class Settings:
    """The environment, validated. None means: not set, the next in precedence decides."""

    api_key: Secret | None = None
    min_max_tokens: int | None = None
    effort: Effort | None = None
    silence_seconds: float = 180.0
    total_seconds: float = 900.0
    config_dir: Path = field(default_factory=lambda: Path.home() / ".amx")
    ca_bundle: Path | None = None

    @classmethod
    def from_environment(cls) -> "Settings":
        """Read the variables in `VARIABLES`.

        Raises:
            SettingError: names the variable, its value, and what is allowed.
        """
        key = read_variable("AMX_LLM_API_KEY")
        return cls(
            api_key=Secret(key) if key else None,
            min_max_tokens=_read("AMX_LLM_MIN_MAX_TOKENS", _tokens),
            effort=_read("AMX_REASONING_EFFORT", _effort),
            silence_seconds=_read("AMX_LLM_TIMEOUT_SEC", _seconds) or cls.silence_seconds,
            total_seconds=_read("AMX_KIMI_TOTAL_TIMEOUT_SEC", _seconds) or cls.total_seconds,
            config_dir=_read("AMX_CONFIG_DIR", _path) or Path.home() / ".amx",
            ca_bundle=_read("AMX_CA_BUNDLE", _file),
        )


def _read(name: str, parse: Callable[[str], _T]) -> _T | None:
    raw = read_variable(name)
    if raw is None:
        return None
    try:
        return parse(raw)
    except ValueError as error:
        raise SettingError(
            f"{name} is {shown(raw)}, which is not allowed; it must be {error}",
            remedy=f"Correct {name}, or unset it.",
        ) from None


def _tokens(raw: str) -> int:
    is_whole = raw.isascii() and raw.isdigit()
    if not is_whole or not 1 <= int(raw) <= 10_000_000:
        raise ValueError("a whole number of tokens from 1 to 10000000")
    return int(raw)


def _effort(raw: str) -> Effort:
    if raw.lower() not in EFFORTS:
        raise ValueError(f"one of {', '.join(EFFORTS)}")
    return cast(Effort, raw.lower())


def _seconds(raw: str) -> float:
    try:
        value = float(raw)
    except ValueError:
        value = -1.0
    if not 0 < value <= 86_400:
        raise ValueError("a number of seconds above 0 and up to 86400")
    return value


def _file(raw: str) -> Path:
    path = _path(raw)
    if not path.is_file():
        raise ValueError("the path of a readable PEM file")
    return path


def _path(raw: str) -> Path:
    try:
        return Path(raw).expanduser()
    except RuntimeError:
        raise ValueError("a path with an existing user's home") from None
