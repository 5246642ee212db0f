"""Which process is at work on a run: host, pid, and when that process began, since pids recur."""

import hashlib
import os
import socket
from contextlib import suppress
from pathlib import Path

__all__ = ["is_at_work", "is_here", "me"]

_MACHINE = Path("/etc/machine-id")
_START = Path("/proc/sys/kernel/random/boot_id")
_PIDS = Path("/proc/self/ns/pid")


def me() -> str:
    """This process."""
    pid = os.getpid()
    return f"{_host()}:{pid}:{_began(pid)}"


def is_here(owner: str) -> bool:
    """Whether the owner is or was a process of this machine, since it was started, and one whose
    pid means the same as here."""
    return owner.partition(":")[0] == _host()


def _host() -> str:
    """This machine's name, and what tells it from others of the same name (Linux): its id, its last
    start, and the space of its pids, which a container has for itself."""
    signs = []
    with suppress(OSError):
        signs.append(_MACHINE.read_text("utf-8").strip())
    with suppress(OSError):
        signs.append(_START.read_text("utf-8").strip())
    with suppress(OSError):
        signs.append(str(_PIDS.readlink()))
    digest = hashlib.sha256(" ".join(signs).encode()).hexdigest()[:12]
    return f"{socket.gethostname().replace(':', '-')}/{digest}"


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
