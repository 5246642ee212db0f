"""Finds entries in an answer one by one, so that prose, fences or a cut do not spoil the others."""

import json
import re
from dataclasses import dataclass

from amx_kimi.annotate.batch import Batch
from amx_kimi.annotate.plain import plain_text
from amx_kimi.types import Confidence

__all__ = ["Entry", "parse"]

_TEXT = r'"(?:[^"\\]++|\\.)*+"'
_JUNK = r"[\[{][^\[\]{}]*+[\]}]"  # an object or a list where only texts belong
# Possessive, and a key never begins at an escaped quote: no answer takes more than linear time.
_KEY = re.compile(r'(?<!\\)"((?:[^"\\\n]++|\\.)++)"\s*+:\s*+(?=[\["])')
_VALUE = re.compile(rf'{_TEXT}|\[(?:{_TEXT}|{_JUNK}|[^":\[\]{{}}]++)*+\]', re.DOTALL)
_PART = re.compile(rf"{_TEXT}|{_JUNK}", re.DOTALL)
_REFERENCE = re.compile(r"\s*(T?\d{1,6})(?:[\s:.)-]+(.*))?$", re.DOTALL)
_STRING = re.compile(r'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_PROSE = re.compile(r"(?!(?:true|false|null)\b)[^\W\d_]{2,}")
_CONFIDENCES: dict[Confidence, str] = {  # as models say it, in the languages of their answers
    "high": "h high hoch haute haut alta alto élevée высокая yüksek 高 高い",
    "medium": "m med medium moderate mittel moyenne moyen media medio средняя orta 中 中等",
    "low": "l low niedrig gering faible baja bajo bassa basso baixa низкая düşük 低 低い",
}
_CONFIDENCE: dict[str, Confidence] = {
    word: level for level, words in _CONFIDENCES.items() for word in words.split()
}
_LABEL = re.compile(r"\W*(?:confidence|very)\b\W*|\W*\bconfidence\W*$")
_FIGURE = re.compile(r"\d{1,3}(?:[.,/]\d{1,4})?\s*%?")
_MOST_LABEL = 20  # characters of a confidence in words that we do not know
_EXAMPLES = ("first wording", "second wording")  # of our own prompt
_NO_WORDINGS = frozenset((*_EXAMPLES, "null", "none", "n/a", "na", "todo", "tbd", "description"))
_MOST_WORDINGS = 10


@dataclass(frozen=True)
class Entry:
    """One complete entry: the alternatives (`wordings`), the declared confidence, and where in the
    answer the first alternative is (start and end, in characters)."""

    wordings: tuple[str, ...]
    confidence: Confidence
    span: tuple[int, int]


def parse(
    content: str, batch: Batch, alternatives: int, *, markup: bool = False
) -> dict[str, Entry]:
    """The usable entries of an answer, by reference (`T1`, `1`) into `batch.refs`.

    - The id decides, unless the name belongs to another item of the batch. An entry without an id
      counts by its name. Other entries are ignored, and their items are missing.
    - Of several answers, the last one counts. A short answer after a long one only corrects it.
    - Texts have no links and markup, unless `markup` allows them.
    """
    names = _names(batch)
    answers: list[dict[str, Entry]] = [{}]
    position = end = 0
    while key := _KEY.search(content, position):
        position = key.end()
        value = _VALUE.match(content, position)
        if value is None:
            continue  # cut off, or a quote inside prose
        ref = _reference(_unescaped(key[1]) or key[1], batch, names)
        entry = ref and _entry(content, *value.span(), alternatives, markup=markup)
        if ref and entry:
            gap = _STRING.sub("", content[end : key.start()])
            is_new_object = "{" in gap
            others = answers[-1].get(ref, entry).wordings != entry.wordings
            if is_new_object and (others or _PROSE.search(gap)):
                answers.append({})
            answers[-1][ref] = entry
            position = end = value.end()
        elif ref is None and _has_text(value[0]):
            position = end = value.end()
    is_cut = "}" not in content[end:]
    return answers[-1] if is_cut else _last_answer(answers)


def _last_answer(answers: list[dict[str, Entry]]) -> dict[str, Entry]:
    """The entries of the last answer, and those of earlier answers that it only corrects.

    An answer may consist of several objects, one per line or nested. Prose before an object, or
    another text for the same item, starts a new answer.
    """
    found: dict[str, Entry] = {}
    for one in reversed(answers):
        is_draft = 2 * len(found.keys() & one.keys()) >= len(one)
        found = found if is_draft else {**one, **found}
    return found


def _has_text(value: str) -> bool:
    """Whether a value has a text outside of objects, which may contain entries."""
    return any(part[0].startswith('"') for part in _PART.finditer(value))


def _names(batch: Batch) -> dict[str, str | None]:
    """The item of each name; None where several items of the batch share it."""
    names: dict[str, str | None] = {}
    for ref, stored in batch.refs.items():
        name = _plain(stored.item.column or stored.item.name)
        names[name] = None if name in names else ref
    return names


def _reference(key: str, batch: Batch, names: dict[str, str | None]) -> str | None:
    matched = _REFERENCE.match(key)
    if matched is None or matched[1] not in batch.refs:
        return names.get(_plain(key))
    ref, name = matched[1], _plain(matched[2] or "")
    stored = batch.refs[ref].item
    if name in ("", _plain(stored.column or stored.name), _plain(stored.name)):
        return ref
    return None if name in names else ref


def _entry(content: str, start: int, end: int, alternatives: int, *, markup: bool) -> Entry | None:
    """The entry whose value (a list of texts, or one text) is between `start` and `end`."""
    inside = start + (content[start] == "[")
    parts = [part for part in _PART.finditer(content, inside, end) if part[0].startswith('"')]
    texts = [_unescaped(part[0][1:-1]) for part in parts]
    confidence = _confidence_of(texts)
    if confidence:
        texts, parts = texts[1:], parts[1:]
    pairs = [pair for pair in zip(texts, parts, strict=True) if pair[0]][:_MOST_WORDINGS]
    written = [(plain_text(text or "", markup=markup), part) for text, part in pairs]
    written = [(wording, part) for wording, part in written if _is_wording(wording)]
    if not written:
        return None
    wordings = tuple(dict.fromkeys(wording for wording, _ in written))[:alternatives]
    first = written[0][1]
    inside_quotes = (first.start() + 1, first.end() - 1)
    return Entry(wordings, confidence or "low", inside_quotes)


def _confidence_of(texts: list[str | None]) -> Confidence | None:
    """The confidence, if the first of an entry's texts is one rather than a description."""
    first, *others = (text or "" for text in texts) if texts else ("",)
    label = _LABEL.sub("", first.strip().lower())
    if others and _FIGURE.fullmatch(label):
        return "low"  # a figure, on a scale that only the model knows
    levels = [_CONFIDENCE.get(word) for word in re.split(r"[\W_]+", label) if word]
    if levels and None not in levels:
        return levels[0]
    is_sentence = first.rstrip().endswith((".", "。", "!", "?"))
    is_short = len(first) <= _MOST_LABEL and not is_sentence
    if not is_short or not first or not others:
        return None
    return "low" if 3 * len(first) <= min(map(len, others)) else None


def _is_wording(text: str) -> bool:
    """Whether a text can be a description, rather than a placeholder."""
    said = text.strip(" .…<>[]{}()-_").casefold()
    return any(map(str.isalnum, said)) and said not in _NO_WORDINGS


def _unescaped(written: str) -> str | None:
    """The text between the quotes of a JSON string; None if its escapes are broken."""
    if "\\" not in written:
        return written
    try:
        return str(json.loads(f'"{written}"', strict=False))
    except ValueError:
        return None


def _plain(name: str) -> str:
    return " ".join(name.split()).strip("\"'`").casefold()
