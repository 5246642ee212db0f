"""A whole `/run` of an unmodified AMX on PostgreSQL, comments written, with and without us."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pexpect
import pytest
import sqlalchemy
import yaml

from tests.conftest import KEY
from tests.consumers.amx import shop
from tests.consumers.amx.conftest import VERSIONS, install
from tests.consumers.amx.run import Done, analyze, environment
from tests.terminal import needs_secret_service, put_key, secret_service

pytestmark = needs_secret_service
OPENAI = "sk-openai-0123456789abcdef"
Run = Callable[..., Done]


@pytest.fixture
def keyring(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The documented key in a real keyring."""
    with secret_service(home.parent) as service:
        for name, value in service.items():
            monkeypatch.setenv(name, value)
        put_key(service, "//amx/kimi-thinking/api_key", KEY)
        yield


@pytest.fixture
def database(fresh_postgres: str) -> str:
    """A PostgreSQL database with the shop's tables."""
    shop.build(fresh_postgres)
    return fresh_postgres


@pytest.fixture
def run(home: Path, database: str, keyring: None) -> Run:  # noqa: ARG001
    """Run AMX of a version on all tables, by a command, at this base."""

    def go(version: str, command: str, base: str) -> Done:
        place = sqlalchemy.engine.make_url(database)
        block = {
            "provider": "kimi",
            "model": "kimi-k2-thinking",
            "api_base": base,
            "api_key": "keyring://amx/kimi-thinking/api_key",
            "temperature": 0.2,
            "n_alternatives": 3,
        }
        config: dict[str, Any] = {
            "llm_profiles": {"kimi-thinking": {**block, "confidence_signal": "none"}},
            "active_llm_profile": "kimi-thinking",
            "db_profiles": {
                "shop": {
                    "backend": "postgresql",
                    "host": "",  # as PGHOST says
                    "port": 5432,
                    "user": place.username,
                    "database": place.database,
                }
            },
            "active_db_profile": "shop",
        }
        home.mkdir(exist_ok=True)
        (home / "config.yml").write_text(yaml.safe_dump(config))
        python = install(version)
        env = environment(python, PGHOST=str(place.query["host"]), OPENAI_API_KEY=OPENAI)
        words = [
            str(python.with_name(word)) if i == 0 else word
            for i, word in enumerate(command.split())
        ]
        return analyze(words, list(shop.TABLES), env)

    return go


@pytest.mark.parametrize("version", VERSIONS)
def test_a_schema_is_described_completely(
    run: Run, home: Path, database: str, start_sandbox, version: str
) -> None:
    sandbox = start_sandbox(keys=(KEY, OPENAI))
    done = run(version, "amx-kimi amx", sandbox.url)
    assert done.code == 0, done.text
    assert len(shop.comments(database)) == shop.COLUMNS
    assert {seen.key for seen in sandbox.seen} == {KEY}
    assert all(seen.status == 200 for seen in sandbox.chats)
    assert KEY not in done.text  # nor in whatever AMX wrote: logs, history, configuration
    files = [path for path in home.parent.rglob("*") if path.is_file()]
    assert home / "config.yml" in files
    assert not [path for path in files if KEY.encode() in path.read_bytes()]


@pytest.mark.parametrize("version", VERSIONS)
def test_plain_amx_describes_nothing(run: Run, database: str, start_sandbox, version: str) -> None:
    sandbox = start_sandbox(keys=(KEY, OPENAI))
    done = run(version, "amx", sandbox.url)
    assert "only 1 is" in done.text
    assert shop.comments(database) == {}
    assert {seen.key for seen in sandbox.chats} == {OPENAI}


def test_12_a_key_that_fails_in_the_middle_stops_the_run(
    run: Run, database: str, start_sandbox
) -> None:
    sandbox = start_sandbox(faults="unauthorized@4-")
    done = run("0.19.0", "amx-kimi amx", sandbox.url)
    assert "Check that the key" in done.text
    assert len(sandbox.chats) == 4  # not one for every table
    written = {name.split(".")[0] for name in shop.comments(database)}
    assert written == {"cust", "addr"}


def ours(*words: str) -> subprocess.CompletedProcess[str]:
    """Our own program, to its end."""
    program = [sys.executable, "-W", "error", "-m", "amx_kimi", *words]
    return subprocess.run(
        program, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL
    )


def hosted(database: str, *words: str, answers: tuple[tuple[str, str], ...] = ()) -> str:
    """AMX 0.19.0 itself, its questions answered; what it showed."""
    python = install("0.19.0")
    place = sqlalchemy.engine.make_url(database)
    amx = pexpect.spawn(
        str(python.with_name("amx")),
        list(words),
        env=environment(python, PGHOST=str(place.query["host"])),  # type: ignore[arg-type]
        dimensions=(60, 160),
        encoding="utf-8",
        timeout=60,
    )
    text = ""
    for question, answer in answers:
        amx.expect_exact(question)
        text += f"{amx.before}{amx.after}"
        amx.expect([r"\]: ", "> "])
        text += f"{amx.before}{amx.after}"
        amx.send(answer + "\r")
    amx.expect(pexpect.EOF)
    amx.close()
    return text + (amx.before or "")


def test_amx_sees_our_run_and_applies_what_was_accepted(
    run: Run, home: Path, database: str, start_sandbox
) -> None:
    sandbox = start_sandbox(keys=(KEY, OPENAI))
    run("0.19.0", "amx --version", sandbox.url)  # only for its configuration
    url = sqlalchemy.engine.make_url(database)
    os.environ["PGHOST"] = str(url.query["host"])
    try:
        ours("run", "--db-profile", "shop", "--table", "cust", "--table", "inv", "--yes")
        ours("review", "last", "--accept", "high")
        handed = ours("export", "last", "--format", "amx", "--db-profile", "shop")
    finally:
        del os.environ["PGHOST"]
    assert "waiting for its /apply" in handed.stdout
    shown = hosted(database, "history", "results", "1")
    assert "Saved alternatives - run #1" in shown
    assert "customer" in shown, shown
    pending = json.loads((home.parent / ".amx" / "pending_metadata.json").read_text())
    assert pending
    hosted(database, "analyze", "apply", answers=(("Write", "y"),))
    wanted = {
        f"{row['table']}.{row['column']}": row["final_description"]
        for row in pending
        if row["column"]
    }
    assert shop.comments(database) == wanted


def test_what_was_accepted_in_amx_is_never_paid_for_again(
    run: Run, database: str, start_sandbox
) -> None:
    sandbox = start_sandbox(keys=(KEY, OPENAI))
    assert run("0.19.0", "amx-kimi amx", sandbox.url).code == 0
    written = shop.comments(database)
    sandbox.reset()
    os.environ["PGHOST"] = str(sqlalchemy.engine.make_url(database).query["host"])
    try:
        imported = json.loads(ours("import-amx", "--db-profile", "shop", "--json").stdout)
        assert imported["texts"] >= len(written)
        again = json.loads(ours("run", "--db-profile", "shop", "--all", "--json").stdout)
        texts = [json.loads(line) for line in ours("show", "last", "--json").stdout.splitlines()]
    finally:
        del os.environ["PGHOST"]
    assert again["reused"] == again["columns"] == shop.COLUMNS
    assert len(sandbox.chats) <= 1  # tables that AMX left without a text
    found = {f"{row['table']}.{row['column']}": row for row in texts if row["column"]}
    for name, text in written.items():
        assert found[name]["description"] == text
        assert found[name]["decision"] == "accept"
        assert found[name]["generated_by"] == "AI"
