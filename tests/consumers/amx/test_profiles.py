"""Profiles between AMX 0.19.0 and amx-kimi, through the files and a real keyring."""

import os
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.cli.conftest import Ended, command
from tests.conftest import KEY
from tests.consumers.amx.conftest import Amx
from tests.terminal import held_key, needs_secret_service

pytestmark = needs_secret_service
OTHER = "sk-other-0123456789abcdef"


def ours(*arguments: str, key: str = "") -> Ended:
    """`amx-kimi ARGUMENTS` in the present environment."""
    done = subprocess.run(
        command(*arguments), input=key, env=dict(os.environ), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return Ended(done.returncode, done.stdout, done.stderr)


def add(name: str, base: str, key: str = KEY, model: str = "moonshot-v1-8k") -> None:
    flags = ("--model", model, "--api-base", base, "--api-key-stdin")
    ours("add-llm-profile", name, *flags, key=key)


def rows() -> dict[str, dict[str, object]]:
    return {row["name"]: row for row in ours("llm-profiles", "--json").json}


def test_amx_loads_our_file_and_sends_that_key(
    amx: Amx, keyring: dict[str, str], start_sandbox
) -> None:
    sandbox = start_sandbox(keys=(KEY,))
    add("p", sandbox.url)
    seen = amx("load")
    assert seen["active"] == "p"
    assert seen["llm"] == {
        "provider": "kimi",
        "model": "moonshot-v1-8k",
        "api_base": sandbox.url,
        "api_key": KEY,
        "temperature": 0.2,
        "max_tokens": 4096,
        "n_alternatives": 3,
    }
    assert amx("chat") == "OK"
    assert sandbox.chats[-1].key == KEY
    assert held_key(keyring, "//amx/p/api_key") == KEY


def test_a_file_that_amx_saved_in_between_means_the_same(
    amx: Amx, keyring: dict[str, str], start_sandbox, home: Path
) -> None:
    sandbox = start_sandbox(keys=(KEY,))
    add("p", sandbox.url)
    ours("set-llm-profile", "p", "tier=1", "thinking=true")
    before = rows()["p"]
    amx("save")
    saved = yaml.safe_load((home / "config.yml").read_text())
    assert saved["llm_profiles"]["p"]["api_key"] == "keyring:llm_profiles/p/api_key"
    assert saved["llm_profiles"]["p"]["column_batch_size"] == 10
    assert rows()["p"] == before
    assert ours("explain", "--json").json["budget"] == 4096
    assert "sk-…cdef from the OS keyring" in ours("doctor").out
    assert sandbox.chats[-1].key == KEY
    removed = ours("remove-llm-profile", "p", "--yes")
    assert "2 keys" in removed.err
    for slot in ("//amx/p/api_key", "llm_profiles/p/api_key"):
        assert held_key(keyring, slot) is None
    assert amx("load")["profiles"] == {}


def test_a_profile_that_amx_made_is_used_edited_and_renamed(
    amx: Amx, keyring: dict[str, str], start_sandbox
) -> None:
    sandbox = start_sandbox(keys=(KEY, OTHER))
    amx("add", "theirs", "moonshot-v1-8k", sandbox.url, KEY)
    assert "sk-…cdef from the OS keyring" in ours("doctor").out
    ours("add-llm-profile", "theirs", "--api-key-stdin", "--model", "moonshot-v1-32k", key=OTHER)
    assert amx("load")["llm"]["api_key"] == OTHER
    amx("save")
    assert amx("load")["llm"]["model"] == "moonshot-v1-32k"
    ours("rename-llm-profile", "theirs", "mine")
    seen = amx("load")
    assert (seen["active"], seen["llm"]["api_key"]) == ("mine", OTHER)
    assert held_key(keyring, "llm_profiles/theirs/api_key") is None


@pytest.mark.usefixtures("keyring")
def test_a_reference_survives_amx(
    amx: Amx, start_sandbox, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox = start_sandbox(keys=(KEY,))
    monkeypatch.setenv("MY_KEY", KEY)
    flags = ("--model", "kimi-k2.6", "--api-base", sandbox.url, "--api-key-ref", "env:MY_KEY")
    ours("add-llm-profile", "p", *flags)
    amx("save")
    assert KEY not in (home / "config.yml").read_text()
    assert "from kimi.yml: api_key_ref env:MY_KEY" in ours("doctor").out


@pytest.mark.usefixtures("keyring")
def test_switching_in_either_tool_is_seen_by_the_other(amx: Amx, start_sandbox) -> None:
    sandbox = start_sandbox(keys=(KEY, OTHER))
    add("one", sandbox.url)
    add("two", sandbox.url, OTHER)
    assert amx("load")["active"] == "one"
    ours("use-llm", "two")
    seen = amx("load")
    assert (seen["active"], seen["llm"]["api_key"]) == ("two", OTHER)
    amx("use", "one")
    assert [name for name, row in rows().items() if row["active"]] == ["one"]
    assert ours("doctor").code == 0
    assert sandbox.chats[-1].key == KEY
    ours("set-llm-profile", "one", "max_tokens=5000", "temperature=0.4")
    seen = amx("load")["llm"]
    assert (seen["max_tokens"], seen["temperature"]) == (5000, 0.4)
    ours("remove-llm-profile", "one", "--yes")
    assert amx("load")["active"] == "two"
    amx("save")
    assert list(rows()) == ["two"]
