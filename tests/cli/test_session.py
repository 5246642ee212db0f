"""`amx-kimi` alone: a prompt where the commands run with a slash."""

import stat
from pathlib import Path

from tests.cli.conftest import Program
from tests.conftest import KEY
from tests.terminal import Screen


def test_commands_run_with_a_slash(documented, start_sandbox, erp: Path) -> None:
    documented(start_sandbox().url)
    screen = Screen()
    screen.wait("/help lists them", "amx-kimi (kimi-thinking) >")
    screen.type("/help")
    screen.wait("/run", "/add-llm-profile", "/doctor", "/exit")
    screen.wait(" >")
    screen.type("/models")
    screen.wait("kimi-k2.6", " >")
    screen.type("/doctor")
    screen.wait("config.yml, in plain text", "request", "tokens", " >")
    screen.type(f"/run {erp} --limit 5")
    screen.wait("5 of 5 columns described", "See them: /show", " >")
    screen.type("/run --resume none")
    screen.wait("`/runs` lists them", " >")
    screen.type("/runs")
    screen.wait("complete", " >")
    screen.type("/show")
    screen.wait("Usage: /show", "Try '/show --help'", " >")
    screen.type("/explain --json")
    screen.wait('"budget": 32768', " >")
    screen.type("/help use-llm")
    screen.wait("Make NAME the active LLM profile", " >")
    screen.type("\x04", enter=False)
    assert screen.end() == 0


def test_typos_and_habits(documented) -> None:
    documented("http://127.0.0.1:9/v1")
    screen = Screen()
    for typed, answer in (
        ("/llm-profils", "Did you mean /llm-profiles"),
        ("/zzz", "/help lists the commands"),
        ("run", "Commands begin with a slash: /run"),
        ("hello", "Commands begin with a slash; /help"),
        ("/run 'a", "quotation mark"),
        ("/use-llm kimi-thinkin", "Did you mean kimi-thinking"),
        ("", ""),
    ):
        screen.wait(" >")
        screen.type(typed)
        screen.wait(answer)
    screen.wait(" >")
    for begun, meant in (("/use-llm ki", "kimi-thinking"), ("/help expl", "explain")):
        screen.type(begun, enter=False)
        screen.wait(meant)
        screen.type("\x03", enter=False)
        screen.wait(" >")
    screen.type("/use-lm x", enter=False)  # completing what is no command
    screen.type("\x03", enter=False)
    screen.wait(" >")
    screen.type("/quit")
    assert screen.end() == 0
    assert "Exception" not in screen.text


def test_the_wizard_and_the_prompt_follow_each_other(start_sandbox) -> None:
    sandbox = start_sandbox(keys=(KEY,))
    screen = Screen(env={"AMX_LLM_API_KEY": KEY})
    screen.wait("(no profile: /add-llm-profile) >")
    screen.type("/add-llm-profile first")
    for question, text in (
        ("Profile name [first]", ""),
        ("Model", "kimi-k3"),
        ("API base", sandbox.url),
        ("API key", ""),
        ("Output", ""),
        ("Number", ""),
        ("Reasoning", ""),
    ):
        screen.answer(question, text)
    screen.wait("✓ Saved", "amx-kimi (first) >")
    screen.type("/remove-llm-profile first")
    screen.answer("Remove the LLM profile 'first' and its key? [y/N]", "y")
    screen.wait("(no profile: /add-llm-profile) >")
    screen.type("/exit")
    assert screen.end() == 0


def test_the_history_keeps_no_secrets(home: Path) -> None:
    screen = Screen()
    for line in ("/show last", "/run postgresql://u:secret@h/d", f"/run {KEY}"):
        screen.wait(" >")
        screen.type(line)
        screen.wait("Error")
    screen.wait(" >")
    screen.type("/exit")
    screen.end()
    history = home / "kimi-history"
    assert "+/show last" in history.read_text()
    assert "secret" not in history.read_text()
    assert KEY not in history.read_text()
    assert stat.S_IMODE(history.stat().st_mode) == 0o600


def test_without_a_terminal_there_is_help(program: Program) -> None:
    ended = program()
    assert ended.code == 2
    assert "add-llm-profile" in ended.out
    assert "Did you mean run" in program("rn").err
