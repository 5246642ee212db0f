"""Kimi as others serve it, through `run`: answers in other shapes, refusals in other words."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from amx_kimi.cli import cli
from amx_kimi.sandbox.manners import CONTENTS, WIRES, names, refusals

from .conftest import Program

TABLES, COLUMNS = 3, 25
ALL = TABLES * COLUMNS
USAGES = {"usage-huge", "usage-float", "usage-negative", "usage-text"}
ANSWERED = {*CONTENTS, *WIRES} - {"prose", "only-v1"}

# Each refusal: its exit code, and what a person reads of it.
REFUSED: dict[str, tuple[int, str]] = {
    "error-in-200": (2, r"No auth credentials found.*\n.*key"),
    "money-in-200": (1, r"Insufficient credits.*\nRecharge"),
    "code-msg": (2, r"invalid api key.*\n.*key"),
    "base-resp": (1, r"insufficient balance.*\nRecharge"),
    "object-error": (2, r"The model `kimi` does not exist"),
    "event-error": (2, r"Invalid API-key provided.*\n.*key"),
    "detail-text": (1, r"logprobs are not permitted.*\n.*explain"),
    "detail-list": (1, r"body\.response_format: Extra inputs are not permitted.*\n.*explain"),
    "metadata-raw": (1, r"suspended due to insufficient balance.*\nRecharge"),
    "errors-list": (1, r"prompt_cache_key is not accepted"),
    "nested-error": (1, r"invalid temperature: only 1 is allowed"),
    "day-limit": (1, r"available again at \d{4}-\d\d-\d\d \d\d:\d\d UTC \(in 1 h 54 min\)"),
    "free-tier": (1, r"free-models-per-day.*available again at .* \(in 7 h 0 min\)"),
    "budget": (1, r"Budget has been exceeded.*\n.*limit raised"),
    "reset-hours": (1, r"available again at .* \(in 7 h 0 min\)"),
    "quota-403": (1, r"usage limit for this billing cycle.*\nThe quota is used up"),
    "weekly-403": (1, r"weekly \(7-day\) usage limit.*\nThe quota is used up"),
    "client-403": (2, r"only available for Coding Agents.*\nThe service refuses this client"),
    "rights-403": (2, r"not allowed.*\nCheck the account's rights"),
    "ip-403": (2, r"IP .*\n.*allow-list"),
    "region-403": (2, r"territory not supported.*\nThe service is not offered"),
    "firewall-403": (2, r"Attention Required! \| Cloudflare.*\nSomething in front"),
    "moderation-403": (1, r"your input was flagged"),
    "moderation-400": (1, r"content management policy"),
    "too-large": (1, r"413 Request Entity Too Large"),
    "ip-401": (2, r"allowlist.*\n.*IP allow-list"),
    "model-401": (2, r"can only access models.*\nThe key may not use this model"),
    "expired-403": (2, r"Token has expired.*\n.*key"),
    "proxy-407": (1, r"Proxy Authentication Required.*\n.*proxy"),
    "web-page": (2, r"answered with a web page \(Sign in\).*\n.*Correct api_base"),
}
PASSING = {"wait-ms", "wait-minutes"}


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "shop.db"
    with sqlite3.connect(path) as connection:
        for table in range(TABLES):
            columns = ", ".join(f"col_{n} INTEGER" for n in range(COLUMNS))
            connection.execute(f"CREATE TABLE t{table} ({columns})")
    connection.close()
    return path


Describe = Callable[..., Any]
Start = Callable[..., Any]


@pytest.fixture
def describe(program: Program, documented: Any, start_sandbox: Start, database: Path) -> Describe:
    """`run` against a server of such manners; returns how it ended, the server, and the texts."""

    def run(*manners: str, arguments: tuple[str, ...] = (), **options: Any) -> Any:
        sandbox = start_sandbox(sets=manners, **options)
        documented(sandbox.url)
        ended = program("run", str(database), "--yes", "--json", *arguments)
        for trace in ("Traceback", "This is a bug", "ExceptionGroup"):
            assert trace not in ended.out + ended.err
        shown = CliRunner().invoke(cli, ["show", "last", "--json"], standalone_mode=False).stdout
        assert "DRAFT" not in shown
        assert "I look at each name" not in shown
        return ended, sandbox, [json.loads(line) for line in shown.splitlines()]

    return run


def texts(rows: list[dict[str, Any]]) -> list[str]:
    return [text for row in rows for text in row.get("alternatives") or ()]


def test_every_manner_has_its_right_value_here() -> None:
    assert set(names()) == ANSWERED | {"prose", "only-v1"} | set(REFUSED) | PASSING
    assert set(refusals()) == set(REFUSED) | PASSING


@pytest.mark.parametrize("manner", sorted(ANSWERED))
def test_an_answer_in_another_shape_is_an_answer(describe: Describe, manner: str) -> None:
    ended, sandbox, rows = describe(manner)
    assert ended.code == 0
    assert ended.json["described"] == ALL
    assert len(sandbox.chats) <= 3 + (manner == "ceiling")
    assert all(texts([row]) for row in rows)
    assert not re.search(r"<think|\[THINK|◁|<\||'type'", json.dumps(rows))
    is_known = ended.json["tokens"]["prompt"] > 0
    assert is_known is (manner not in USAGES)
    assert is_known or ended.json["cost"]["amount"] > 0.1  # it counts at its worst case


@pytest.mark.parametrize("manner", sorted(REFUSED))
def test_a_refusal_is_told_in_the_services_own_words(describe: Describe, manner: str) -> None:
    ended, sandbox, rows = describe(manner)
    code, words = REFUSED[manner]
    assert ended.code == code
    assert len(sandbox.chats) <= (40 if refused_by_item(manner) else 6)
    told = ended.err + "\n".join(str(row.get("error")) for row in rows)
    assert re.search(words, told), told
    assert ended.json["cost"]["amount"] == 0
    assert texts(rows) == []


def refused_by_item(manner: str) -> bool:
    return manner.startswith("moderation") or manner == "too-large"


@pytest.fixture
def examined(documented: Any, start_sandbox: Start) -> Callable[..., Any]:
    """`doctor` at a server of such a manner: its exit code, and its checks by name."""

    def run(manner: str) -> Any:
        documented(start_sandbox(sets=(manner,)).url)
        done = CliRunner().invoke(cli, ["doctor", "--json"], standalone_mode=False)
        checks = json.loads(done.stdout.strip().splitlines()[-1])
        return done.return_value, {check["name"]: check for check in checks}

    return run


@pytest.mark.parametrize("manner", sorted(ANSWERED - {"filtered"}))  # to doctor a refusal
def test_doctor_finds_nothing_wrong_with_another_shape(
    examined: Callable[..., Any], manner: str
) -> None:
    code, checks = examined(manner)
    assert code == 0
    assert checks["request"]["state"] == "ok"
    learnt = {
        "in-reasoning": "the field in which answers come here (reasoning_content)",
        "in-other-field": "the field in which answers come here (response)",
        "ends-without-done": "streams end without it here",
        "json-lines": "streams end without it here",
        "ceiling": "the largest output budget here, in tokens (8192)",
    }
    assert learnt.get(manner, "") in checks.get("learned", {}).get("detail", "")


@pytest.mark.parametrize("manner", sorted(REFUSED))
def test_doctor_says_the_services_own_words_and_what_to_do(
    examined: Callable[..., Any], manner: str
) -> None:
    code, checks = examined(manner)
    assert code == 1
    check = checks["request"]
    told = f"{check['detail']}\n{check['remedy']}"
    assert (check["state"], check["remedy"] != "") == ("failed", True)
    assert re.search(REFUSED[manner][1], told), told


def test_a_model_without_usable_answers_is_stopped_early(describe: Describe) -> None:
    ended, sandbox, rows = describe("prose")
    assert ended.code == 1
    assert len(sandbox.chats) == 3
    assert ended.json["cost"]["amount"] < 0.01
    assert "no usable entry" in ended.err
    assert texts(rows) == []


def test_a_model_that_only_thinks_is_stopped_early(describe: Describe) -> None:
    ended, sandbox, rows = describe(thinking_base=200_000)
    assert (ended.code, texts(rows)) == (1, [])
    assert [seen.body["max_tokens"] for seen in sandbox.chats] == [32_768, 131_072] * 2
    assert "AMX_LLM_MIN_MAX_TOKENS" in ended.err


def test_it_says_that_what_was_paid_for_could_not_be_kept(
    program: Program, documented: Any, start_sandbox: Start, database: Path
) -> None:
    documented(start_sandbox(sets=("prose",)).url)
    ended = program("run", str(database), "--yes")
    assert "Requests: 3 (0 retries)" in ended.out
    assert re.search(r"Cost: 0\.00[0-9]+ USD", ended.out)
    assert "These requests brought no usable descriptions" in ended.out


@pytest.mark.parametrize("fault", ["half-json", "empty", "no-done", "length-empty"])
def test_what_is_thrown_away_is_bounded(describe: Describe, fault: str) -> None:
    ended, sandbox, rows = describe(faults=f"{fault}@1-", usage_shape="none")
    kept = [row for row in rows if texts([row])]
    if fault == "no-done":  # the third request goes without a stream
        assert len(kept) == ALL + TABLES
    elif not kept:
        assert ended.code == 1
        assert len(sandbox.chats) <= 16


@pytest.mark.parametrize("manner", sorted(PASSING))
def test_a_short_wait_is_waited_for(describe: Describe, manner: str) -> None:
    if manner == "wait-minutes":
        pytest.skip("a minute and a half: its text is read in tests/client/test_waits.py")
    ended, sandbox, _ = describe(faults=f"{manner}@1-2")
    assert ended.code == 0
    assert ended.json["retries"] == 2
    assert len(sandbox.chats) == 5


def sizes(sandbox: Any) -> list[int]:
    """How many columns each request asked for."""
    bodies = [json.loads(seen.body["messages"][-1]["content"]) for seen in sandbox.chats]
    return [sum(len(table["columns"]) for table in body["tables"]) for body in bodies]


def test_a_small_batch_proves_the_model_once(
    program: Program, documented: Any, start_sandbox: Start, database: Path
) -> None:
    sandbox = start_sandbox()
    documented(sandbox.url)
    assert program("run", str(database), "--yes").code == 0
    first, *others = sizes(sandbox)
    assert first < 10 < max(others)
    sandbox.reset()
    assert program("run", str(database), "--yes", "--language", "de").code == 0
    assert sizes(sandbox)[0] > 20


def test_the_missing_v1_is_found_and_remembered(
    program: Program, documented: Any, start_sandbox: Start, database: Path, home: Path
) -> None:
    sandbox = start_sandbox(sets=("only-v1",))
    documented(sandbox.url.removesuffix("/v1"))
    ended = program("run", str(database), "--yes", "--json")
    assert ended.json["described"] == ALL
    assert ended.json["cost"]["amount"] < 0.05
    learnt = json.loads((home / "kimi-learned.json").read_text())
    (models,) = [rows for url, rows in learnt.items() if url.startswith("http")]
    assert models["kimi-k2-thinking"]["api_base"]["value"] == sandbox.url
    assert sandbox.url in program("explain").out
    wrong = [seen for seen in sandbox.seen if not seen.path.startswith("/v1/")]
    assert wrong == []


@pytest.mark.parametrize("manner", ["moderation-400", "moderation-403"])
def test_a_refused_column_is_left_out_of_its_neighbours_questions(
    program: Program, documented: Any, start_sandbox: Start, tmp_path: Path, manner: str
) -> None:
    path = tmp_path / "wide.db"
    columns = [f"col_{n}" if n != 17 else "forbidden_word" for n in range(30)]
    with sqlite3.connect(path) as connection:
        connection.execute(f"CREATE TABLE w ({', '.join(columns)})")
    connection.close()
    sandbox = start_sandbox(moderates=("forbidden_word",), sets=(manner,))
    documented(sandbox.url)
    ended = program("run", str(path), "--yes", "--json")
    assert ended.code == 1
    assert (ended.json["described"], ended.json["failed"]) == (29, 1)
    assert "The service refuses the content of w.forbidden_word" in ended.err
    assert len(sandbox.chats) < 25


def test_a_size_that_is_refused_is_halved_and_learnt(
    program: Program, documented: Any, start_sandbox: Start, database: Path, home: Path
) -> None:
    sandbox = start_sandbox(most_bytes=5_000)
    documented(sandbox.url)
    ended = program("run", str(database), "--yes", "--json", "--batch-size", "60")
    assert (ended.code, ended.json["described"]) == (0, ALL)
    learnt = json.loads((home / "kimi-learned.json").read_text())
    (models,) = [rows for url, rows in learnt.items() if url.startswith("http")]
    assert 100 < models["kimi-k2-thinking"]["prompt"]["value"] < 6_000
