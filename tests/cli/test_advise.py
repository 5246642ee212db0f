"""`advise`: what each profile would cost and take, and which one to take."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from amx_kimi.cli.common import pasted
from tests.cli.conftest import Program


@pytest.fixture
def moonshot(program: Program, monkeypatch: pytest.MonkeyPatch) -> Program:
    """A kimi-bulk profile at Moonshot's own endpoint; nothing is ever sent there."""
    monkeypatch.setenv("AMX_LLM_API_KEY", "sk-test-0123456789abcdef")
    made = program("add-llm-profile", "mine", "--preset", "kimi-bulk", "--no-check", "--activate")
    assert made.code == 0, made.err
    return program


def offers(advice: Any) -> dict[str, Any]:
    return {offer["profile"]: offer for offer in advice["offers"]}


def test_profiles_and_presets_with_a_recommendation(moonshot: Program, erp: Path) -> None:
    advice = moonshot("advise", str(erp), "--json").json
    found = offers(advice)
    assert set(found) == {"mine", "kimi-deep"}  # kimi-bulk is what `mine` is; no retired model
    assert found["mine"]["cost"]["most"] < found["kimi-deep"]["cost"]["least"]
    assert found["mine"]["items"] == found["kimi-deep"]["items"] == 304
    assert (advice["recommended"], advice["escalate"]) == ("mine", "kimi-deep")
    assert moonshot("runs", "--json").json == []


def test_a_small_database_gets_the_careful_one(moonshot: Program, erp: Path) -> None:
    ended = moonshot("advise", str(erp), "--table", "aufk")
    assert ended.code == 0, ended.err
    assert "Recommended: kimi-deep" in ended.out
    assert "small" in ended.out
    assert f"amx-kimi run {erp} --table aufk --profile kimi-deep" in ended.out


def test_limits_decide_the_time(moonshot: Program, erp: Path) -> None:
    slow = offers(moonshot("advise", str(erp), "--concurrency", "1", "--json").json)["kimi-deep"]
    fast = offers(moonshot("advise", str(erp), "--tier", "5", "--json").json)["kimi-deep"]
    few = offers(moonshot("advise", str(erp), "--rpm", "1", "--json").json)["kimi-deep"]
    assert slow["seconds"] > 2 * fast["seconds"]
    assert few["bound"] == "requests per minute"


def test_what_is_described_costs_nothing(
    program: Program, documented: Any, start_sandbox: Any, erp: Path
) -> None:
    documented(start_sandbox().url)
    assert program("run", str(erp), "--yes").code == 0
    advice = program("advise", str(erp), "--json").json
    assert offers(advice)["kimi-thinking"]["items"] == 0
    assert offers(advice)["kimi-thinking"]["speed_measured"]
    assert advice["reasons"] == ["Everything is already described."]


def test_a_tier_that_is_none(moonshot: Program, erp: Path) -> None:
    ended = moonshot("advise", str(erp), "--tier", "9")
    assert ended.code == 2
    assert "there is no tier 9" in ended.err


@pytest.mark.parametrize(
    ("given", "again"),
    [
        ("erp.db", "erp.db"),
        ("my data/erp.db", "'my data/erp.db'"),
        ("postgresql://ann@host/db", "postgresql://ann@host/db"),
        ("postgresql://ann:se%40cret@host:5433/db", "postgresql://ann@host:5433/db"),
        ("sqlite:///me@home.db", "sqlite:///me@home.db"),
        ("://", "://"),
    ],
)
def test_what_is_printed_can_be_pasted(given: str, again: str) -> None:
    assert pasted(given) == again
