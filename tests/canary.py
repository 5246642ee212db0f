"""A key that may be found nowhere but where its owner put it, nor any piece of it."""

import base64
from urllib.parse import quote

CANARY = "sk-CANARYcanary0123456789CANARYzq7x"
_INSIDE = CANARY[3:-4]  # `sk-…` and the last four may be shown
_PIECES = (
    *(_INSIDE[at : at + 8].encode() for at in range(len(_INSIDE) - 7)),
    base64.b64encode(CANARY.encode())[:-4],
    quote(CANARY, safe="").encode(),
)


def leaks(text: str | bytes) -> list[str]:
    """The pieces of the key, of eight characters each, that stand in a text."""
    raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    return [piece.decode() for piece in _PIECES if piece in raw]
