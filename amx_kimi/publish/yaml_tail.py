"""Comments below a YAML node stay below it when something is added to the node.

ruamel.yaml hangs the comment that stands before the next entry on the last leaf of the one before:
what is added behind that leaf would come to stand behind the comment.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import CommentMark
from ruamel.yaml.tokens import CommentToken

__all__ = ["keeping_tail"]


@contextmanager
def keeping_tail(node: CommentedMap | CommentedSeq) -> Iterator[None]:
    """Whatever is added to `node` comes to stand before the comment that follows it."""
    tail = _cut(node)
    try:
        yield
    finally:
        if tail:
            _hang(node, tail)


def _last(node: Any) -> tuple[Any, Any] | None:
    """The last leaf below a node: its container, and its key there."""
    if not isinstance(node, CommentedMap | CommentedSeq) or not node:
        return None
    key = next(reversed(node)) if isinstance(node, CommentedMap) else len(node) - 1
    below = None if _is_flow(node[key]) else _last(node[key])
    return below or (node, key)


def _is_flow(node: Any) -> bool:
    return isinstance(node, CommentedMap | CommentedSeq) and bool(node.fa.flow_style())


def _token(container: Any, key: Any) -> CommentToken | None:
    slots = container.ca.items.get(key) or []
    place = 2 if isinstance(container, CommentedMap) else 0
    found = slots[place] if len(slots) > place else None
    return found if isinstance(found, CommentToken) else None


def _cut(node: Any) -> str:
    """Take the lines off that follow the last leaf's own line."""
    leaf = _last(node)
    token = _token(*leaf) if leaf else None
    if token is None:
        return ""
    own, newline, rest = token.value.partition("\n")
    token.value = own + newline
    return str(rest)


def _hang(node: Any, tail: str) -> None:
    leaf = _last(node)
    if leaf is None:
        return
    container, key = leaf
    token = _token(container, key)
    if token is not None:
        token.value = token.value.rstrip("\n") + "\n" + tail
        return
    made = CommentToken("\n" + tail, CommentMark(0), None)
    is_map = isinstance(container, CommentedMap)
    container.ca.items[key] = [None, None, made, None] if is_map else [made, None, None, None]
    if _is_flow(container[key]):
        container[key].ca.comment = [made, None]
