"""`doctor`, `explain`, `models`, `llm-profiles`, `use-llm`, `--help`, and the real terminal."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest
import yaml

from amx_kimi.sandbox import Options, Sandbox
from tests.cli.conftest import Program, command
from tests.conftest import KEY


def test_help_imports_nothing_heavy() -> None:
    probe = (
        "import sys\nsys.argv = ['amx-kimi', '--help']\n"
        "from amx_kimi.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print([m for m in ('litellm', 'httpx', 'sqlalchemy', 'prompt_toolkit', 'aiohttp',"
        " 'tiktoken', 'rich', 'keyring') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_every_command_has_help(program: Program) -> None:
    listed = program("--help").out.split("Describe:")[1]
    assert "..." not in listed
    names = [line.split()[0] for line in listed.splitlines() if re.match("  [a-z]", line)]
    assert {"run", "demo", "runs", "show", "export", "models", "doctor", "sandbox"} <= set(names)
    without_amx = program("amx", "--help")
    assert without_amx.code == 0
    assert "Run AMX with Kimi inside" in without_amx.out
    for name in set(names) - {"amx"}:  # its options are AMX's own
        ended = program(name, "--help")
        assert ended.code == 0
        assert "--debug" in ended.out
        assert "--log-file" in ended.out


def test_version(program: Program) -> None:
    assert program("--version").out.startswith("amx-kimi, version 0.")


def test_doctor_passes(program: Program, documented, start_sandbox) -> None:
    documented(start_sandbox().url)
    ended = program("doctor", "--json")
    assert ended.code == 0
    states = {check["name"]: check["state"] for check in ended.json}
    assert states["configuration"] == states["endpoint"] == states["request"] == "ok"
    assert states["model"] == "ok"
    assert KEY not in ended.out
    assert KEY[-4:] in ended.out


@pytest.mark.parametrize(
    ("options", "environment", "words"),
    [
        ({"keys": ("sk-other-00000000000",)}, {}, ["401", "sk-", "api_base"]),
        ({"faults": "rate@1-"}, {}, ["429", "column_batch_size", "tier"]),
        ({"thinking_base": 200_000}, {}, ["AMX_LLM_MIN_MAX_TOKENS", "32,768", "131,072"]),
        ({"faults": "stall@1-"}, {"AMX_LLM_TIMEOUT_SEC": "0.3"}, ["AMX_LLM_TIMEOUT_SEC"]),
        ({"faults": "quota@1-"}, {}, ["Recharge"]),
        ({"faults": "empty@1-"}, {}, ["no visible characters", "AMX_LLM_MIN_MAX_TOKENS"]),
        ({"refuse_retired": True}, {}, ["404", "kimi-k3"]),
    ],
)
def test_doctor_names_the_remedy(
    program: Program, documented, start_sandbox, options, environment, words
) -> None:
    documented(start_sandbox(**options).url)
    ended = program("doctor", env=environment)
    assert ended.code == 1
    assert "FAILED" in ended.out
    for word in words:
        assert word in ended.out


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, ["no LLM profile", "add-llm-profile"]),
        ("llm_profiles: [", ["line 1"]),
        ("a: 1\n  b: 2\n", ["config.yml, line 2"]),
        ("llm_profiles: {x: {provider: openai, model: gpt}}", ["openai", "Add a kimi profile"]),
        ("llm_profiles: {x: {provider: kimi, model: ''}}", ["model is blank"]),
        ("llm_profiles: {x: {provider: kimi, model: k, max_tokens: auto}}", ["max_tokens"]),
        ("schema_version: 4", ["schema_version 4"]),
        ("llm_profiles: {x: {provider: kimi, model: kimi-k3}}", ["AMX_LLM_API_KEY", "kimi.yml"]),
        (
            "llm_profiles: {x: {provider: kimi, model: k, api_base: 'http://api.moonshot.ai/v1'}}",
            ["unencrypted"],
        ),
    ],
)
def test_doctor_on_a_bad_configuration(
    program: Program, home: Path, text: str | None, words: list[str]
) -> None:
    home.mkdir()
    if text is not None:
        (home / "config.yml").write_text(text)
    ended = program("doctor")
    assert ended.code == 1
    for word in words:
        assert word in ended.out


def test_bad_setting_names_variable_value_and_choices(program: Program, documented) -> None:
    documented("http://127.0.0.1:1/v1")
    ended = program("explain", env={"AMX_REASONING_EFFORT": "huge"})
    assert ended.code == 2
    assert "AMX_REASONING_EFFORT is 'huge'" in ended.err
    assert "none, minimal, low, medium, high, max" in ended.err


def test_explain_gives_each_value_its_reason(program: Program, documented) -> None:
    documented("https://api.moonshot.cn/v1")
    ended = program("explain", "--json", env={"AMX_REASONING_EFFORT": "max"})
    values = ended.json["values"]
    assert values["reasoning"]["value"] == {"effort": "high"}
    assert "AMX_REASONING_EFFORT" in values["reasoning"]["reason"]
    assert values["temperature"]["sent"] is False
    assert "fixed at 1.0" in values["temperature"]["reason"]
    assert ended.json["retry_budget"] == 131_072
    assert "not sent: fixed" in program("explain").out


def test_explain_shows_what_was_learnt(program: Program, documented, start_sandbox) -> None:
    sandbox = start_sandbox(refuse=("reasoning",))
    documented(sandbox.url)
    assert program("doctor").code == 0
    assert [seen.status for seen in sandbox.chats] == [400, 200]
    assert "refused, learned" in program("explain").out
    assert program("doctor").code == 0
    assert [seen.status for seen in sandbox.chats] == [400, 200, 200]


def test_models(program: Program) -> None:
    out = program("models", env={"COLUMNS": "120"}).out
    assert "kimi-k2.6" in out
    assert "kimi-k2-thinking" not in out
    rows = program("models", "--retired", "--json").json
    (row,) = [row for row in rows if row["id"] == "kimi-k2-thinking"]
    assert (row["retired_on"], row["successor"]) == ("2026-05-25", "kimi-k3")


def test_models_of_the_endpoint_are_kept_and_shown_offline(program: Program, documented) -> None:
    served = ("kimi-k2.6", "kimi-k3", "kimi-k9")
    with Sandbox(Options(models=served, extra_models=served[2:])) as sandbox:
        documented(sandbox.url)
        before = {row["id"]: row["served"] for row in program("models", "--json").json}
        assert before["kimi-k3"] is None
        done = program("models", "--refresh", "--json")
        assert done.code == 0, done.err
        found = {row["id"]: row["served"] for row in done.json}
        assert found["kimi-k2.6"] is found["kimi-k9"] is True
        assert found["kimi-k3.1-pro"] is False
    kept = program("models", "--refresh", env={"COLUMNS": "120"})
    assert kept.code == 0
    assert "cannot be reached" in kept.err
    assert "Showing its list of 20" in kept.err
    assert "* kimi-k9" in " ".join(kept.out.split())
    assert "served by" in program("models").out
    documented("http://127.0.0.1:1/v1")
    never = program("models", "--refresh")
    assert never.code == 0
    assert "Showing the facts that come with amx-kimi" in never.err


def test_models_with_a_refused_key(program: Program, documented, start_sandbox) -> None:
    documented(start_sandbox(keys=("sk-other",)).url)
    ended = program("models", "--refresh")
    assert ended.code == 2
    assert "Traceback" not in ended.err


def test_profiles_are_listed_and_switched(program: Program, documented, home: Path) -> None:
    documented("http://127.0.0.1:1/v1")
    config = home / "config.yml"
    document = yaml.safe_load(config.read_text())
    document["llm_profiles"]["second"] = {"provider": "kimi", "model": "kimi-k2.6"}
    config.write_text("# mine\n" + yaml.safe_dump(document))
    before = {row["name"]: row["active"] for row in program("llm-profiles", "--json").json}
    assert before == {"kimi-thinking": True, "second": False}
    assert program("use-llm", "second").code == 0
    after = program("llm-profiles", "--json").json
    assert [row["active"] for row in after] == [False, True]
    assert config.read_text().startswith("# mine\n")
    assert "in plain text" in program("llm-profiles", env={"COLUMNS": "200"}).out
    assert KEY not in program("llm-profiles", "--json").out


def test_export_formats(program: Program, documented, start_sandbox, erp, tmp_path) -> None:
    documented(start_sandbox().url)
    program("run", str(erp), "--table", "kstst")
    document = json.loads(program("export", "last", "--format", "json").out)
    assert [item["column"] for item in document["items"]][:2] == ["", "kst"]
    assert all(item["description"] for item in document["items"])
    assert program("export", "last", "--format", "csv").out.startswith("schema,table,column")
    written = program("export", "last", "--format", "markdown", "--out", "d.md")
    assert written.code == 0
    assert "## kstst" in (tmp_path / "d.md").read_text()
    refused = program("export", "last", "--format", "csv", "--out", "no/such/folder.csv")
    assert refused.code == 2
    assert "cannot be written" in refused.err
    assert "kst" in program("show", "last").out


def test_sandbox_command_serves() -> None:
    child = pexpect.spawn(
        command("sandbox", "--minute", "3s", "--key", KEY)[0],
        command("sandbox", "--minute", "3s", "--key", KEY)[1:],
        encoding="utf-8",
        timeout=20,
    )
    child.expect(r"http://127\.0\.0\.1:\d+/v1")
    child.expect("not Kimi")
    child.sendintr()
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus in (0, 130)


def test_progress_bar_on_a_terminal(documented, start_sandbox, erp, tmp_path) -> None:
    documented(start_sandbox(latency=0.2).url)
    arguments = command("run", str(erp), "--batch-size", "10")
    child = pexpect.spawn(
        arguments[0],
        arguments[1:],
        cwd=str(tmp_path),
        encoding="utf-8",
        dimensions=(24, 80),
        env={**os.environ, "TERM": "xterm"},
        timeout=40,
    )
    child.expect(r"\d+/284")
    child.expect("requests, 0.")
    child.expect("284 of 284 columns described")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_of_a_shell(program: Program, shell: str) -> None:
    script = program("completion", shell)
    assert (script.code, script.err) == (0, "")
    assert "_AMX_KIMI_COMPLETE" in script.out
    assert program("completion", env={"SHELL": f"/usr/bin/{shell}"}).out == script.out
    assert program("completion", env={"SHELL": "/bin/dash"}).code == 2


def test_what_a_shell_completes(program: Program, documented, start_sandbox, erp: Path) -> None:
    documented(start_sandbox().url)
    run = program("run", str(erp), "--table", "kstst", "--json").json["run"]
    for words, meant in (
        ("amx-kimi ru", {"run", "runs"}),
        ("amx-kimi runs d", {"delete"}),
        ("amx-kimi show ", {"last", run}),
        ("amx-kimi run --resume 2", {run}),
        ("amx-kimi run --profile k", {"kimi-thinking"}),
        ("amx-kimi export last --format d", {"dbt", "datahub"}),
    ):
        place = len(words.split(" ")) - 1
        env = {"_AMX_KIMI_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(place)}
        found = {line.partition(",")[2] for line in program(env=env).out.splitlines()}
        assert found == meant, words
