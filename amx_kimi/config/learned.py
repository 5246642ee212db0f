"""`kimi-learned.json`: what endpoints taught us, by endpoint and model; forgotten after 30 days."""

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from amx_kimi.config.files import learned_path, rewrite
from amx_kimi.facts import Quirk

__all__ = ["LearnedStore"]

_KEPT = timedelta(days=30)


class LearnedStore:
    """Quirks on disk. The file is disposable: one that cannot be read counts as empty.

    `today` is for tests.
    """

    def __init__(self, folder: Path, today: date | None = None) -> None:
        self._path = learned_path(folder)
        self._today = today

    def quirks(self, url: str, model: str) -> tuple[Quirk, ...]:
        """What is still remembered of `model` at the endpoint `url`."""
        try:
            text = self._path.read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            return ()
        rows = _parse(text).get(url, {}).get(model, {})
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

    def _fresh(self, quirk: Quirk) -> bool:
        today = self._today or date.today()
        return quirk.learned_on is not None and today - quirk.learned_on <= _KEPT


def _parse(text: str) -> dict[str, Any]:
    """The document, emptied of whatever does not have its shape: endpoint -> model -> parameter."""
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
        if parameter in ("context", "max_output") and not _is_count(row.get("value")):
            return None
        learned_on = date.fromisoformat(row["learned_on"])
        return Quirk(parameter, row["action"], row.get("value"), learned_on)
    except (TypeError, KeyError, ValueError, AttributeError):
        return None


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and value > 0
