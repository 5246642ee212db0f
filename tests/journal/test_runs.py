"""Runs, their requests, and figures that are exact."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from decimal import Decimal

import anyio
import pytest
from sqlalchemy import update

from amx_kimi.errors import JournalError
from amx_kimi.journal import (
    Journal,
    RunRecorder,
    Totals,
    answers,
    claim,
    claim_run,
    items,
    keep,
    lease,
    owner,
    runs,
    schema,
)
from amx_kimi.journal.keep import at_work
from amx_kimi.types import Ask, Item, Usage

from .helpers import add, attempt, begin, column, columns, request, save, states

D = Decimal


def test_a_run_from_its_beginning_to_its_end(journal: Journal) -> None:
    run = begin(journal)
    found = journal.read(runs.find_run, run)
    assert (found.status, found.inventoried, found.finished_at) == ("inventory", 0, None)
    assert found.owner.startswith(f"{socket.gethostname()}/")
    assert found.owner == owner.me()
    journal.write_now(runs.note_inventory, run)
    found = journal.read(runs.find_run, run)
    assert (found.status, found.inventoried, found.finished_at) == ("running", 1, None)
    journal.write_now(runs.set_status, run, "stopped", "no balance")
    found = journal.read(runs.find_run, run)
    assert (found.status, found.error) == ("stopped", "no balance")
    assert found.finished_at is not None
    journal.write_now(runs.set_status, run, "running")
    found = journal.read(runs.find_run, run)
    assert (found.error, found.finished_at) == (None, None)


def test_totals_are_exact(journal: Journal) -> None:
    run = begin(journal)
    costs = [D("0.000000001"), D("0.1"), D("0.2"), D("1234567.123456789")]
    for number, cost in enumerate(costs):
        row = request(journal, run, reason="first" if number else "length")
        journal.write_now(runs.settle_request, row, attempt(cost))
    totals = journal.read(runs.totals, run)
    assert totals == Totals(
        requests=4,
        retries=1,
        prompt=400,
        cached=40,
        completion=80,
        reasoning=20,
        cost=sum(costs, D(0)),
    )
    assert isinstance(totals.cost, D)


def test_a_million_small_costs_do_not_drift(journal: Journal) -> None:
    run = begin(journal)
    for _ in range(200):
        row = request(journal, run)
        journal.write_now(runs.settle_request, row, attempt(D("0.0005591")))
    assert journal.read(runs.totals, run).cost == D("0.1118200")


def test_what_is_not_known_counts_at_its_worst(journal: Journal) -> None:
    run = begin(journal)
    request(journal, run, D("0.25"))  # sent, and the process ended
    broken = request(journal, run, D("0.5"), reason="BrokenStreamError")
    unknown = attempt(None, Usage(known=False), "BrokenStreamError")
    journal.write_now(runs.settle_request, broken, unknown)
    known = request(journal, run, D("0.5"))
    journal.write_now(runs.settle_request, known, attempt(D("0.125")))
    totals = journal.read(runs.totals, run)
    assert (totals.requests, totals.retries, totals.uncertain) == (3, 1, 2)
    assert totals.cost == D("0.875")


def test_without_a_price_there_is_no_cost(journal: Journal) -> None:
    run = begin(journal, currency=None)
    row = request(journal, run, None)
    journal.write_now(runs.settle_request, row, attempt(None))
    totals = journal.read(runs.totals, run)
    assert (totals.cost, totals.uncertain, totals.requests) == (None, 0, 1)


def test_a_new_run_has_spent_nothing(journal: Journal) -> None:
    assert journal.read(runs.totals, begin(journal)) == Totals(cost=D(0))


def test_totals_count_columns_and_tables_apart(journal: Journal) -> None:
    run = begin(journal)
    tables = [Item("public", name, "", "table", 0) for name in ("a", "b", "c")]
    stored = add(journal, run, *tables, *columns(5))
    add(journal, run, column("has_a_comment", 9), status="commented")
    add(journal, run, column("later", 10), status="deferred")
    save(journal, stored[0], stored[3], stored[4])
    journal.write_now(items.fail_items, [stored[1].id, stored[5].id], "no answer")
    totals = journal.read(runs.totals, run)
    assert (totals.tables, totals.tables_described) == (3, 1)
    assert (totals.columns, totals.described, totals.failed) == (5, 2, 1)
    again = begin(journal)
    add(journal, again, *tables, *columns(5))
    journal.write_now(answers.reuse, again)
    totals = journal.read(runs.totals, again)
    assert (totals.tables_described, totals.described, totals.reused) == (1, 2, 2)


def test_runs_do_not_see_each_other(journal: Journal) -> None:
    one, two = begin(journal), begin(journal)
    request(journal, one)
    add(journal, one, *columns(2))
    assert journal.read(runs.totals, two) == Totals(cost=D(0))
    assert states(journal, two) == {}


def test_finding_a_run(journal: Journal) -> None:
    with pytest.raises(JournalError, match="There are no runs yet"):
        journal.read(runs.find_run, "last")
    ids = [begin(journal) for _ in range(5)]
    assert journal.read(runs.find_run, "last").id == ids[-1]
    assert [run.id for run in journal.stream(runs.list_runs)] == ids[::-1]
    for run in ids:
        assert journal.read(runs.find_run, run).id == run
        prefix = next(run[:n] for n in range(1, 99) if sum(i[:n] == run[:n] for i in ids) == 1)
        assert journal.read(runs.find_run, prefix).id == run
    with pytest.raises(JournalError, match="beginning of several"):
        journal.read(runs.find_run, ids[0][:3])
    for none in ("nothing", "%", "_", "x'y"):
        with pytest.raises(JournalError, match=r"no run .*\n`amx-kimi runs` lists"):
            journal.read(runs.find_run, none)


def test_a_run_of_a_living_process_is_not_taken(journal: Journal) -> None:
    run = begin(journal)
    journal.write_now(runs.note_inventory, run)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        own(journal, run, owner_of(other.pid))
        assert not journal.read(runs.find_run, run).killed
        with pytest.raises(JournalError, match=f"still running, in process {other.pid}"):
            journal.write_now(claim_run, run)
        journal.write_now(runs.set_status, run, "stopped")
        journal.write_now(claim_run, run)  # it says itself that it is over
        journal.write_now(runs.set_status, run, "running")
        own(journal, run, owner_of(other.pid))
        other.communicate(b"\n")
    assert journal.read(runs.find_run, run).killed
    journal.write_now(claim_run, run)
    assert journal.read(runs.find_run, run).owner == owner.me()


def test_a_pid_that_another_process_has_now_is_no_owner(journal: Journal) -> None:
    run = begin(journal)
    journal.write_now(runs.note_inventory, run)
    own(journal, run, f"{owner.me().partition(':')[0]}:{os.getppid()}:1")
    assert journal.read(runs.find_run, run).killed
    journal.write_now(claim_run, run)
    assert journal.read(runs.find_run, run).owner == owner.me()


@pytest.mark.parametrize("hidden", [False, True])
def test_where_proc_says_nothing_the_pid_alone_counts(
    journal: Journal, monkeypatch: pytest.MonkeyPatch, hidden: bool
) -> None:
    run = begin(journal)
    who = owner_of(os.getppid())
    own(journal, run, who if hidden else f"{who.rpartition(':')[0]}:")
    monkeypatch.setattr(owner, "_began", lambda _: "")
    with pytest.raises(JournalError, match="still running"):
        journal.write_now(claim_run, run)


def test_a_run_that_another_process_takes_in_between_is_not_taken(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = begin(journal)
    journal.write_now(runs.set_status, run, "stopped")
    seen = journal.read(runs.find_run, run)
    journal.write_now(claim_run, run)
    journal.write_now(runs.set_status, run, "stopped")
    with monkeypatch.context() as patch:
        patch.setattr(claim, "find_run", lambda *_: seen)
        with pytest.raises(JournalError, match="has just taken"):
            journal.write_now(claim_run, run)


def test_only_a_run_at_work_on_this_machine_can_have_been_killed(journal: Journal) -> None:
    run = begin(journal)
    gone = f"{owner.me().partition(':')[0]}:{os.getppid()}:1"
    for who, status, killed in (
        (gone, "inventory", True),
        (gone, "running", True),
        (gone, "complete", False),
        (gone, "stopped", False),
        ("another-host:1:1", "running", False),
        (owner_of(os.getppid()), "running", False),
    ):
        own(journal, run, who)
        journal.write_now(runs.set_status, run, status)
        assert journal.read(runs.find_run, run).killed is killed


def test_a_run_of_ours_is_taken_again(journal: Journal) -> None:
    run = begin(journal)
    assert journal.write_now(claim_run, run) == lease.Claim(run, 2)
    assert journal.write_now(claim_run, run) == lease.Claim(run, 3)


ELSEWHERE = [
    "another-host/0123456789ab:1:1",
    f"{socket.gethostname()}/0123456789ab:{os.getpid()}:1",  # another one of this name
    f"{socket.gethostname()}:{os.getpid()}:1",  # as older versions wrote it
]


@pytest.mark.parametrize("who", ELSEWHERE, ids=["another", "the same name", "an older version"])
def test_a_run_of_another_host_is_taken_when_its_lease_has_ended(
    journal: Journal, monkeypatch: pytest.MonkeyPatch, who: str
) -> None:
    run = begin(journal)
    own(journal, run, who)
    assert not journal.read(runs.find_run, run).killed
    with pytest.raises(
        JournalError, match=r"(?s)still running, in process \d+ on .*in [56]\d seconds"
    ):
        journal.write_now(claim_run, run)
    with monkeypatch.context() as patch:
        patch.setattr(lease, "LEASE_SECONDS", -1)
        journal.write_now(lease.renew, lease.Claim(run))
    assert journal.read(runs.find_run, run).killed
    journal.write_now(claim_run, run)
    assert journal.read(runs.find_run, run).owner == owner.me()


def test_what_a_worker_does_after_its_run_was_taken_over(journal: Journal) -> None:
    run = begin(journal)
    recorder = RunRecorder(journal, run)

    async def work() -> None:
        with at_work(journal, lease.Claim(run)):
            sent = await recorder.begin(Ask([], 0), model="m", budget=1, reason="first", worst=None)
            taken = journal.write_now(claim_run, run)  # by another one
            with pytest.raises(JournalError, match="has taken over run"):
                await recorder.begin(Ask([], 0), model="m", budget=1, reason="first", worst=None)
            with pytest.raises(JournalError, match="has taken over run"):
                await journal.write(items.add_items, run, [(column("a"), "k", "pending")])
            with pytest.raises(JournalError, match="has taken over run"):
                await journal.write(runs.forget_run, run)
            with pytest.raises(JournalError, match="has taken over run"):
                journal.write_now(lease.renew, lease.Claim(run))
            with pytest.raises(JournalError, match="has taken over run"):
                await recorder.settle(sent, attempt(D("0.5")))
        journal.write_now(runs.set_status, run, "stopped", claim=lease.Claim(run))
        assert journal.read(runs.find_run, run).status == "inventory"
        with at_work(journal, taken):
            await journal.write(items.add_items, run, [(column("a"), "k", "pending")])
        journal.write_now(runs.set_status, run, "stopped", claim=taken)

    anyio.run(work)
    found = journal.read(runs.find_run, run)
    assert found.status == "stopped"
    # What was sent is paid for, and counted.
    totals = journal.read(runs.totals, run)
    assert (totals.requests, totals.cost) == (1, D("0.5"))


def test_a_lease_is_kept_while_its_event_loop_waits(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keep, "LEASE_SECONDS", 0.1)
    run = begin(journal)
    first = journal.read(runs.find_run, run).lease_until
    with at_work(journal, lease.Claim(run)):
        while journal.read(runs.find_run, run).lease_until == first:
            pass


def test_a_lease_lasts_from_its_last_renewal(journal: Journal) -> None:
    run = begin(journal)
    first = journal.read(runs.find_run, run).lease_until
    journal.write_now(lease.renew, lease.Claim(run))
    second = journal.read(runs.find_run, run).lease_until
    assert first is not None
    assert second is not None
    assert first < second


def test_a_process_of_another_user_is_alive(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: int) -> None:
        raise PermissionError

    run = begin(journal)
    own(journal, run, owner_of(1))
    monkeypatch.setattr(os, "kill", refuse)
    with pytest.raises(JournalError, match="process 1"):
        journal.write_now(claim_run, run)


def owner_of(pid: int) -> str:
    return f"{owner.me().partition(':')[0]}:{pid}:{owner._began(pid)}"


def own(journal: Journal, run: str, who: str) -> None:
    change = update(schema.runs).where(schema.runs.c.id == run).values(owner=who)
    journal.write_now(lambda c: c.execute(change) and None)


def test_a_dry_run_is_forgotten(journal: Journal) -> None:
    kept, run = begin(journal), begin(journal)
    add(journal, kept, *columns(2))
    stored = add(journal, run, *columns(2))
    save(journal, stored[0])
    journal.write_now(runs.clear_inventory, run)
    assert states(journal, run) == {}
    journal.write_now(runs.forget_run, run)
    assert [found.id for found in journal.stream(runs.list_runs)] == [kept]
    assert len(states(journal, kept)) == 2


def test_a_run_that_asked_is_not_forgotten(journal: Journal) -> None:
    run = begin(journal)
    request(journal, run)
    with pytest.raises(JournalError):
        journal.write_now(runs.forget_run, run)
    assert journal.read(runs.totals, run).requests == 1
