"""Confidence: from token probabilities if there are any, else as the model declares it."""

import math
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

from amx_kimi.annotate.parse import Entry
from amx_kimi.config import Profile
from amx_kimi.types import Confidence, Suggestion, TokenLogprob

__all__ = ["score_spans", "suggestion"]


def suggestion(entry: Entry, score: float | None, profile: Profile) -> Suggestion:
    """The entry as a suggestion: `score` compared with the profile's bands, or as declared."""
    if score is None:
        return Suggestion(entry.wordings, entry.confidence, "declared")
    confidence: Confidence = "low"
    if score >= profile.logprob_high:
        confidence = "high"
    elif score >= profile.logprob_medium:
        confidence = "medium"
    return Suggestion(entry.wordings, confidence, "logprobs", round(score, 4))


def score_spans(
    content: str, tokens: Sequence[TokenLogprob], spans: Sequence[tuple[int, int]]
) -> list[float | None]:
    """A 0–1 score for each span of `content`; None if the tokens do not cover it.

    The score is exp of the mean log-probability of its tokens, each weighted by how many of its
    characters are in the span.
    """
    if not tokens or "".join(token.token for token in tokens) != content:
        return [None] * len(spans)
    ends = list(accumulate(len(token.token) for token in tokens))
    return [_score(tokens, ends, start, end) for start, end in spans]


def _score(
    tokens: Sequence[TokenLogprob], ends: Sequence[int], start: int, end: int
) -> float | None:
    weight = total = 0.0
    for position in range(bisect_right(ends, start), len(ends)):
        token, token_end = tokens[position], ends[position]
        if token_end - len(token.token) >= end:
            break
        overlap = min(end, token_end) - max(start, token_end - len(token.token))
        weight += overlap
        total += overlap * token.logprob
    return math.exp(min(0.0, total / weight)) if weight else None
