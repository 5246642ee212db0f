"""What will be sent for a request: thinking, content, cuts, log-probabilities and the bill."""

from __future__ import annotations

import json
import random
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache
from typing import Any

from amx_kimi.sandbox import tokens
from amx_kimi.sandbox.checks import Ask
from amx_kimi.sandbox.options import Options
from amx_kimi.sandbox.refusals import invalid
from amx_kimi.sandbox.rows import Row
from amx_kimi.sandbox.shapes import Answer, Part

EFFORT_SCALE = {"none": 0.0, "medium": 1.5, "high": 2.0, "xhigh": 2.5, "max": 3.0}
MEANS = {"h": -0.05, "m": -0.4, "l": -1.2}
_FILLER = (
    "Let me look at the names, the types and the values first. A name that ends in a key word "
    "is most likely a reference. The samples decide where the name alone does not. "
)
_MILLION = Decimal(1_000_000)
_TOKENS_PER_MESSAGE = 4
_TOKENS_PER_IMAGE = 1024


@dataclass(frozen=True)
class Token:
    """A content token with its log-probability."""

    text: str
    logprob: float


@dataclass(frozen=True)
class Prompt:
    """A prompt's tokens for the cache, and their number."""

    tokens: Sequence[Any]
    count: int


@dataclass(frozen=True)
class Plan:
    """An answer, decided before its first byte."""

    reasoning: str
    reasoning_tokens: int
    content: str
    content_tokens: int
    finish_reason: str
    tool_calls: tuple[dict[str, Any], ...] = ()
    logprobs: tuple[Token, ...] | None = None


def prompt_of(body: dict[str, Any]) -> Prompt:
    """The prompt's tokens: each message's role and content, and the tools before them."""
    texts = [json.dumps(body["tools"], ensure_ascii=False)] if body.get("tools") else []
    messages = body.get("messages") or []
    texts += [_message_text(message) for message in messages]
    flat = [token for text in texts for token in tokens.encode(text)]
    extra = sum(_TOKENS_PER_MESSAGE + _TOKENS_PER_IMAGE * _images(message) for message in messages)
    return Prompt(tokens=flat, count=len(flat) + extra)


def _images(message: Any) -> int:
    content = message.get("content") if isinstance(message, dict) else None
    parts = content if isinstance(content, list) else []
    return sum(isinstance(part, dict) and part.get("type") != "text" for part in parts)


def _message_text(message: Any) -> str:
    if not isinstance(message, dict):
        return str(message)
    content = message.get("content")
    parts = [str(message.get("role")), content if isinstance(content, str) else ""]
    if isinstance(content, list):
        parts += [str(part.get("text", "")) for part in content if isinstance(part, dict)]
    if message.get("reasoning_content"):
        parts.append(str(message["reasoning_content"]))
    if message.get("tool_calls"):
        parts.append(json.dumps(message["tool_calls"], ensure_ascii=False))
    return "\n".join(parts)


def budget(ask: Ask, prompt_tokens: int) -> int:
    """The most tokens the answer may have; a 400 when the context can't hold them."""
    room = ask.row.context - prompt_tokens
    wanted = ask.max_tokens
    if room < 1 or (wanted is not None and wanted > room):
        asked = prompt_tokens + (wanted or 0)
        raise invalid(
            f"Invalid request: Your request exceeded model token limit: {ask.row.context} "
            f"(requested: {asked})"
        )
    return min(ask.row.max_tokens, room) if wanted is None else wanted


def thinking_tokens(ask: Ask, options: Options, columns: int, number: int) -> int:
    """How many tokens the model thinks about this request."""
    if not ask.thinking:
        return 0
    base = options.thinking_base + options.thinking_per_column * columns
    spread = 1.0
    if options.thinking_spread:
        draw = random.Random(f"{options.seed}:{number}:thinking").uniform(-1, 1)
        spread += options.thinking_spread * draw
    return round(base * EFFORT_SCALE.get(ask.effort, 1.0) * spread)


@cache
def _filler() -> tuple[str, ...]:
    return tuple(tokens.pieces(_FILLER))


def _reasoning_text(length: int) -> str:
    words = _filler()
    whole, rest = divmod(length, len(words))
    return _FILLER * whole + "".join(words[:rest])


