"""What a run may cost."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Program
from tests.terminal import Screen

COLUMNS = 284


def test_a_cap_stops_before_it_is_passed_and_can_be_raised(
    program: Program, documented: Any, start_sandbox: Any, erp: Path
) -> None:
    sandbox = start_sandbox()
    documented(sandbox.url)
    # A request may cost at most about 0.09 USD: its 32,768 tokens of output.
    ended = program("run", str(erp), "--batch-size", "20", "--max-cost", "0.15", "--json")
    assert ended.code == 3, ended.err
    assert 0 < ended.json["described"] < COLUMNS
    assert ended.json["cost"]["amount"] <= 0.15
    assert float(sandbox.totals.cost) <= 0.15
    assert "higher cap" in ended.err
    done = program("run", "--resume", "last", "--max-cost", "5.00", "--json")
    assert done.code == 0, done.err
    assert done.json["described"] == COLUMNS
    assert done.json["cost"]["amount"] == pytest.approx(float(sandbox.totals.cost))


def test_a_cap_below_one_request_sends_nothing(
    program: Program, documented: Any, start_sandbox: Any, erp: Path
) -> None:
    sandbox = start_sandbox()
    documented(sandbox.url)
    ended = program("run", str(erp), "--max-cost", "0.001")
    assert (ended.code, len(sandbox.chats)) == (3, 0)
    assert "may cost up to" in ended.err


@pytest.mark.parametrize("amount", ["0", "-1", "much", "nan", "inf"])
def test_amounts_that_are_none(program: Program, erp: Path, amount: str) -> None:
    ended = program("run", str(erp), "--max-cost", amount)
    assert ended.code == 2
    assert "must be a positive amount" in ended.err


def test_a_cap_without_a_price(
    program: Program, documented: Any, start_sandbox: Any, erp: Path, home: Path
) -> None:
    sandbox = start_sandbox()
    documented(sandbox.url)
    (home / "kimi.yml").write_text(
        "profiles: {kimi-thinking: {endpoint: mine}}\n"
        f"endpoints: {{mine: {{url: '{sandbox.url}'}}}}\n"
    )
    ended = program("run", str(erp), "--max-cost", "5")
    assert (ended.code, len(sandbox.chats)) == (2, 0)
    assert "at this endpoint is unknown" in ended.err
    assert program("runs", "--json").json == []


@pytest.mark.parametrize(
    ("model", "endpoint"),
    [("kimi-k2-thinking", ""), ("kimi-k9-unheard-of", ", currency: USD, list_prices: true")],
)
def test_a_model_without_a_price_is_said(
    program: Program,
    documented: Any,
    start_sandbox: Any,
    erp: Path,
    home: Path,
    model: str,
    endpoint: str,
) -> None:
    sandbox = start_sandbox(extra_models=("kimi-k9-unheard-of",))
    documented(sandbox.url, model=model)
    (home / "kimi.yml").write_text(
        "profiles: {kimi-thinking: {endpoint: mine}}\n"
        f"endpoints: {{mine: {{url: '{sandbox.url}'{endpoint}}}}}\n"
    )
    ended = program("run", str(erp), "--table", "kstst")
    assert ended.code == 0, ended.err
    assert program("usage", "--json").json[0]["cost"] is None
    assert f"there is no price for {model}" in ended.err


@pytest.fixture
def wide(tmp_path: Path) -> Path:
    """Enough columns that their price is asked about."""
    path = tmp_path / "wide.db"
    with sqlite3.connect(path) as connection:
        for table in range(30):
            columns = ", ".join(f"c{n} int" for n in range(200))
            connection.execute(f"CREATE TABLE t{table} ({columns})")
    connection.close()
    return path


def test_without_a_terminal_a_large_run_wants_a_word(
    program: Program, documented: Any, start_sandbox: Any, wide: Path
) -> None:
    sandbox = start_sandbox()
    documented(sandbox.url)
    ended = program("run", str(wide))
    assert (ended.code, len(sandbox.chats)) == (2, 0)
    assert "6,000 columns and 30 tables" in ended.err
    assert "--max-cost X or --yes" in ended.err
    assert program("runs", "--json").json == []
    assert program("run", str(wide), "--yes", "--limit", "10").code == 0


def test_on_a_terminal_it_asks(documented: Any, start_sandbox: Any, wide: Path, home: Path) -> None:
    sandbox = start_sandbox()
    documented(sandbox.url)
    assert home.exists()
    screen = Screen("run", str(wide))
    screen.wait("Continue?")
    screen.type("n")
    assert screen.end() == 3
    assert not sandbox.chats


def test_a_dry_run_says_a_range(
    program: Program, documented: Any, start_sandbox: Any, erp: Path
) -> None:
    documented(start_sandbox().url)
    cost = program("run", str(erp), "--dry-run", "--json").json["cost"]
    assert 0 < cost["least"] < cost["amount"] < cost["most"]
    assert "expected" in program("run", str(erp), "--dry-run").out


def test_usage(program: Program, documented: Any, start_sandbox: Any, erp: Path) -> None:
    assert program("usage", "--json").json == []
    sandbox = start_sandbox()
    documented(sandbox.url)
    program("run", str(erp), "--limit", "10")
    program("run", str(erp), "--limit", "10")
    by_run = program("usage", "--json").json
    assert len(by_run) == 2
    (by_model,) = program("usage", "--by", "model", "--json").json
    totals = sandbox.totals
    assert (by_model["of"], by_model["requests"]) == ("kimi-k2-thinking", totals.requests)
    assert by_model["prompt"] == totals.prompt_tokens
    assert by_model["cost"] == pytest.approx(float(totals.cost))
    assert sum(row["requests"] for row in by_run) == totals.requests
    shown = program("usage", "--by", "day").out
    assert "USD" in shown
    assert by_run[0]["of"] not in shown


def test_limits_by_flags(program: Program, documented: Any, start_sandbox: Any, erp: Path) -> None:
    sandbox = start_sandbox(concurrency=2, latency=0.1)
    documented(sandbox.url)
    ended = program("run", str(erp), "--batch-size", "20", "--concurrency", "2", "--json")
    assert ended.code == 0, ended.err
    assert (sandbox.totals.peak, sandbox.totals.rejected) == (2, 0)


@pytest.mark.parametrize(
    ("option", "said"),
    [(("--tier", "9"), "there is no tier 9"), (("--rpm", "0"), "0 is not in the range")],
)
def test_limits_that_are_none(
    program: Program, documented: Any, erp: Path, option: tuple[str, str], said: str
) -> None:
    documented("http://127.0.0.1:1/v1")
    ended = program("run", str(erp), *option)
    assert (ended.code, said in ended.err) == (2, True)


def test_limits_are_found_and_learnt(
    program: Program, documented: Any, start_sandbox: Any, erp: Path, home: Path
) -> None:
    sandbox = start_sandbox(concurrency=3, latency=0.1)
    documented(sandbox.url)
    ended = program("run", str(erp), "--batch-size", "10", "--json")
    assert ended.code == 0, ended.err
    assert ended.json["described"] == COLUMNS
    assert 0 < sandbox.totals.rejected <= 10
    assert '"concurrency"' in (home / "kimi-learned.json").read_text()
    sandbox.reset()
    program("run", str(erp), "--batch-size", "10", "--language", "de")
    assert sandbox.totals.rejected == 0


def test_only_changed_with_and_without_a_value(
    program: Program, documented: Any, start_sandbox: Any, erp: Path
) -> None:
    documented(start_sandbox().url)
    assert program("run", str(erp), "--limit", "20").code == 0
    for option in ("--only-changed", "--only-changed=data"):
        ended = program("run", option, str(erp), "--table", "aufk", "--json")
        assert ended.code == 0, ended.err
        assert ended.json["notes"] == ["Nothing has changed since earlier runs"]
    ended = program("run", str(erp), "--only-changed=rows")
    assert ended.code == 2


def test_who_waits_for_a_limit_is_told(
    program: Program, documented: Any, start_sandbox: Any, erp: Path
) -> None:
    documented(start_sandbox(faults="rate@1", minute=240.0).url)
    ended = program("run", str(erp), "--table", "aufk")
    assert ended.code == 0, ended.err
    assert "waiting 4 s for the account's limits" in ended.err


def test_always_refused_is_said_and_starts_no_storm(
    documented: Any, start_sandbox: Any, wide: Path
) -> None:
    """A foreign client holds the only place: each refusal must not make place for another."""
    sandbox = start_sandbox(faults="rate@1-", retry_after=False, limit_figures=False)
    documented(sandbox.url)
    screen = Screen("run", str(wide), "--yes", "--batch-size", "5")
    screen.wait("by the account's limits")
    screen.type("\x03", enter=False)
    assert screen.end() == 130
    assert len(sandbox.chats) < 60


def test_ctrl_c_at_the_question_leaves_no_run(
    program: Program, documented: Any, start_sandbox: Any, wide: Path
) -> None:
    sandbox = start_sandbox()
    documented(sandbox.url)
    for key in ("\x03", "\x04"):
        screen = Screen("run", str(wide))
        screen.wait("Continue?")
        screen.type(key, enter=False)
        assert screen.end() == 130
    assert program("runs", "--json").json == []
    assert len(sandbox.chats) == 0


def test_tokens_a_minute_below_one_request(
    program: Program, documented: Any, start_sandbox: Any, erp: Path
) -> None:
    sandbox = start_sandbox()
    documented(sandbox.url)
    ended = program("run", str(erp), "--tpm", "100")
    assert (ended.code, len(sandbox.chats)) == (2, 0)
    assert "reserves 32,768 tokens" in ended.err


def test_the_cap_goes_with_the_way_on(
    program: Program, documented: Any, start_sandbox: Any, erp: Path
) -> None:
    sandbox = start_sandbox(faults="quota@2-")
    documented(sandbox.url)
    ended = program("run", str(erp), "--batch-size", "20", "--max-cost", "5")
    assert ended.code == 1
    assert "--max-cost 5" in ended.err
    capped = program("run", "--resume", "last", "--max-cost", "0.001")
    assert "--max-cost MORE" in capped.err


def test_a_dry_run_says_what_changed_and_what_a_cap_has_to_hold(
    program: Program, documented: Any, start_sandbox: Any, erp: Path
) -> None:
    documented(start_sandbox().url)
    assert program("run", str(erp)).code == 0
    with sqlite3.connect(erp) as connection:
        connection.execute("ALTER TABLE kstst ADD COLUMN neu int")
        connection.execute("DROP TABLE zusfl")
    connection.close()
    found = program("run", str(erp), "--only-changed", "--dry-run")
    assert "new: kstst.neu" in found.err
    assert "dropped: zusfl" in found.err
    assert "the worst case of one request" in found.out
