"""`advise`: what each profile would cost and take, and which one to take."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from amx_kimi.annotate.estimate import estimate_items
from amx_kimi.annotate.job import Job, wanted_by
from amx_kimi.cli.common import pasted
from amx_kimi.config import load_profile
from amx_kimi.settings import Settings
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


def test_dry_run_question_and_advice_say_the_same(moonshot: Program, erp: Path) -> None:
    cost = moonshot("run", str(erp), "--dry-run", "--json").json["cost"]
    offer = offers(moonshot("advise", str(erp), "--json").json)["mine"]
    assert (offer["cost"]["least"], offer["cost"]["most"]) == (cost["least"], cost["most"])
    dear = ("custom_input_cost_per_mtok=100", "custom_output_cost_per_mtok=100")
    assert moonshot("set-llm-profile", "mine", *dear).code == 0
    cost = moonshot("run", str(erp), "--dry-run", "--json").json["cost"]
    asked = moonshot("run", str(erp))
    assert asked.code == 2
    assert f"may cost {cost['least']:.2f} to {cost['most']:.2f} USD" in asked.err


def test_the_wizards_figure_is_about_that_of_a_dry_run(moonshot: Program, erp: Path) -> None:
    """The wizard knows no database: by its item it may not be far from a real one."""
    profile = load_profile("mine", Settings.from_environment())
    job = Job(profile, wanted=wanted_by(profile))
    rough = estimate_items(304, job, profile.facts(), Settings())
    packed = moonshot("run", str(erp), "--dry-run", "--json").json
    assert rough.requests == pytest.approx(packed["requests"], rel=0.5)
    assert rough.prompt_tokens == pytest.approx(packed["tokens"]["prompt"], rel=0.25)
    assert rough.completion_tokens == pytest.approx(packed["tokens"]["completion"], rel=0.25)