def make(
    ask: Ask, answer: Answer, options: Options, fault: str | None, limit: int, number: int
) -> Plan:
    """Decide an answer within its budget of tokens."""
    content = answer.text
    if fault == "endless":
        content = _endless(content, limit)
    thinking = thinking_tokens(ask, options, answer.columns, number)
    if fault == "length-empty":
        thinking = limit
    thinking = min(thinking, limit)
    room = limit - thinking
    size = tokens.count(content) + (_call_tokens(answer) if answer.tool_calls else 0)
    plan = Plan(
        reasoning=_reasoning_text(thinking) if ask.thinking else "",
        reasoning_tokens=thinking if ask.thinking else 0,
        content=content,
        content_tokens=size,
        finish_reason="tool_calls" if answer.tool_calls else "stop",
        tool_calls=answer.tool_calls,
    )
    if size > room or fault in ("length", "length-empty", "endless"):
        keep = min(room, size * 6 // 10) if fault == "length" else room
        plan = _cut(plan, keep, "length")
    elif fault == "half-json":
        plan = _cut(plan, size // 2, "stop")
    elif fault == "empty":
        plan = _cut(plan, 0, "stop")
    if fault == "length-empty" and not ask.thinking:
        plan = replace(plan, content_tokens=limit)
    if ask.logprobs:
        plan = replace(plan, logprobs=_logprobs(plan.content, answer.parts, options.seed))
    return plan


def _endless(content: str, limit: int) -> str:
    unit = f"{content}\n"
    repeats = limit // max(1, tokens.count(unit)) + 2
    return unit * repeats


def _call_tokens(answer: Answer) -> int:
    return tokens.count(json.dumps(answer.tool_calls))


def _cut(plan: Plan, length: int, reason: str) -> Plan:
    content = tokens.cut(plan.content, length) if length > 0 else ""
    kept = min(max(0, length), plan.content_tokens)
    return replace(plan, content=content, content_tokens=kept, finish_reason=reason, tool_calls=())


def _logprobs(content: str, parts: Sequence[Part], seed: int) -> tuple[Token, ...]:
    """Values around each part's mean, so that they agree with the confidence it declares."""
    rng = random.Random(seed ^ zlib.crc32(content.encode()))
    ends: list[tuple[int, float]] = []
    end = 0
    for part in parts:
        end += len(part.text)
        ends.append((end, MEANS.get(part.confidence, -0.02)))
    out: list[Token] = []
    position, index = 0, 0
    for piece in tokens.pieces(content):
        while index < len(ends) - 1 and position >= ends[index][0]:
            index += 1
        mean = ends[index][1] if ends else -0.02
        out.append(Token(piece, round(mean * rng.uniform(0.8, 1.2), 6)))
        position += len(piece)
    return tuple(out)


@dataclass(frozen=True)
class Bill:
    """What a prompt and an answer cost."""

    prompt: int
    cached: int
    written: int
    completion: int
    reasoning: int

    def figures(self) -> dict[str, int]:
        """As the record keeps it."""
        figures = {
            "prompt_tokens": self.prompt,
            "completion_tokens": self.completion,
            "total_tokens": self.prompt + self.completion,
            "cached_tokens": self.cached,
            "reasoning_tokens": self.reasoning,
        }
        return {**figures, "cache_write_tokens": self.written} if self.written else figures

    def usage(self, shape: str) -> dict[str, Any] | None:
        """As the wire has it, in one of the shapes of cached tokens."""
        if shape == "none":
            return None
        figures = self.figures()
        details = {"reasoning_tokens": figures.pop("reasoning_tokens")}
        usage: dict[str, Any] = {**figures, "completion_tokens_details": details}
        if shape in ("nested", "both"):
            usage["prompt_tokens_details"] = {"cached_tokens": self.cached}
        if shape == "nested":
            del usage["cached_tokens"]
        return usage

    def part(self, fraction: float) -> Bill:
        """For an answer that broke off after this part of its tokens."""
        done = round(self.completion * fraction)
        return replace(self, completion=done, reasoning=min(self.reasoning, done))

    def cost(self, row: Row, ttl: str) -> Decimal:
        """In USD."""
        hit, miss, output = row.price
        write = row.write[1 if ttl == "1h" else 0] if row.write else miss
        fresh = self.prompt - self.cached - self.written
        total = self.cached * hit + fresh * miss + self.written * write + self.completion * output
        return total / _MILLION
