"""From an answer to entries, one by one, so that prose, fences and cuts cost nothing else."""

import json
import re
from dataclasses import dataclass
from typing import Any

from amx_kimi.annotate.batch import Batch
from amx_kimi.types import Confidence

__all__ = ["Entry", "parse"]

_KEY = re.compile(r'"((?:[^"\\\n]|\\.){1,400})"\s*:\s*(?=[\["])')
_REFERENCE = re.compile(r"\s*(T?\d{1,6})(?:[\s:.)-]+(.*))?$", re.DOTALL)
_CONFIDENCE: dict[str, Confidence] = {
    "h": "high",
    "high": "high",
    "m": "medium",
    "med": "medium",
    "medium": "medium",
    "l": "low",
    "low": "low",
}
_LONGEST_WORDING = 2_000
_DECODER = json.JSONDecoder()


@dataclass(frozen=True)
class Entry:
    """One complete entry: the wordings, the declared confidence, and where in the answer the first
    wording stands (start and end, in characters)."""

    wordings: tuple[str, ...]
    confidence: Confidence
    span: tuple[int, int]


def parse(content: str, batch: Batch, alternatives: int) -> dict[str, Entry]:
    """The usable entries of an answer, by reference (`T1`, `1`) into `batch.refs`.

    The id decides. A name that belongs to another item of the batch contradicts it, and an entry
    without an id counts by its name; what is left is missing. The first entry for an item stays.
    """
    names = {_plain(name): ref for ref, name in _names(batch).items()}
    found: dict[str, Entry] = {}
    position = 0
    while key := _KEY.search(content, position):
        position = key.end()
        try:
            value, end = _DECODER.raw_decode(content, position)
        except (ValueError, RecursionError):
            continue  # cut off, or a quote inside prose
        ref = _reference(_unescaped(key[1]), batch, names)
        entry = _entry(value, content, position, alternatives)
        if entry is not None:
            position = end
        if entry is not None and ref is not None:
            found.setdefault(ref, entry)
    return found


def _names(batch: Batch) -> dict[str, str]:
    return {ref: stored.item.column or stored.item.name for ref, stored in batch.refs.items()}


def _reference(key: str, batch: Batch, names: dict[str, str]) -> str | None:
    matched = _REFERENCE.match(key)
    if matched is None or matched[1] not in batch.refs:
        return names.get(_plain(key))
    ref, name = matched[1], _plain(matched[2] or "")
    stored = batch.refs[ref].item
    if name in ("", _plain(stored.column or stored.name), _plain(stored.name)):
        return ref
    return None if name in names else ref


def _entry(value: Any, content: str, start: int, alternatives: int) -> Entry | None:
    parts = [value] if isinstance(value, str) else value
    texts = [part for part in parts if isinstance(part, str)]
    confidence: Confidence = "low"
    if texts and (said := _CONFIDENCE.get(texts[0].strip().lower())):
        confidence, texts = said, texts[1:]
    wordings = tuple(dict.fromkeys(filter(None, map(_clean, texts))))[:alternatives]
    if not wordings:
        return None
    return Entry(wordings, confidence, _span(content, start, texts[0]))


def _span(content: str, start: int, wording: str) -> tuple[int, int]:
    """Where the first wording stands, as the model escaped it."""
    for written in (json.dumps(wording, ensure_ascii=False), json.dumps(wording)):
        at = content.find(written, start)
        if at >= 0:
            return at + 1, at + len(written) - 1
    return start, start


def _clean(text: str) -> str:
    """One line without control characters, bounded."""
    plain = text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)
    return " ".join(plain.split())[:_LONGEST_WORDING].rstrip()


def _unescaped(key: str) -> str:
    try:
        return str(json.loads(f'"{key}"'))
    except ValueError:
        return key


def _plain(name: str) -> str:
    return " ".join(name.split()).strip("\"'`").casefold()
