"""Sentences about columns and tables, by rules: the same facts give the same sentences."""

from __future__ import annotations

import re
from typing import Any

from amx_kimi.sandbox.shapes import Column, Described, Table
from amx_kimi.sandbox.words import Word, is_flag, lexicon, split

_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _/-]{0,11}")
_CODED = ("code", "flag", "status", "unit", "currency")
_MOST_CODES = 6
_MOST_PARTS = 3
_MOSTLY = 0.9


def language_of(name: object) -> str:
    """``de`` for German under any of its names, otherwise ``en``."""
    return "de" if str(name).strip().lower() in ("de", "german", "deutsch", "de-de") else "en"


def column(col: Column, table: Table, language: str, count: int) -> Described:
    """A column's confidence and this many wordings."""
    words = split(col.name)
    templates = lexicon().templates[language]
    kind = _kind(col, words)
    what = _phrase(words, templates)
    entity = entity_of(table.name, language)
    subject = _phrase(words[:-1], templates) if len(words) > 1 else what
    if kind == "id" and not col.fk and _is_key(words, subject, entity):
        kind = "key"
    slots = {"what": what, "subject": subject, "entity": entity}
    patterns = [*templates.get(kind, ()), *templates["any"]]
    wordings = _fill(patterns, slots, count)
    detail = _detail(col, table, kind, templates["details"])
    if col.hint:
        return _hinted(col.hint, tuple(wordings), what)
    return Described(
        confidence=_confidence(words, bool(col.fk)),
        wordings=tuple(wording + detail for wording in wordings),
        what=what,
    )


def table(tab: Table, language: str, count: int) -> Described:
    """A table's confidence and this many wordings."""
    templates = lexicon().templates[language]
    entity = entity_of(tab.name, language)
    slots = {"entity": entity, "what": entity, "subject": entity, "parts": _parts(tab, language)}
    wordings = tuple(_fill(templates["table"], slots, count))
    if tab.hint:
        return _hinted(tab.hint, wordings, entity)
    return Described(
        confidence=_confidence(split(_last(tab.name)), False),
        wordings=wordings,
        what=entity,
    )


def _hinted(hint: str, wordings: tuple[str, ...], what: str) -> Described:
    """A person's hint is taken at its word."""
    said = _capital(hint.strip().rstrip("."))
    return Described("h", tuple(f"{said}: {wording}" for wording in wordings), what)


def plain(language: str = "en") -> str:
    """Who is speaking."""
    return str(lexicon().templates[language]["plain"])


def because(described: Described, language: str = "en") -> str:
    """Why a description reads as it does."""
    return str(lexicon().templates[language]["because"]).format(what=described.what)


def entity_of(table_name: str, language: str) -> str:
    """What a row of the table is, from the table's name."""
    words = split(_last(table_name))
    templates = lexicon().templates[language]
    return _phrase(words, templates) or str(templates["entity"])


def _last(name: str) -> str:
    return name.rsplit(".", 1)[-1]


def _phrase(words: tuple[Word, ...], templates: dict[str, Any]) -> str:
    join = str(templates["joins"][0])
    if join == "-":
        texts = [word.link for word in words[:-1]] + [word.de for word in words[-1:]]
    else:
        texts = [word.en for word in words]
    unique = [text for at, text in enumerate(texts) if at == 0 or text != texts[at - 1]]
    return join.join(unique)


def _kind(col: Column, words: tuple[Word, ...]) -> str:
    kind = words[-1].kind if words else ""
    if is_flag(col.name):
        return "flag"
    type_ = col.type.lower()
    if "bool" in type_:
        return "flag"
    if not kind and ("date" in type_ or "time" in type_):
        return "date" if type_ == "date" else "time"
    return "id" if col.fk and not kind else kind


def _is_key(words: tuple[Word, ...], subject: str, entity: str) -> bool:
    generic = lexicon().generic
    return all(word.en in generic for word in words) or entity.endswith(subject)


def _confidence(words: tuple[Word, ...], linked: bool) -> str:
    if linked or (words and all(word.known for word in words)):
        return "h"
    return "m" if any(word.known or word.plain for word in words) else "l"


def _fill(patterns: list[str], slots: dict[str, str], count: int) -> list[str]:
    slots = {key: value.replace("{", "(").replace("}", ")") for key, value in slots.items()}
    whole = {**slots, "What": _capital(slots["what"])}
    out: list[str] = []
    for pattern in patterns:
        sentence = _capital(pattern.format(**whole))
        if sentence not in out:
            out.append(sentence)
    more = (f"{out[n % len(out)][:-1]} ({n // len(out) + 1})." for n in range(len(out), count))
    return [*out, *more][:count]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _detail(col: Column, tab: Table, kind: str, templates: dict[str, str]) -> str:
    if col.fk:
        return templates["fk"].format(fk=re.sub(r"[^\w.]+", " ", col.fk)[:120])
    codes = [text for text in dict.fromkeys(col.samples) if _CODE.fullmatch(text)]
    few = codes and len(codes) == len(set(col.samples)) and len(codes) <= _MOST_CODES
    if kind in _CODED and few:
        return templates["codes"].format(codes=", ".join(codes))
    if col.nulls and tab.rows and col.nulls >= _MOSTLY * tab.rows:
        return templates["nulls"]
    return ""


def _parts(tab: Table, language: str) -> str:
    templates = lexicon().templates[language]
    split_names = [split(col.name) for col in tab.columns]
    telling = [words for words in split_names if any(w.en not in lexicon().generic for w in words)]
    named = (_phrase(words, templates) for words in telling)
    picked = list(dict.fromkeys(named))[:_MOST_PARTS]
    if not picked:
        return str(templates["parts"])
    _, comma, last = templates["joins"]
    return str(last).join([str(comma).join(picked[:-1]), picked[-1]] if picked[1:] else picked)
