"""Several processes at one journal, and processes that die."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

from amx_kimi.journal import Journal, claim_run, items, runs
from amx_kimi.journal.owner import is_at_work, me
from amx_kimi.types import Item

from .helpers import begin, states

WRITER = """
import sys
from decimal import Decimal
from pathlib import Path
from amx_kimi.journal import Journal, answers, items, runs
from amx_kimi.types import Item, Suggestion

store = sys.argv[1] if "://" in sys.argv[1] else Path(sys.argv[1])
sys.stdin.readline()  # all start at once
journal = Journal(store)
fields = dict(source="s", database="d", profile="p", model="m", endpoint="e", currency="USD")
run = journal.write_now(runs.begin_run, **fields, options="{}")
print(run, flush=True)
for number in range(int(sys.argv[2])):
    item = Item("public", "t", f"c{number}", "column", number)
    journal.write_now(items.add_items, run, [(item, f"key-{run}-{number}", "pending")])
    [stored] = journal.read(items.pending, run, 0, 1)
    fields = dict(label="x", model="m", budget=1, reason="first")
    request = journal.write_now(runs.begin_request, run, Decimal(1), fields)
    found = [(stored, Suggestion((f"text {number}",), "high"))]
    journal.write_now(answers.save_suggestions, "m", found, {})
    print(number, flush=True)
journal.close()
"""


def start(store: str | Path, count: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(store), str(count)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def test_several_processes_open_and_write_one_new_journal_at_once(store: str | Path) -> None:
    processes = [start(store, 40) for _ in range(3)]
    for process in processes:
        go(process)
    outputs = [process.communicate(timeout=60) for process in processes]
    assert [error for _, error in outputs] == ["", "", ""]
    ids = [output.split()[0] for output, _ in outputs]
    with Journal(store) as journal:
        assert {run.id for run in journal.stream(runs.list_runs)} == set(ids)
        for run in ids:
            assert list(states(journal, run).values()) == ["described"] * 40
            assert journal.read(runs.totals, run).requests == 40


def test_two_journals_in_one_process_do_not_lose_rows(store: str | Path) -> None:
    with Journal(store) as one, Journal(store) as two:
        mine, theirs = begin(one), begin(two)
        for number in range(30):
            for journal, run in ((one, mine), (two, theirs)):
                item = Item("s", "t", f"c{number}", "column", number)
                journal.write_now(items.add_items, run, [(item, "k", "pending")])
        assert len(states(one, theirs)) == len(states(two, mine)) == 30


def test_a_killed_process_leaves_all_that_it_said_was_kept(store: str | Path) -> None:
    process = start(store, 100_000)
    go(process)
    assert process.stdout is not None
    run = process.stdout.readline().strip()
    for line in process.stdout:
        if int(line) == 25:
            break
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    with Journal(store) as journal:
        totals = journal.read(runs.totals, run)
        assert totals.described >= 26
        assert totals.columns - totals.described <= 1
        # sent and not settled: each may have cost its worst case
        assert totals.uncertain == totals.requests >= 26
        assert totals.cost == Decimal(totals.requests)
        journal.write_now(claim_run, run)
        assert journal.read(items.count_pending, run) == totals.columns - totals.described


def test_a_killed_process_that_nobody_reaped_is_not_at_work() -> None:
    """As in a container without an init: the zombie keeps its pid."""
    child = os.fork()
    if child == 0:
        signal.pause()
        os._exit(0)
    began = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[19]
    owner = f"{me().partition(':')[0]}:{child}:{began}"
    assert is_at_work(owner)
    os.kill(child, signal.SIGKILL)
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)  # dead, and still unreaped
    assert not is_at_work(owner)
    os.waitpid(child, 0)
