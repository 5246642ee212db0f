"""A canary key through every path of the program: found nowhere but where its owner put it."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from amx_kimi.sandbox.faults import KINDS
from tests import warm
from tests.canary import CANARY, leaks
from tests.cli.conftest import Program, command
from tests.client.helpers import Scripted, response
from tests.terminal import Window, needs_secret_service, put_key, secret_service

Keep = Callable[[str], None]


def in_clear(home: Path, base: str, _: pytest.MonkeyPatch) -> set[str]:
    """As AMX writes a key without a keyring."""
    _profile(home, base, api_key=CANARY)
    return {"config.yml"}


def in_a_file(home: Path, base: str, _: pytest.MonkeyPatch) -> set[str]:
    _profile(home, base)
    (home / "the-key").write_text(CANARY)
    _overlay(home, f"file:{home / 'the-key'}")
    return {"the-key"}


def in_a_variable(home: Path, base: str, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    _profile(home, base)
    monkeypatch.setenv("MY_KIMI_KEY", CANARY)
    _overlay(home, "env:MY_KIMI_KEY")
    return set()


def in_amxs_variable(home: Path, base: str, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    _profile(home, base)
    monkeypatch.setenv("AMX_LLM_API_KEY", CANARY)
    return set()


_WITH_A_KEY = ("doctor", "run")
_PASSING = (
    *("overload", "rate", "500", "503", "504html", "no-done"),
    *("reset-before", "reset-between", "reset-within"),
)
PLACES = (in_clear, in_a_file, in_a_variable, in_amxs_variable)
Place = Callable[[Path, str, pytest.MonkeyPatch], set[str]]


def _profile(home: Path, base: str, **more: str) -> None:
    home.mkdir(exist_ok=True)
    profile = {"provider": "kimi", "model": "kimi-k2.6", "api_base": base, **more}
    document = {"llm_profiles": {"p": profile}, "active_llm_profile": "p"}
    (home / "config.yml").write_text(yaml.safe_dump(document))


def _overlay(home: Path, reference: str) -> None:
    (home / "kimi.yml").write_text(f"profiles: {{p: {{api_key_ref: '{reference}'}}}}\n")


def sightings(folder: Path, owners: set[str]) -> list[str]:
    """The files below a folder that hold the canary, but for those of its owner."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name not in owners)
    return [str(path) for path in files if leaks(path.read_bytes())]


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.__name__)
def test_every_command(
    program: Program,
    start_sandbox: Any,
    erp: Path,
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    place: Place,
) -> None:
    sandbox = start_sandbox(keys=(CANARY,), faults="500@2,rate@3")
    owners = place(home, sandbox.url, monkeypatch)
    said = ""
    some = ("--table", "kstst", "--table", "pers")
    for words in (
        ("doctor",),
        ("doctor", "--json"),
        ("explain",),
        ("explain", "--json"),
        ("models",),
        ("llm-profiles", "--json"),
        ("payload", str(erp), "--table", "kstst"),
        ("run", str(erp), *some, "--dry-run"),
        ("run", str(erp), *some, "--yes", "--json"),
        ("run", str(erp), *some, "--yes", "--json", "--all"),
        ("runs", "--json"),
        ("usage", "--json"),
        ("show", "last", "--json"),
        ("review", "last", "--accept", "low"),
        ("review", "last", "--out", "decisions.csv"),
        *(("export", "last", "--format", f, "--out", f"out.{f}") for f in ("json", "csv", "dbt")),
        ("export", "last", "--format", "markdown"),
        ("report", "last", "--out", "report.html"),
        ("apply", "last", "--sql", "out.sql", "--dialect", "postgresql"),
        ("set-llm-profile", "p", "n_alternatives=2"),
        ("rename-llm-profile", "p", "q"),
    ):
        if place is not in_clear and words[0] not in _WITH_A_KEY:
            continue
        ended = program(*words, "--debug", "--log-file", str(tmp_path / "log.jsonl"))
        assert ended.code == 0, (words, ended.err)
        said += ended.out + ended.err
    assert {seen.key for seen in sandbox.seen} == {CANARY}
    assert "sk-…zq7x" in said
    assert leaks(said) == []
    assert sightings(tmp_path, owners) == []


@pytest.mark.parametrize("fault", [*KINDS, "echo", "nobody", "no-tls", "other-key"])
def test_every_error(
    program: Program,
    start_sandbox: Any,
    erp: Path,
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fault: str,
) -> None:
    monkeypatch.setenv("AMX_LLM_TIMEOUT_SEC", "0.5")
    monkeypatch.setenv("AMX_KIMI_TOTAL_TIMEOUT_SEC", "1")
    with Scripted(*[_echo] * 50) as echo:
        last = "2" if fault in _PASSING else ""  # each further try waits longer
        faults = f"{fault}@1-{last}" if fault in KINDS else ""
        url = start_sandbox(faults=faults, keys=(CANARY,)).url
        url = {
            "echo": echo.url,
            "nobody": "http://127.0.0.1:9/v1",
            "no-tls": url.replace("http", "https"),
        }.get(fault, url)
        owners = in_clear(home, url, monkeypatch)
        if fault == "other-key":
            (home / "config.yml").write_text(
                (home / "config.yml").read_text().replace(CANARY, f"{CANARY}oops")
            )
        run = ("run", str(erp), "--table", "kstst", "--batch-size", "40")
        log = ("--debug", "--log-file", str(tmp_path / "log.jsonl"))
        ended = program(*run, "--json", *log)
    assert ended.err
    assert leaks(ended.out + ended.err) == []
    assert sightings(tmp_path, owners) == []


