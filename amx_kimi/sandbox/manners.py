"""How other servers differ: one name for each manner, for ``--set`` and for faults.

- of content: thinking and drafts that stand inside it
- of the wire: labels, framing, shapes and figures
- refusals: ``manners.yml``
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

THOUGHT = "The user wants descriptions. I look at each name first, then at its type and samples."

_Retell = Callable[[str], str]


def _draft(text: str) -> str:
    """An answer of the same shape that is not meant: every wording says so."""
    try:
        entries = json.loads(text)
    except ValueError:
        return text
    if not isinstance(entries, dict):
        return text
    return json.dumps({key: ["h", f"DRAFT of {key}, not meant to be read."] for key in entries})


def _corrected(text: str) -> str:
    """The answer with a draft of its last entry, and that entry once more behind it."""
    try:
        entries = json.loads(text)
    except ValueError:
        return text
    if not isinstance(entries, dict) or not entries:
        return text
    last = [*entries][-1]
    draft = {**entries, last: ["h", f"DRAFT of {last}, not meant to be read."]}
    return f"{json.dumps(draft)}\nWait, one correction:\n{json.dumps({last: entries[last]})}"


CONTENTS: Mapping[str, tuple[str, _Retell]] = {
    "think-tags": ("thinking between <think> marks", lambda t: f"<think>{THOUGHT}</think>\n\n{t}"),
    "think-close": ("only the closing </think>", lambda t: f"{THOUGHT} {_draft(t)}</think>{t}"),
    "think-draft": (
        "a draft in the answer's own format between the marks",
        lambda t: f"<think>Perhaps:\n{_draft(t)}\nNo.</think>\n{t}",
    ),
    "think-between": (
        "an answer, thinking, and another answer",
        lambda t: f"{_draft(t)}\n<think>Not good.</think>\n{t}",
    ),
    "think-kimi": ("Kimi-VL's marks", lambda t: f"◁think▷{_draft(t)}◁/think▷{t}"),
    "think-k3": (
        "Kimi K3's own sections",
        lambda t: (
            f"<|open|>think<|sep|>{_draft(t)}<|close|>think<|sep|>"
            f"<|open|>response<|sep|>{t}<|close|>response<|sep|><|end_of_msg|>"
        ),
    ),
    "think-brackets": ("Magistral's marks", lambda t: f"[THINK]{_draft(t)}[/THINK]{t}"),
    "draft": (
        "a draft without any marks",
        lambda t: f"{THOUGHT}\n{_draft(t)}\nThat is too vague. The answer is:\n{t}",
    ),
    "correction": ("an answer, and one entry of it once more", _corrected),
    "example": (
        "an example of the format behind the answer",
        lambda t: f'{t}\nThis is as {{"T1": ["h", "first wording"], "1": ["m", "…"]}} says.',
    ),
    "sure-in-words": (
        "the confidence in other words",
        lambda t: t.replace('["h",', '["High confidence",').replace('["l",', '["niedrig",'),
    ),
    "prose": ("prose and nothing else", lambda _: "I am sorry, I can only talk about the weather."),
}
WIRES: Mapping[str, str] = {
    "in-reasoning": "the whole answer in reasoning_content, content empty",
    "in-other-field": "the whole answer in a field named response, content empty",
    "ends-without-done": "streams end after usage, without [DONE]",
    "parts": "content as a list of typed parts, thinking among them",
    "thought-flag": "content as parts, thinking told by a flag alone",
    "two-choices": "a second choice, which nobody asked for",
    "stream-as-json": "a stream labeled application/json",
    "stream-as-text": "a stream labeled text/plain",
    "stream-unlabelled": "a stream labeled application/octet-stream",
    "json-as-stream": "one JSON document labeled text/event-stream",
    "json-lines": "a JSON document a line instead of events",
    "no-blank-lines": "no blank lines between events",
    "bom": "a byte order mark first",
    "done-blank": "a blank after [DONE]",
    "whole": "stream is ignored: one JSON document",
    "filtered": "a whole answer with finish_reason content_filter",
    "finish-null": "finish_reason is null to the end",
    "usage-huge": "usage of 2^63",
    "usage-float": "usage of 1e26",
    "usage-negative": "negative usage",
    "usage-text": "usage as text",
    "only-v1": "a login page everywhere but under /v1",
    "ceiling": "at most 8,192 output tokens, refused by the parameter's other name",
}
_RESET_HOURS = 7
CEILING = 8192


@dataclass(frozen=True)
class Refused:
    """A refusal to be sent as it is."""

    status: int
    body: str
    about: str = ""
    type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


@cache
def refusals() -> Mapping[str, Refused]:
    """The refusals by name."""
    text = (files("amx_kimi.sandbox") / "manners.yml").read_text("utf-8")
    return {name: Refused(**row) for name, row in yaml.safe_load(text)["refusals"].items()}


@cache
def names() -> Mapping[str, str]:
    """Every manner, and what it is."""
    contents = {name: about for name, (about, _) in CONTENTS.items()}
    return {**contents, **WIRES, **{name: row.about for name, row in refusals().items()}}


def refused(manners: frozenset[str]) -> Refused | None:
    """The refusal among these manners, its times filled in."""
    found = next((refusals()[name] for name in sorted(manners) if name in refusals()), None)
    if found is None:
        return None
    reset = str(round((time.time() + _RESET_HOURS * 3600) * 1000))
    return replace(found, body=found.body.replace("RESET_MS", reset))


def above_ceiling(body: Mapping[str, Any]) -> Refused | None:
    """The refusal of a larger output budget, by the name that was not sent, in back quotes."""
    other = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}
    for sent, named in other.items():
        if isinstance(body.get(sent), int) and body[sent] > CEILING:
            message = f"`{named}` must be less than or equal to `{CEILING:,}` for this model"
            return Refused(400, json.dumps({"error": {"message": message, "type": None}}))
    return None
