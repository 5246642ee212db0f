"""The state of one question during attempts, corrections and retries, and its result."""

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

from amx_kimi.client.answers import Callbacks, WireReply
from amx_kimi.errors import ContentFilterError, TruncatedError
from amx_kimi.facts import Facts, Quirk
from amx_kimi.policy import RequestPlan
from amx_kimi.types import Ask, Attempt, Reply, Usage

__all__ = [
    "Journey",
    "hearing",
    "lost_answer",
    "needs_room",
    "refused_content",
    "reply_of",
    "truncated",
]


@dataclass
class Journey:
    """One question, and what was tried so far."""

    ask: Ask
    callbacks: Callbacks
    attempts: list[Attempt] = field(default_factory=list)
    corrected: list[Quirk] = field(default_factory=list)
    reason: str = "first"
    longer: bool = False
    failures: int = 0
    heard: bool = False  # the caller got content, which cannot be taken back
    ticket: int = 0
    entry: tuple[float, int] | None = None  # as the limiter counts its last attempt
    held: int = 0  # by a rate limit
    waited: float = 0.0
    unended: int = 0  # streams that came to an end which is none


def reply_of(journey: Journey, wire: WireReply, model: str) -> Reply:
    """The answer, with the usage of all attempts; `model` is the one that was asked."""
    costs = [attempt.cost for attempt in journey.attempts]
    known = [amount for amount in costs if amount is not None]
    return Reply(
        content=_text(wire.content),
        reasoning=_text(wire.reasoning),
        finish_reason=wire.finish_reason,
        usage=sum((attempt.usage for attempt in journey.attempts), Usage()),
        cost=sum(known, Decimal(0)) if len(known) == len(costs) else None,
        model=wire.model or model,
        logprobs=tuple(wire.logprobs),
        tool_calls=tuple(wire.tool_calls[index] for index in sorted(wire.tool_calls)),
        attempts=tuple(journey.attempts),
    )


def truncated(journey: Journey, sent: RequestPlan, reply: Reply, model: str) -> TruncatedError:
    """The error for an answer that was cut even with the larger budget."""
    budgets = [a.budget for a in journey.attempts if a.outcome == "ok"]
    tried = " and then ".join(f"{budget:,}" for budget in budgets)
    return TruncatedError(
        f"The output budget was used up before the answer was complete (finish_reason=length): "
        f"tried {tried} tokens",
        call=f"{journey.ask.label}, {model}",
        remedy=(
            "Raise AMX_LLM_MIN_MAX_TOKENS, or max_retry_tokens in kimi.yml, or ask for less "
            "thinking with AMX_REASONING_EFFORT=minimal."
            if sent.thinking
            else "Raise the profile's max_tokens (AMX_LLM_MIN_MAX_TOKENS is the floor of "
            "reasoning routes)."
        ),
        reply=reply,
    )


def hearing(journey: Journey, on_content: Callable[[str], None]) -> Callable[[str], None]:
    """`on_content`, noting that content was heard."""

    def hear(piece: str) -> None:
        journey.heard = True
        on_content(piece)

    return hear


def lost_answer(ask: Ask, wire: WireReply, facts: Facts) -> tuple[str, str]:
    """The answer, if it is in another field than the content, and that field; or two blanks.

    Used if the content is empty although the model finished, and the caller recognizes the answer
    or the endpoint is known for this.
    """
    if wire.text.strip() or wire.tool_calls or wire.finish_reason != "stop":
        return "", ""
    learnt = facts.quirks.get("content")
    fields = {"reasoning_content": wire.reasoning, **wire.others}
    for name, pieces in fields.items():
        text = _text(pieces).strip()
        is_answer = ask.holds(text) if ask.holds else bool(learnt and learnt.value == name)
        if text and is_answer:
            return text, name
    return "", ""


def refused_content(journey: Journey, wire: WireReply, facts: Facts) -> ContentFilterError | None:
    """The refusal that an answer with `finish_reason: content_filter` means; None if the caller can
    use what arrived."""
    is_usable = journey.ask.holds is not None and journey.ask.holds(wire.text)
    if wire.finish_reason != "content_filter" or is_usable:
        return None
    error = ContentFilterError(
        f"{facts.endpoint.label} cut its answer off (finish_reason=content_filter)",
        status=200,
        kind="content_filter",
        call=f"{journey.ask.label}, {facts.wire_model}",
        remedy="The service refuses this content.",
    )
    error.charged = True
    return error


def needs_room(wire: WireReply, ask: Ask) -> bool:
    """Whether finish_reason=length left nothing that the caller can use."""
    answered = "".join(wire.content).strip() or wire.tool_calls
    return wire.finish_reason == "length" and (ask.whole or not answered)


def _text(pieces: list[str]) -> str:
    """The pieces as one text that can be encoded, even if a model was cut within an emoji."""
    return "".join(pieces).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