def _echo(connection: Any) -> None:
    """A gateway that repeats what it was sent, in several shapes."""
    message = f"Bearer {CANARY} is wrong: {CANARY[:20]}… of org-1234567890abcdef <{CANARY}>"
    message += f" ({CANARY[3:]}, {CANARY.upper()[3:]})"
    body = {"error": {"type": "incorrect_api_key_error", "message": message}}
    for data in response(body, 401):
        connection.sendall(data)
    connection.shutdown(2)


@needs_secret_service
def test_the_environment_and_the_command_line_of_our_processes(
    start_sandbox: Any, erp: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key in the keyring: no process of ours has it in its environment, and none names it."""
    sandbox = start_sandbox(keys=(CANARY,), latency=0.3)
    with secret_service(home.parent) as service:
        for name, value in service.items():
            monkeypatch.setenv(name, value)
        put_key(service, "//amx/p/api_key", CANARY)
        _profile(home, sandbox.url, api_key="keyring://amx/p/api_key")
        running = subprocess.Popen(
            command("run", str(erp), "--table", "kstst", "--batch-size", "2", "--json"),
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        seen = set(_family(running, lambda: len(sandbox.chats) >= 3))
        out, err = running.communicate(timeout=60)
    assert running.returncode == 0, err
    assert len(seen) >= 2
    for text in (*seen, out, err):
        assert leaks(text) == []
    assert sightings(home, set()) == []


def _family(process: subprocess.Popen[bytes], enough: Callable[[], bool]) -> Iterator[bytes]:
    """Environments and command lines of a process and its children, until it was enough."""
    while process.poll() is None and not enough():
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        for pid in (str(process.pid), *children):
            for file in ("environ", "cmdline"):
                try:
                    yield Path(f"/proc/{pid}/{file}").read_bytes()
                except OSError:
                    continue  # it has just ended
        time.sleep(0.01)


def test_what_an_editor_inherits(
    start_sandbox: Any,
    program: Program,
    erp: Path,
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sandbox = start_sandbox(keys=(CANARY,))
    in_a_file(home, sandbox.url, monkeypatch)
    assert program("run", str(erp), "--table", "kstst", "--yes").code == 0
    editor = tmp_path / "editor"
    editor.write_text(f'#!/bin/sh\nenv > {tmp_path}/environment\necho Text. > "$1"\n')
    editor.chmod(0o700)
    screen = Window("review", "last", env={"EDITOR": str(editor), "VISUAL": str(editor)})
    screen.wait("decided")
    screen.type("E", enter=False)
    screen.wait("1 of")
    screen.type("q", enter=False)
    assert screen.end() == 0
    assert leaks((tmp_path / "environment").read_text()) == []


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077, 0o277])
def test_files_are_their_owners_whatever_the_umask(
    start_sandbox: Any, erp: Path, home: Path, tmp_path: Path, mask: int
) -> None:
    url = start_sandbox(keys=(CANARY,)).url
    program = f"import os, sys\nos.umask({mask})\nfrom amx_kimi.cli import main\n"

    def ours(*words: str) -> None:
        done = warm.run_code(
            f"{program}sys.argv[1:] = {words!r}\nmain()",
            cwd=tmp_path,
            env={**os.environ, "AMX_LLM_API_KEY": CANARY},
        )
        assert done.returncode == 0, done.stderr

    ours("add-llm-profile", "p", "--model", "kimi-k2.6", "--api-base", url)
    ours("set-llm-profile", "p", "rpm=500")
    log = ("--log-file", str(tmp_path / "log.jsonl"))
    ours("run", str(erp), "--table", "kstst", "--yes", *log)
    found = {path.name for path in home.iterdir()}
    assert {"config.yml", "kimi.yml", "kimi.db"} <= found
    for path in (home, *home.iterdir(), tmp_path / "log.jsonl"):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), (path, oct(mode))


@pytest.mark.parametrize("name", ["config.yml", "kimi.yml", "kimi.db", "kimi-learned.json"])
def test_nothing_is_written_through_a_link(
    program: Program,
    start_sandbox: Any,
    erp: Path,
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    in_clear(home, start_sandbox(refuse=("prompt_cache_key",)).url, monkeypatch)
    elsewhere = tmp_path / "elsewhere"
    if (home / name).exists():
        (home / name).rename(elsewhere)
    (home / name).symlink_to(elsewhere)
    before = elsewhere.read_bytes() if elsewhere.exists() else None
    program("add-llm-profile", "q", "--model", "kimi-k3", "--no-check")
    program("set-llm-profile", "p", "rpm=500")
    ended = program("run", str(erp), "--table", "kstst", "--yes", "--json")
    assert (elsewhere.read_bytes() if elsewhere.exists() else None) == before
    assert (home / name).is_symlink()
    assert ended.code == (2 if name == "kimi.db" else 0), ended.err
    if name == "kimi.db":
        assert "is a link" in ended.err


def test_account_ids_of_the_service_are_taken_out(
    program: Program, erp: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "Your account org-1234567890abcdef<ak-fedcba0987654321> has no balance"
    body = {"error": {"type": "exceeded_current_quota_error", "message": text}}
    with Scripted(response(body, 429)) as server:
        in_clear(home, server.url, monkeypatch)
        ended = program(
            *("run", str(erp), "--table", "kstst", "--yes", "--debug"),
            *("--log-file", str(tmp_path / "log.jsonl")),
        )
    assert "org-…<ak-…>" in ended.err
    log = (tmp_path / "log.jsonl").read_text()
    journal = (home / "kimi.db").read_bytes().decode("latin-1")
    for place in (ended.err, ended.out, log, journal):
        assert "1234567890abcdef" not in place
        assert "fedcba" not in place
    assert [json.loads(line) for line in log.splitlines()]
