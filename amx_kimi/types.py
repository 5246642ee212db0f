"""The types that several layers share: what is asked, what comes back, what is described.

A question's way: `Ask` -> (client) -> `Reply` with `Usage` and its `Attempt`s. A column's way:
`Item` (inventory) -> `Suggestion`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal, Protocol

from amx_kimi.text import is_blank

__all__ = [
    "CONFIDENCES",
    "Ask",
    "Attempt",
    "Confidence",
    "Item",
    "Message",
    "RawFacts",
    "Recorder",
    "Reply",
    "Secret",
    "Suggestion",
    "TokenLogprob",
    "Usage",
    "mask_key",
]

Message = Mapping[str, Any]
"""One chat message in OpenAI's shape: `role`, `content`, and for tool turns their keys."""

Confidence = Literal["high", "medium", "low"]
CONFIDENCES: tuple[Confidence, ...] = ("high", "medium", "low")


def mask_key(value: str) -> str:
    """The most that is ever shown of a key: `sk-…` and its last four characters."""
    return f"sk-…{value[-4:]}" if len(value) >= 12 else "sk-…"


class Secret:
    """A key or password that shows itself only when asked: `reveal()`.

    Its repr, str, format and pickle never contain the value.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value itself."""
        return self._value

    def __repr__(self) -> str:
        return f"Secret({mask_key(self._value)})"

    def __str__(self) -> str:
        return mask_key(self._value)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> str | tuple[Any, ...]:
        raise TypeError("a Secret cannot be pickled")


@dataclass(frozen=True)
class Ask:
    """One question to a model, before policy decides how it is sent.

    `prompt_tokens` is the caller's count of `messages`, `max_tokens` the caller's own wish (None:
    policy decides). `whole` means that a cut answer is useless to the caller, so that it too is
    asked again with the larger budget. `json_mode` asks for a JSON object where the model supports
    it. `cache_key` groups requests with a common prefix. `temperature` is the caller's own wish,
    and `extra` holds its other parameters; `logprobs` False: it has no use for them. `once`: what
    it heard of the answer it has passed on, so that it cannot be told again. `own` names parameters
    whose refusal by the endpoint is for the caller to hear: they are neither corrected nor learned.
    `holds` tells whether a text is the answer, for servers that put it into the wrong field.
    """

    messages: Sequence[Message]
    prompt_tokens: int
    max_tokens: int | None = None
    tools: Sequence[Mapping[str, Any]] = ()
    tool_choice: Any = None
    json_mode: bool = False
    whole: bool = False
    cache_key: str = ""
    label: str = "chat"
    temperature: float | None = None
    logprobs: bool = True
    once: bool = False
    extra: Mapping[str, Any] = field(default_factory=dict)
    own: frozenset[str] = frozenset()
    holds: Callable[[str], bool] | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Usage:
    """Tokens of one attempt or of several. `completion` includes `reasoning`; `prompt` includes
    `cached`. `known` is False when the service reported nothing."""

    prompt: int = 0
    cached: int = 0
    completion: int = 0
    reasoning: int = 0
    cache_write: int = 0
    known: bool = True

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.prompt + other.prompt,
            self.cached + other.cached,
            self.completion + other.completion,
            self.reasoning + other.reasoning,
            self.cache_write + other.cache_write,
            self.known and other.known,
        )


@dataclass(frozen=True)
class TokenLogprob:
    """One generated token and the natural logarithm of its probability."""

    token: str
    logprob: float


@dataclass(frozen=True)
class Attempt:
    """One HTTP request: what it was for, and how it ended (`outcome` is `ok` or an error class)."""

    number: int
    reason: str
    budget: int
    outcome: str
    usage: Usage
    cost: Decimal | None
    seconds: float


@dataclass(frozen=True)
class Reply:
    """The answer to one `Ask`. `usage` and `cost` are of all attempts together; `cost` is None
    when the price, or the usage of an attempt, is unknown. `logprobs` covers `content` token by
    token, or is empty."""

    content: str
    reasoning: str
    finish_reason: str
    usage: Usage
    cost: Decimal | None
    model: str
    logprobs: tuple[TokenLogprob, ...] = ()
    tool_calls: tuple[Mapping[str, Any], ...] = ()
    attempts: tuple[Attempt, ...] = ()


class Recorder(Protocol):
    """Keeps a durable row of each attempt: `begin` returns once it is on disk, before sending."""

    async def begin(
        self, ask: Ask, *, model: str, budget: int, reason: str, worst: Decimal | None
    ) -> int: ...

    async def settle(self, request: int, attempt: Attempt) -> None: ...


@dataclass(frozen=True)
class Item:
    """A column of the inventory; `column` is "" for the table (or view) itself.

    `kind` is `table`, `view` or `column`; `type` the database's own type; `key_role` any of
    `pk`, `unique`, `fk` joined by commas; `fk` the column referred to (`schema.table.column`);
    `comment` what people wrote of it, "" where that is blanks; `rows` an estimate for a table;
    `definition` a view's SQL; `details` what else its schema tells, in the contract's words
    (docs/contract.md): `values` of an enum, `check`, `partitions`, …
    """

    schema: str
    table: str
    column: str
    kind: Literal["table", "view", "column"]
    position: int
    type: str = ""
    nullable: bool = True
    key_role: str = ""
    fk: str = ""
    comment: str = ""
    rows: int | None = None
    definition: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.comment and is_blank(self.comment):
            object.__setattr__(self, "comment", "")

    @property
    def name(self) -> str:
        """`schema.table` or `schema.table.column`, without a schema where there is none."""
        return ".".join(part for part in (self.schema, self.table, self.column) if part)


@dataclass(frozen=True)
class RawFacts:
    """A column's unmasked statistics; None is unknown. `values` are (value, how often it occurs)
    most frequent first; `nulls` and `distinct` are counts, estimates where the catalog has them.
    `seen` is how many different values were looked at where `distinct` is unknown; `keys` are the
    top-level keys of documents, and in how many of those looked at each occurs."""

    nulls: int | None = None
    distinct: int | None = None
    least: str | None = None
    greatest: str | None = None
    values: tuple[tuple[str, int], ...] = ()
    seen: int = 0
    keys: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Suggestion:
    """What the model says of one item: wordings best first, and how sure it is.

    `signal` names where the confidence comes from: `logprobs`, `declared`, or `inherited` (people
    wrote it in dbt), `imported` (people accepted it in AMX), `shared` (said of the same column
    elsewhere). `score` is the 0–1 figure behind it where there is one.
    """

    alternatives: tuple[str, ...]
    confidence: Confidence
    signal: Literal["logprobs", "declared", "inherited", "imported", "shared"] = "declared"
    score: float | None = field(default=None)
