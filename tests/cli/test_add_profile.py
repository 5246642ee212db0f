"""`add-llm-profile` by flags, and the commands that live with several profiles."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests import warm
from tests.below_v1 import below_v1
from tests.cli.conftest import Ended, Program
from tests.conftest import KEY
from tests.terminal import held_key, needs_secret_service, secret_service

Start = Callable[..., Any]


def read(home: Path, name: str = "config.yml") -> Any:
    return yaml.safe_load((home / name).read_text())


def piped(key: str, *arguments: str, env: dict[str, str] | None = None) -> Ended:
    """The program with a key on stdin."""
    done = warm.run_module("amx_kimi", *arguments, input=key, env={**os.environ, **(env or {})})
    return Ended(done.returncode, done.stdout, done.stderr)


@needs_secret_service
def test_a_key_from_stdin(home: Path, start_sandbox: Start) -> None:
    sandbox = start_sandbox(keys=(KEY,))
    with secret_service(home.parent) as keyring:
        add = ("add-llm-profile", "p", "--model", "kimi-k2.6", "--api-base", sandbox.url)
        ended = piped(f"Bearer {KEY}\n", *add, "--api-key-stdin", "--json", env=keyring)
        assert (ended.code, ended.json) == (
            0,
            {
                "profile": "p",
                "model": "kimi-k2.6",
                "api_base": sandbox.url,
                "check": "ok",
                "models": ended.json["models"],
                "active": True,
                "config": str(home / "config.yml"),
            },
        )
        assert held_key(keyring, "//amx/p/api_key") == KEY
        for text in (ended.out, ended.err, (home / "config.yml").read_text()):
            assert KEY not in text
        removed = piped("", "remove-llm-profile", "p", "--yes", env=keyring)
        assert (removed.code, held_key(keyring, "//amx/p/api_key")) == (0, None)
        assert "1 key from the OS keyring" in removed.err
    assert read(home)["llm_profiles"] == {}


def test_without_a_keyring_a_key_from_stdin_is_not_saved(home: Path, start_sandbox: Start) -> None:
    sandbox = start_sandbox(keys=(KEY,))
    ended = piped(KEY, "add-llm-profile", "p", "--model", "m", "--api-base", sandbox.url,
                  "--api-key-stdin")  # fmt: skip
    assert ended.code == 2
    assert "no usable keyring" in ended.err
    assert "--api-key-ref env:NAME" in ended.err
    assert not sandbox.seen
    assert not (home / "config.yml").exists()


@pytest.mark.parametrize("flags", [(), ("--no-check",)])
def test_a_refused_key(
    program: Program, home: Path, start_sandbox: Start, flags: tuple[str, ...]
) -> None:
    sandbox = start_sandbox(keys=(KEY,))
    ended = program(
        *("add-llm-profile", "p", "--model", "kimi-k3", "--api-base", sandbox.url, *flags),
        *("--api-key-ref", "env:WRONG"),
        env={"WRONG": "sk-wrong-0123456789"},
    )
    assert "sk-wrong" not in ended.out + ended.err
    if flags:
        assert ended.code == 0
        assert not sandbox.seen
        assert read(home, "kimi.yml")["profiles"]["p"]["api_key_ref"] == "env:WRONG"
    else:
        assert ended.code == 2
        assert "--no-check" in ended.err
        assert not home.exists()


def test_a_missing_key(program: Program, home: Path, start_sandbox: Start) -> None:
    base = start_sandbox().url
    ended = program("add-llm-profile", "p", "--model", "kimi-k3", "--api-base", base)
    assert ended.code == 2
    assert "has no API key" in ended.err
    assert not home.exists()


def test_an_endpoint_that_cannot_be_reached_is_a_warning(program: Program, home: Path) -> None:
    ended = program(
        *("add-llm-profile", "p", "--model", "kimi-k3", "--api-base", "127.0.0.1:9/v1"),
        env={"AMX_LLM_API_KEY": KEY},
    )
    assert ended.code == 0
    assert "Not checked" in ended.err
    assert "Its key comes from AMX_LLM_API_KEY" in ended.out
    assert read(home)["active_llm_profile"] == "p"


def test_from_the_environment_of_other_tools(
    program: Program, home: Path, start_sandbox: Start
) -> None:
    sandbox = start_sandbox(keys=(KEY,))
    env = {
        "MOONSHOT_API_KEY": KEY,
        "KIMI_BASE_URL": f"{sandbox.url}/",
        "KIMI_DEFAULT_MODEL": "kimi-k2.6",
        "KIMI_TEMPERATURE": "0.7",
        "KIMI_MAX_TOKENS": "2048",
    }
    ended = program("add-llm-profile", "p", "--from-env", env=env)
    assert ended.code == 0, ended.err
    assert read(home)["llm_profiles"]["p"] == {
        "provider": "kimi",
        "model": "kimi-k2.6",
        "api_base": sandbox.url,
        "api_key": "",
        "temperature": 0.7,
        "max_tokens": 2048,
        "n_alternatives": 3,
    }
    assert read(home, "kimi.yml")["profiles"]["p"] == {"api_key_ref": "env:MOONSHOT_API_KEY"}
    ended = program("add-llm-profile", "q", "--from-env", env={**env, "KIMI_MAX_TOKENS": "many"})
    assert ended.code == 2
    assert "max_tokens is 'many'" in ended.err


def test_a_preset(program: Program, home: Path) -> None:
    flags = ("--preset", "kimi-bulk", "--api-base", "moonshot-cn", "--no-check")
    assert program("add-llm-profile", "bulk", *flags).code == 0
    entry = read(home)["llm_profiles"]["bulk"]
    assert (entry["model"], entry["n_alternatives"]) == ("kimi-k2.6", 1)
    assert entry["api_base"] == "https://api.moonshot.cn/v1"
    assert read(home, "kimi.yml")["profiles"]["bulk"] == {"thinking": False}
    assert program("add-llm-profile", "x", "--preset", "kimi-bluk").code == 2


def test_living_with_several(program: Program, home: Path, start_sandbox: Start) -> None:
    sandbox = start_sandbox(keys=(KEY,))
    (home.parent / "key").write_text(KEY)
    add = ("--api-base", sandbox.url, "--api-key-ref", f"file:{home.parent}/key")
    assert program("alias", "k2=kimi-k2.6").out == "k2 = kimi-k2.6\n"
    assert program("add-llm-profile", "bulk", "--model", "k2", *add).code == 0
    assert program("add-llm-profile", "deep", "--model", "kimi-k3", *add, "--activate").code == 0
    shown = program("llm-profiles", "--json").json
    assert [(row["name"], row["active"], row["model"]) for row in shown] == [
        ("bulk", False, "kimi-k2.6"),
        ("deep", True, "kimi-k3"),
    ]
    assert shown[0]["key"] == f"file:{home.parent}/key"
    assert shown[0]["last_check"].startswith("ok 20")
    assert "Last check" in program("llm-profiles").out

    assert program("set-llm-profile", "deep", "max_tokens=65536", "effort=high").code == 0
    assert read(home)["llm_profiles"]["deep"]["max_tokens"] == 65536
    assert program("rename-llm-profile", "deep", "careful").code == 0
    assert read(home)["active_llm_profile"] == "careful"
    assert program("explain", "--json").json["values"]["reasoning_effort"]["value"] == "high"
    removed = program("remove-llm-profile", "careful", "--yes")
    assert "Active LLM profile: bulk" in removed.err
    assert list(read(home, "kimi.yml")["profiles"]) == ["bulk"]
    assert program("alias", "k2=").code == 0
    assert program("alias", "--json").json == {}


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("add-llm-profile",), "Without a terminal"),
        (("add-llm-profile", "p"), "Which model?"),
        (("add-llm-profile", "a/b", "--model", "m"), "not allowed"),
        (("add-llm-profile", "p", "--api-key", "sk-0123456789abcdef"), "No such option"),
        (
            ("add-llm-profile", "p", "--model", "m", "--api-key-ref", "sk-0123456789abcdef"),
            "must be env:NAME",
        ),
        (
            ("add-llm-profile", "p", "--model", "m", "--api-key-ref", "env:sk-0123-89abcdef"),
            "variable",
        ),
        (
            ("add-llm-profile", "p", "--model", "m", "--api-key-ref", "env:A", "--api-key-stdin"),
            "cannot be combined",
        ),
        (("add-llm-profile", "p", "--model", "m", "--api-base", "moonshot-xx"), "Unknown endpoint"),
        (("set-llm-profile", "p", "sk-0123456789abcdef"), "has no field or no ="),
        (("set-llm-profile", "p", "a=b"), "No LLM profile 'p'"),
        (("rename-llm-profile", "p", "q"), "No LLM profile 'p'"),
        (("remove-llm-profile", "p", "--yes"), "No LLM profile 'p'"),
        (("remove-llm-profile", "p"), "--yes is required"),
        (("add-llm-profile", "sk-0123456789abcdef", "--model", "m"), "looks like a key"),
        (("add-llm-profile", "p", "--model", "m", "--api-base", "sk-0123456789abcdef"), "a key"),
        (("alias", "kimi-k3=kimi-k2.6"), "is the id of a model"),
        (("alias", "a=b", "b=c"), "not for an alias"),
        (("alias", "zz="), "no alias 'zz'"),
        (("alias", "a b=c"), "not allowed"),
    ],
)
def test_bad_input(program: Program, home: Path, arguments: tuple[str, ...], part: str) -> None:
    ended = program(*arguments)
    assert ended.code == 2
    assert part in ended.err
    assert "sk-0123456789abcdef" not in ended.err.replace("--api-key sk", "")
    assert "Traceback" not in ended.err
    assert not (home / "config.yml").exists()


def test_an_unknown_model_is_warned_about(program: Program, home: Path) -> None:
    add = ("add-llm-profile", "p", "--api-base", "moonshot-ai", "--no-check", "--model")
    assert "Did you mean kimi-k2.6?" in program(*add, "kimi-k2.66").err
    for known in ("kimi-k2.6", "kimi-k3"):
        ended = program("set-llm-profile", "p", f"model={known}")
        assert (ended.code, "not in amx-kimi's table" in ended.err) == (0, False)
    near = program("set-llm-profile", "p", "model=kimi-k33")
    assert near.code == 0
    assert "kimi-k33 is not in amx-kimi's table of models" in near.err
    assert "Did you mean kimi-k3?" in near.err
    assert read(home)["llm_profiles"]["p"]["model"] == "kimi-k33"
    assert "Did you mean kimi-k2.6?" in program("alias", "bulk=kimi-k26").err
    assert "Did you mean" not in program("set-llm-profile", "p", "model=mine").err


def test_a_key_in_a_file_of_ours_goes_when_its_profile_does(program: Program, home: Path) -> None:
    for name in ("p", "q"):
        assert program("add-llm-profile", name, "--preset", "kimi-bulk", "--no-check").code == 0
    (home / "keys").mkdir()
    mine, other = home / "keys" / "p.key", home.parent / "other.key"
    for path in (mine, other):
        path.write_text(KEY)
    for name in ("p", "q"):
        assert program("set-llm-profile", name, f"api_key_ref=file:{mine}").code == 0
    program("remove-llm-profile", "p", "--yes")
    assert mine.exists()  # q refers to it
    removed = program("remove-llm-profile", "q", "--yes")
    assert f"its key file {mine}" in " ".join(removed.err.split())
    assert not mine.exists()

    assert program("add-llm-profile", "r", "--preset", "kimi-bulk", "--no-check").code == 0
    assert program("set-llm-profile", "r", f"api_key_ref=file:{other}").code == 0
    program("remove-llm-profile", "r", "--yes")
    assert other.exists()  # it is not ours


def test_a_reference_below_home_means_the_same_in_every_home(
    program: Program, home: Path, start_sandbox: Any
) -> None:
    add = ("--model", "mine", "--api-base", start_sandbox().url, "--no-check")
    assert program("add-llm-profile", "p", *add, "--api-key-ref", "file:~/p.key").code == 0
    assert program("add-llm-profile", "q", *add).code == 0
    assert program("set-llm-profile", "q", "api_key_ref=file:~/p.key").code == 0
    assert program("set-llm-profile", "p", "api_key_ref=file:below/p.key").code == 0
    ours = read(home, "kimi.yml")["profiles"]
    assert ours["q"]["api_key_ref"] == "file:~/p.key"
    assert ours["p"]["api_key_ref"] == f"file:{home.parent.parent}/below/p.key"
    moved = home.parent / "moved"
    moved.mkdir()
    (moved / "p.key").write_text(KEY)
    env = {"HOME": str(moved)}
    assert program("models", "--refresh", "--profile", "q", env=env).code == 0
    assert program("models", "--refresh", "--profile", "q").code == 2


def test_a_key_in_a_file_of_ours_stays_while_another_profile_spells_it_with_a_tilde(
    program: Program, home: Path
) -> None:
    for name in ("p", "q"):
        assert program("add-llm-profile", name, "--preset", "kimi-bulk", "--no-check").code == 0
    (home / "keys").mkdir()
    mine = home / "keys" / "p.key"
    mine.write_text(KEY)
    assert program("set-llm-profile", "p", f"api_key_ref=file:{mine}").code == 0
    assert program("set-llm-profile", "q", "api_key_ref=file:~/.amx/keys/p.key").code == 0
    program("remove-llm-profile", "p", "--yes")
    assert mine.exists()
    program("remove-llm-profile", "q", "--yes")
    assert not mine.exists()


def test_a_forgotten_v1_by_flags(program: Program, home: Path) -> None:
    (home.parent / "key").write_text(KEY)
    with below_v1("a page") as host:
        add = ("--model", "mine", "--api-base", host, "--api-key-ref", f"file:{home.parent}/key")
        program("add-llm-profile", "unchecked", *add, "--no-check")
        program("models", "--refresh", "--profile", "unchecked")  # it is learnt there
        ended = program("add-llm-profile", "p", *add)
    assert ended.code == 0, ended.err
    assert f"{host} lists no models: the API base is {host}/v1." in " ".join(ended.err.split())
    assert read(home)["llm_profiles"]["p"]["api_base"] == f"{host}/v1"
    assert "Next: amx-kimi run DATABASE --profile p --dry-run" in ended.out.splitlines()[-1]


def test_a_web_page_is_no_endpoint(program: Program, home: Path) -> None:
    with below_v1("a page", api=False) as host:
        for base in (host, f"{host}/v1"):
            ended = program(
                *("add-llm-profile", "p", "--model", "mine", "--api-base", base),
                env={"AMX_LLM_API_KEY": KEY},
            )
            assert ended.code == 2
            assert "answered with a web page (Sign in)" in " ".join(ended.err.split())
            assert "Nothing was saved; --no-check saves it" in " ".join(ended.err.split())
            assert not home.exists()


def test_what_to_run_next_begins_with_a_key_that_is_missing(program: Program) -> None:
    add = ("add-llm-profile", "p", "--preset", "kimi-bulk", "--no-check")
    assert "Next: export AMX_LLM_API_KEY=…, then amx-kimi run" in program(*add).out
    other = ("add-llm-profile", "q", "--preset", "kimi-bulk", "--no-check", "--api-key-ref")
    assert (
        "Next: export MINE=…, then amx-kimi run DATABASE --profile q"
        in program(*other, "env:MINE").out
    )
    assert "Next: put the key into /none, then" in program(*other, "file:/none").out


@needs_secret_service
@pytest.mark.parametrize(
    ("typed", "part"), [("sk-0123456789", "too short"), ("https://api.moonshot.ai/v1", "is a URL")]
)
def test_what_cannot_be_a_key_is_not_sent(home: Path, typed: str, part: str) -> None:
    add = ("add-llm-profile", "p", "--model", "kimi-k2.6", "--api-base", "moonshot-ai")
    with secret_service(home.parent) as keyring:
        ended = piped(typed, *add, "--api-key-stdin", env=keyring)
    assert ended.code == 2
    assert part in ended.err
    assert typed not in ended.err
    assert not (home / "config.yml").exists()


def test_a_newer_amx_wrote_it(program: Program, home: Path) -> None:
    home.mkdir()
    text = "schema_version: 4\nllm_profiles: {}\n"
    (home / "config.yml").write_text(text)
    ended = program("add-llm-profile", "p", "--preset", "kimi-bulk", "--no-check")
    assert ended.code == 2
    assert "schema_version 4" in ended.err
    assert (home / "config.yml").read_text() == text
