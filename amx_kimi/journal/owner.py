"""Which process is at work on a run: host, pid, and when that process began, since pids recur."""

import os
import socket
from pathlib import Path

__all__ = ["is_at_work", "is_here", "me"]


def me() -> str:
    """This process."""
    return f"{socket.gethostname()}:{os.getpid()}:{_began(os.getpid())}"


def is_here(owner: str) -> bool:
    """Whether the owner is or was a process of this machine."""
    return owner.partition(":")[0] == socket.gethostname()


def is_at_work(owner: str) -> bool:
    """Whether the owner is another process of this machine that still runs."""
    pid, _, began = owner.partition(":")[2].partition(":")
    if not is_here(owner) or int(pid) == os.getpid():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # somebody else's, so it runs
    return _began(int(pid)) in (began, "")  # /proc may hide the processes of others


def _began(pid: int) -> str:
    """In ticks since the machine's start; "" where /proc does not say, "ended" for a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return ""
    fields = stat.rpartition(")")[2].split()
    return "ended" if fields[0] == "Z" else fields[19]
