"""`kimi-learned.json`: what endpoints taught, forgotten after 30 days, and each last check."""

import json
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from amx_kimi.config.files import learned_path, read_bounded, rewrite
from amx_kimi.facts import Quirk

__all__ = ["KeyCheck", "LearnedStore", "Served"]

_KEPT = timedelta(days=30)
_LIMITS = "limits"  # beside the endpoints' URLs: account -> its limits, as the service said
_KINDS = ("concurrency", "rpm", "tpm")
_MODELS = "models"  # beside the endpoints' URLs: endpoint -> the models that it serves
_CHECKS = "checks"  # beside the endpoints' URLs: profile -> how its last check went


@dataclass(frozen=True)
class KeyCheck:
    """How a check of a profile went, and on what day (ISO)."""

    ok: bool
    detail: str
    on: str


@dataclass(frozen=True)
class Served:
    """The models that an endpoint listed (id -> context; 0: unknown), and on which day."""

    models: dict[str, int]
    on: str


class LearnedStore:
    """The contents of the file, which is disposable: if it cannot be read, it counts as empty.

    `today` is for tests.
    """

    def __init__(self, folder: Path, today: date | None = None) -> None:
        self._path = learned_path(folder)
        self._today = today

    def quirks(self, url: str, model: str) -> tuple[Quirk, ...]:
        """What is still remembered about `model` at the endpoint `url`."""
        rows = self._document().get(url, {}).get(model, {})
        found = (_quirk(parameter, row) for parameter, row in rows.items())
        return tuple(quirk for quirk in found if quirk and self._fresh(quirk))

    def learn(self, url: str, model: str, quirks: tuple[Quirk, ...]) -> None:
        """Remember quirks that a repeated request proved.

        Raises:
            ConfigFileError: the file cannot be written.
        """

        def change(text: str) -> str:
            document = _parse(text)
            rows = document.setdefault(url, {}).setdefault(model, {})
            for quirk in quirks:
                rows[quirk.parameter] = {
                    "action": quirk.action,
                    "value": quirk.value,
                    "learned_on": (self._today or date.today()).isoformat(),
                }
            return json.dumps(document, indent=1, ensure_ascii=False) + "\n"

        rewrite(self._path, change, undecodable="replace")

    def limits(self, account: str) -> dict[str, int]:
        """An account's limits, as the service said: `concurrency`, `rpm`, `tpm`."""
        rows = self._document().get(_LIMITS, {}).get(account, {})
        found = {}
        for kind, row in rows.items() if isinstance(rows, dict) else ():
            figure = row.get("figure") if isinstance(row, dict) else None
            if kind in _KINDS and isinstance(figure, int) and figure > 0 and self._recent(row):
                found[kind] = figure
        return found

    def learn_limit(self, account: str, kind: str, figure: int) -> None:
        """Remember a limit that the service named.

        Raises:
            ConfigFileError: the file cannot be written.
        """
        if kind not in _KINDS or self.limits(account).get(kind) == figure:
            return

        def change(text: str) -> str:
            document = _parse(text)
            row = {"figure": figure, "learned_on": (self._today or date.today()).isoformat()}
            document.setdefault(_LIMITS, {}).setdefault(account, {})[kind] = row
            return json.dumps(document, indent=1, ensure_ascii=False) + "\n"

        rewrite(self._path, change)

    def served(self, url: str) -> Served | None:
        """The endpoint's list of models as last seen, however long ago; None if never."""
        row = self._document().get(_MODELS, {}).get(url, {})
        models = row.get("served")
        if not isinstance(models, dict):
            return None
        found = {str(id_): size if _is_count(size) else 0 for id_, size in models.items()}
        return Served(found, str(row.get("on")))

    def note_served(self, url: str, models: dict[str, int]) -> Served:
        """Remember an endpoint's list of models.

        Raises:
            ConfigFileError: the file cannot be written.
        """
        served = Served(models, (self._today or date.today()).isoformat())

        def change(text: str) -> str:
            document = _parse(text)
            document.setdefault(_MODELS, {})[url] = {"served": models, "on": served.on}
            return json.dumps(document, indent=1, ensure_ascii=False) + "\n"

        rewrite(self._path, change, undecodable="replace")
        return served

    def last_check(self, profile: str, url: str, model: str) -> KeyCheck | None:
        """The last check of this profile's key and model; None if the profile changed since."""
        row = self._document().get(_CHECKS, {}).get(profile, {})
        if (row.get("url"), row.get("model")) != (url, model):
            return None
        is_ok = row.get("ok") is True
        return KeyCheck(is_ok, str(row.get("detail")), str(row.get("on")))

    def note_check(self, profile: str, url: str, model: str, ok: bool, detail: str) -> None:
        """Remember how a check went.

        Raises:
            ConfigFileError: the file cannot be written.
        """
        on = (self._today or date.today()).isoformat()
        row = {"url": url, "model": model, "ok": ok, "detail": detail, "on": on}

        def change(text: str) -> str:
            document = _parse(text)
            document.setdefault(_CHECKS, {})[profile] = row
            return json.dumps(document, indent=1, ensure_ascii=False) + "\n"

        rewrite(self._path, change, undecodable="replace")

    def _document(self) -> dict[str, Any]:
        try:
            return _parse(read_bounded(self._path))
        except (OSError, UnicodeDecodeError):
            return {}

    def _recent(self, row: dict[str, Any]) -> bool:
        try:
            learned = date.fromisoformat(str(row.get("learned_on")))
        except ValueError:
            return False
        return (self._today or date.today()) - learned <= _KEPT

    def _fresh(self, quirk: Quirk) -> bool:
        today = self._today or date.today()
        return quirk.learned_on is not None and today - quirk.learned_on <= _KEPT


def _parse(text: str) -> dict[str, Any]:
    """The document (endpoint -> model -> parameter), without parts of any other shape."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(document, dict):
        return {}
    return {
        url: {model: rows for model, rows in models.items() if isinstance(rows, dict)}
        for url, models in document.items()
        if isinstance(models, dict)
    }


def _quirk(parameter: str, row: Any) -> Quirk | None:
    try:
        if row["action"] not in ("drop", "set"):
            return None
        if parameter in ("context", "max_output", "prompt") and not _is_count(row.get("value")):
            return None
        learned_on = date.fromisoformat(row["learned_on"])
        return Quirk(parameter, row["action"], row.get("value"), learned_on)
    except (TypeError, KeyError, ValueError, AttributeError):
        return None


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and value > 0
