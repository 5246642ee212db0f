"""Finds what went wrong in an error document of any shape.

One walk over the document, by the names of its keys, handles them all: OpenAI's `error`, FastAPI's
`detail`, OpenRouter's `metadata.raw`, MiniMax's `base_resp`, Azure's `innererror`, a bare
`code` with `msg`, a string, a web page.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Said", "is_refusal", "read_said"]

_TEXTS = (  # what is for people, best first
    *("message", "msg", "detail", "error_description", "error_msg", "errmsg", "status_msg"),
    *("error", "reason", "title", "raw"),
)
_KINDS = ("type", "code", "status", "error_code", "errcode", "status_code", "http_code", "kind")
_INSIDE = ("error", "errors", "detail", "details", "metadata", "raw", "innererror", "inner_error")
_MORE = ("body", "data", "base_resp", "reasons", "cause", "choices")
_CODES = ("code", "error_code", "errcode", "status")
_GOOD = ("0", "200", "true", "ok", "success", "succeeded", "running", "processing", "pending")
_DEEPEST = 8
_MOST_NODES = 400
_LONGEST = 2_000
_DULL = re.compile(r"provider returned error|an error occurred|bad_?response_?status_?code|error")


@dataclass(frozen=True)
class Said:
    """What a server said. `kinds` are types and codes, and `texts` the texts for people, outermost
    first. `status` is an HTTP status inside (0: none); `headers` are those of a server behind."""

    kinds: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """The first type or code that is a word."""
        return next((kind for kind in self.kinds if not kind.isdecimal()), "")

    @property
    def text(self) -> str:
        """The text for people: the outermost one, and what inner ones add."""
        told: list[str] = []
        for text in self.texts:
            if not any(text in known for known in told):
                told.append(text)
        if len(told) > 1:
            first = told[0].strip(" .:").lower()
            if _DULL.fullmatch(first):
                told = told[1:]
        return " | ".join(told)

    @property
    def probe(self) -> str:
        """Everything in one text, in which the table of refusals looks for words."""
        kinds, texts = " ".join(self.kinds), " | ".join(self.texts)
        return f"{kinds}: {texts}".lower()


def is_refusal(document: Any) -> bool:
    """Whether a document that came with status 200 says that something went wrong."""
    if isinstance(document, list) and document:  # Google's gateway
        document = document[0]
    if not isinstance(document, Mapping):
        return False
    if document.get("error") or document.get("object") == "error":
        return True
    base = document.get("base_resp")
    if isinstance(base, Mapping) and _is_bad(base.get("status_code")):
        return True
    if "choices" in document:
        choices = document["choices"]
        pieces = choices if isinstance(choices, list) else []
        return any(isinstance(piece, Mapping) and piece.get("error") for piece in pieces)
    has_words = any(document.get(key) for key in ("message", "msg", "error_msg", "errmsg"))
    has_bad_code = any(_is_bad(document.get(key)) for key in _CODES)
    has_code = has_bad_code or document.get("success") is False
    has_reason = document.get("errors") or (document.get("detail") and "data" not in document)
    return bool(has_reason or (has_words and has_code))


def _is_bad(code: Any) -> bool:
    """Whether a code beside a message is one of a failure."""
    return bool(code) and str(code).lower() not in _GOOD


def read_said(body: Any) -> Said:
    """What an error's body says: a text (JSON, HTML or plain), or a document."""
    document = _document(body) if isinstance(body, str) else body
    if isinstance(document, str):
        return Said(texts=(_of_page(document),) if document else ())
    if not isinstance(document, Mapping | list):
        return Said(texts=(str(document),))
    kinds: list[str] = []
    texts: list[str] = []
    headers: dict[str, str] = {}
    for key, value in _walk(document):
        if key == "headers" and isinstance(value, Mapping):
            headers |= {str(name).lower(): str(text) for name, text in value.items()}
        elif key in _KINDS and isinstance(value, str | int) and not isinstance(value, bool):
            kinds.append(str(value)[:100])
        elif isinstance(value, str) and value.strip():
            texts.append(value.strip()[:_LONGEST])
    return Said(tuple(kinds), tuple(texts), _status(kinds), headers)


def _walk(node: Any, depth: int = 0, budget: list[int] | None = None) -> Iterator[tuple[str, Any]]:
    """The keys that say something, with their values, from the outside to the inside."""
    budget = [_MOST_NODES] if budget is None else budget
    if depth > _DEEPEST or budget[0] <= 0:
        return
    budget[0] -= 1
    if isinstance(node, list):
        for one in node:
            yield from _of_entry(one, depth, budget)
        return
    if not isinstance(node, Mapping):
        return
    if isinstance(place := node.get("loc"), list):  # FastAPI: where, then what
        where = ".".join(map(str, place))
        node = {**node, "msg": f"{where}: {node.get('msg', '')}"}
    for key in (*_KINDS, "headers"):
        if key in node:
            yield key, node[key]
    for key in _TEXTS:
        if key in node and isinstance(node[key], str):
            yield from _of_text(key, node[key], depth, budget)
    for key in (*_INSIDE, *_MORE):
        if isinstance(node.get(key), Mapping | list):
            yield from _walk(node[key], depth + 1, budget)


def _of_entry(one: Any, depth: int, budget: list[int]) -> Iterator[tuple[str, Any]]:
    if isinstance(one, str):
        yield "message", one
    else:
        yield from _walk(one, depth + 1, budget)


def _of_text(key: str, text: str, depth: int, budget: list[int]) -> Iterator[tuple[str, Any]]:
    """A text for people, which may be JSON itself, or end with JSON."""
    start = next((at for at, letter in enumerate(text) if letter in "{["), -1)
    inner = _document(text[start:].strip()) if start >= 0 else None
    if isinstance(inner, Mapping | list):
        if before := text[:start].strip(" :-"):
            yield key, before
        yield from _walk(inner, depth + 1, budget)
    else:
        yield key, _of_page(text)


def _status(kinds: list[str]) -> int:
    figures = (int(kind) for kind in kinds if re.fullmatch(r"[45]\d\d", kind))
    return next(figures, 0)


def _document(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _of_page(text: str) -> str:
    """The title of a web page; any other text as it is."""
    title = re.search(r"<title[^>]{0,200}>([^<]{1,200})", text, re.IGNORECASE)
    return title[1].strip() if title else text[:_LONGEST]
