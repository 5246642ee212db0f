"""What SECURITY.md promises of files, keys and hosts, through the commands themselves."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sqlite3
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from amx_kimi.sandbox import Sandbox
from tests.conftest import KEY

from .conftest import Program, command, wait_until

SECRET = "Gx7pQ2rT9vW4yZ1k"

# Files that are none


def pipe(path: Path) -> None:
    os.mkfifo(path)


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 40)


NO_FILES = pytest.mark.parametrize("kind", [pipe, device, huge])


@NO_FILES
@pytest.mark.parametrize("name", ["config.yml", "kimi.yml", "kimi-learned.json"])
def test_what_is_no_file_is_refused_in_our_folder(
    program: Program, documented, start_sandbox, erp, home: Path, name: str, kind: Any
) -> None:
    sandbox = start_sandbox()
    documented(sandbox.url)
    (home / name).unlink(missing_ok=True)
    kind(home / name)
    ended = program("run", str(erp), "--limit", "1", timeout=30)
    if name == "kimi-learned.json":  # disposable
        assert ended.code == 0, ended.err
    else:
        assert ended.code == 2
        assert name in ended.err
        assert not sandbox.chats
    assert "Traceback" not in ended.err


@NO_FILES
def test_what_is_no_file_holds_no_key(
    program: Program, documented, erp, home: Path, tmp_path: Path, kind: Any
) -> None:
    documented("http://127.0.0.1:9/v1", api_key="")
    key = tmp_path / "key"
    kind(key)
    overlay = {"profiles": {"kimi-thinking": {"api_key_ref": f"file:{key}"}}}
    (home / "kimi.yml").write_text(yaml.safe_dump(overlay))
    ended = program("run", str(erp), timeout=30)
    assert ended.code == 2
    assert f"file:{key}" in ended.err


@pytest.mark.parametrize(
    ("suffix", "kind"), [(".yml", pipe), (".csv", device), (".json", huge), (".md", pipe)]
)
def test_what_is_no_file_is_no_context(
    program: Program, documented, erp, tmp_path: Path, suffix: str, kind: Any
) -> None:
    documented("http://127.0.0.1:9/v1")
    context = tmp_path / f"context{suffix}"
    kind(context)
    ended = program("run", str(erp), "--context", str(context), timeout=30)
    assert ended.code == 2
    assert context.name in ended.err


@NO_FILES
@pytest.mark.parametrize("name", ["kimi.db", "decisions.csv", "data.csv", "data.duckdb", "ca.pem"])
def test_what_is_no_file_is_refused_elsewhere(
    program: Program,
    documented,
    start_sandbox,
    erp,
    home: Path,
    tmp_path: Path,
    name: str,
    kind: Any,
) -> None:
    if (name, kind) == ("data.csv", huge):
        pytest.skip("a file of data may be as large as it is")
    documented(start_sandbox().url)
    path = (home if name == "kimi.db" else tmp_path) / name
    env = {}
    if name == "decisions.csv":
        program("run", str(erp), "--limit", "1")
    kind(path)
    arguments = {
        "decisions.csv": ("review", "last", "--decisions", name),
        "data.csv": ("run", name),
        "data.duckdb": ("run", f"duckdb:///{path}"),
    }.get(name, ("run", str(erp), "--limit", "1"))
    if name == "ca.pem":
        env["AMX_CA_BUNDLE"] = str(path)
    ended = program(*arguments, env=env, timeout=60)
    assert ended.code != 0
    assert name in ended.err
    assert "Traceback" not in ended.err


# Keys and passwords

STORES = [
    f"postgresql://127.0.0.1:9/db?password={SECRET}",
    f"postgresql://127.0.0.1:9/db?sslpassword={SECRET}",
    f"postgresql://ada:p@{SECRET}@127.0.0.1:9/db",
    f"postgresql://ada:{SECRET}/x@127.0.0.1:9/db",
    f"host=127.0.0.1 password={SECRET}",
    f"ada:{SECRET}@127.0.0.1/db",
    f"postgres:{SECRET}@db",
    f"mysql://ada:{SECRET}@host/db",
    f"postgresql://ada:{SECRET}@host:port/db",
]


@pytest.mark.parametrize("store", STORES)
def test_no_password_of_a_store_is_shown_or_made_a_file(
    program: Program, documented, erp, tmp_path: Path, store: str
) -> None:
    documented("http://127.0.0.1:9/v1")
    before = sorted(tmp_path.rglob("*"))
    for arguments in (("run", str(erp), "--dry-run"), ("--debug", "runs")):
        ended = program(*arguments, "--store", store)
        assert ended.code in (1, 2)
        assert SECRET not in ended.out + ended.err
    made = {path.name for path in tmp_path.rglob("*")} - {path.name for path in before}
    assert not [name for name in made if SECRET in name]


OTHER_KEY = "sk-Zz9Yy8Xx7Ww6Vv5Uu4Tt3Ss2Rr1Qq0Pp"
BARE_KEY = "0f9a8b7c6d5e4f3a2b1c0d9e8f7a6b5c"
PLACES = {
    "an unknown key of kimi.yml": {"profiles": {"kimi-thinking": {"KEY": 1}}},
    "a section of kimi.yml": {"KEY": {}},
    "a value of kimi.yml": {"profiles": {"kimi-thinking": {"concurrency": "KEY"}}},
    "an effort": {"profiles": {"kimi-thinking": {"reasoning_effort": "KEY"}}},
    "a country": {"masking": {"countries": ["KEY"]}},
    "an endpoint": {"profiles": {"kimi-thinking": {"endpoint": "KEY"}}},
    "a list": {"profiles": ["KEY"]},
}


@pytest.mark.parametrize("place", PLACES)
def test_a_key_in_the_wrong_place_is_not_repeated(
    program: Program, documented, erp, home: Path, place: str
) -> None:
    documented("http://127.0.0.1:9/v1")
    for key in (OTHER_KEY, BARE_KEY):
        text = yaml.safe_dump(PLACES[place]).replace("KEY", key)
        (home / "kimi.yml").write_text(text)
        ended = program("run", str(erp), "--dry-run")
        assert key[3:-4] not in ended.out + ended.err


COMMANDS = [
    ("use-llm", "KEY"),
    ("KEY",),
    ("run", "erp.db", "--profile", "KEY"),
    ("run", "erp.db", "--language", "KEY"),
    ("set-llm-profile", "KEY"),
    ("set-llm-profile", "kimi-thinking", "KEY=1"),
    ("show", "KEY"),
    ("run", "KEY"),
    ("prune", "--before", "KEY"),
    ("explain", "KEY"),
]


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_a_key_as_a_word_of_a_command_is_not_repeated(
    program: Program, documented, arguments: tuple[str, ...]
) -> None:
    documented("http://127.0.0.1:9/v1")
    ended = program(*(word.replace("KEY", OTHER_KEY) for word in arguments))
    assert OTHER_KEY[3:-4] not in ended.out + ended.err


@pytest.mark.parametrize(
    "proxy", [f"ada:{SECRET}@proxy:x", f"http://ada:{SECRET}@pro xy:1", f"{SECRET}"]
)
def test_no_password_of_a_proxy_is_shown(program: Program, documented, erp, proxy: str) -> None:
    documented("https://127.0.0.1.example/v1")
    env = {"HTTPS_PROXY": proxy, "https_proxy": proxy, "NO_PROXY": "", "no_proxy": ""}
    ended = program("run", str(erp), "--limit", "1", "--yes", env=env)
    assert ended.code != 0
    assert SECRET not in ended.out + ended.err
    assert SECRET not in program("doctor", env=env).out


# Files that are written


def test_what_is_exported_is_its_owners(
    program: Program, documented, start_sandbox, erp, tmp_path: Path
) -> None:
    documented(start_sandbox().url)
    assert program("run", str(erp), "--limit", "3").code == 0
    written = {
        "a.csv": ("export", "last", "--format", "csv", "--out", "a.csv"),
        "a.yml": ("export", "last", "--format", "dbt", "--unreviewed", "--out", "a.yml"),
        "a.html": ("report", "last", "--out", "a.html"),
        "a.sql": ("apply", "last", "--unreviewed", "--sql", "a.sql", "--dialect", "mysql"),
        "d.csv": ("review", "last", "--out", "d.csv"),
    }
    for name, arguments in written.items():
        ended = program(*arguments)
        assert ended.code == 0, ended.err
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
        (tmp_path / name).unlink()
        assert program(*arguments, "--mode", "644").code == 0
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o644
    assert program(*written["a.html"], "--mode", "rw-r--r--").code == 2


@pytest.mark.parametrize(
    "store",
    [
        "sqlite:///{}",
        "sqlite+pysqlite:///{}",
        "{}",
        "sqlite:///file:{}?uri=true",
        "sqlite:///{}?mode=rwc",
    ],
)
def test_no_spelling_of_a_store_makes_a_wider_file_or_follows_a_link(
    program: Program, documented, start_sandbox, erp, tmp_path: Path, store: str
) -> None:
    documented(start_sandbox().url)
    ended = program("run", str(erp), "--limit", "1", "--store", store.format(tmp_path / "own.db"))
    made = list(tmp_path.rglob("own.db*"))
    assert (ended.code == 0) is bool(made)
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in made)
    link, target = tmp_path / "link.db", tmp_path / "target.db"
    link.symlink_to(target)
    assert program("run", str(erp), "--limit", "1", "--store", store.format(link)).code == 2
    assert not target.exists()


# Two hosts with one journal

needs_unshare = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("unshare") is None, reason="wants unshare, and root"
)


def on_another_host(*arguments: str) -> list[str]:
    """A command as a host of the same name in its own space of pids runs it."""
    return ["unshare", "--uts", "--pid", "--fork", "--mount-proc", "--kill-child", *arguments]


@needs_unshare
@pytest.mark.parametrize("same_name", [True, False])
def test_a_live_run_of_another_host_is_not_taken_over(
    program: Program,
    documented: Callable[..., None],
    start_sandbox: Callable[..., Sandbox],
    erp: Path,
    fresh_postgres: str,
    tmp_path: Path,
    same_name: bool,
) -> None:
    sandbox = start_sandbox(faults="stall@4-")
    documented(sandbox.url)
    name = socket.gethostname() if same_name else "elsewhere"
    line = command("run", str(erp), "--batch-size", "5", "--store", fresh_postgres)
    worker = subprocess.Popen(
        on_another_host("sh", "-c", 'hostname "$0" && exec "$@"', name, *line),
        cwd=tmp_path,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: len(sandbox.chats) >= 3, worker)
        sent = len(sandbox.chats)
        ended = program("run", "--resume", "last", "--yes", "--store", fresh_postgres)
        assert ended.code == 2, ended.err
        assert "still running, in process" in ended.err
        assert "can be resumed in" in " ".join(ended.err.split())
        assert len(sandbox.chats) <= sent + 2
        (listed,) = program("runs", "--json", "--store", fresh_postgres).json
        assert listed["status"] == "running"
    finally:
        worker.send_signal(signal.SIGKILL)
        worker.wait()


def test_a_worker_whose_run_was_taken_over_sends_nothing_more(
    documented, start_sandbox, erp: Path, home: Path, tmp_path: Path
) -> None:
    sandbox = start_sandbox(latency=0.2)
    documented(sandbox.url)
    arguments = ("run", str(erp), "--yes", "--batch-size", "1", "--concurrency", "1")
    with subprocess.Popen(
        command(*arguments), cwd=tmp_path, stderr=subprocess.PIPE, text=True
    ) as worker:
        wait_until(lambda: len(sandbox.chats) >= 3, worker)
        with sqlite3.connect(home / "kimi.db", timeout=30) as journal:  # as another host would
            journal.execute("UPDATE runs SET fence = fence + 1, owner = 'elsewhere/1:1:1'")
        _, err = worker.communicate(timeout=60)
    assert worker.returncode == 2
    assert "has taken over run" in err
    with sqlite3.connect(home / "kimi.db") as journal:
        (status,) = journal.execute("SELECT status FROM runs").fetchone()
        asked, settled = journal.execute("SELECT count(*), count(outcome) FROM requests").fetchone()
    assert status == "running"  # what the other one does with it is not ours to say
    assert asked == settled == len(sandbox.chats)


def test_no_hidden_sign_of_a_name_reaches_a_terminal(
    program: Program, documented, start_sandbox, tmp_path: Path
) -> None:
    name = "a\u202egpj\u200f\u2066"
    with sqlite3.connect(tmp_path / "x.db") as database:
        database.execute(f'CREATE TABLE "{name}" ("b{name}" text)')
    documented(start_sandbox(faults="500@2-").url)
    said = [program("payload", "x.db").out.partition("--- system")[0]]
    for arguments in (
        ("run", "x.db", "--yes"),
        ("show", "last"),
        ("runs",),
        ("export", "last", "--format", "csv"),
        ("export", "last", "--format", "markdown"),
        ("check", "x.db"),
    ):
        ended = program(*arguments)
        said.append(ended.out + ended.err)
    assert not set("".join(said)) & set("\u202e\u200f\u2066")


def test_the_service_repeats_a_key_in_an_answer(
    program: Program, documented, erp: Path, tmp_path: Path
) -> None:
    from tests.client.helpers import Scripted, response

    spelled = " ".join(KEY[3:])
    message = {
        "content": json.dumps({"kstst.kst": [f"Cost centre, see {spelled} or {KEY.upper()}"]})
    }
    document = {
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 9},
    }
    with Scripted(response(document)) as server:
        documented(server.url)
        program("run", str(erp), "--table", "kstst", "--limit", "1", "--log-file", "log")
    everything = program("export", "last", "--format", "json").out + (tmp_path / "log").read_text()
    assert KEY[3:-4].lower() not in everything.lower().replace(" ", "")
