"""The shortest time that any client could take: it knows the windows and what will be drawn."""

import math

__all__ = ["at_once", "windows"]


def at_once(prompts: int, cap: int, latency: float) -> float:
    """Seconds for so many prompts with `cap` places. What is refused or fails costs an oracle no
    time: it knows which attempt will be answered, and the failures come at once."""
    return math.ceil(prompts / cap) * latency


def windows(prompts: int, most: int, window: float, latency: float) -> float:
    """Seconds where `most` requests start in each window of so many seconds."""
    return (math.ceil(prompts / most) - 1) * window + latency
