"""A service that has no streams: the question is asked again in one piece."""

from __future__ import annotations

import pytest

from amx_kimi.client.corrections import correction
from amx_kimi.errors import BadRequestError
from amx_kimi.facts import Quirk

BODY = {"model": "k", "messages": [], "stream": True}


@pytest.mark.parametrize(
    "text",
    [
        "Streaming is not supported for this model. Please set stream=false.",
        "this route does not support streaming",
        "stream: unsupported",
    ],
)
def test_it_is_asked_in_one_piece(text: str) -> None:
    assert correction(BadRequestError(text, status=400), BODY, 262_144) == Quirk("stream", "drop")
    assert correction(BadRequestError(text, status=400), {**BODY, "stream": False}, 262_144) is None


def test_another_reason_teaches_nothing() -> None:
    assert (
        correction(BadRequestError("The stream of events broke", status=400), BODY, 262_144) is None
    )
