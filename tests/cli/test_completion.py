"""Real shells complete `amx-kimi`, installed as docs/completion.md says."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pexpect
import pytest
from click.shell_completion import ShellComplete

from amx_kimi.cli import cli

DOCUMENT = Path(__file__).parents[2] / "docs" / "completion.md"
TAB = "\t"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A new home, and this Python's `amx-kimi` on the PATH."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    folder = str(tmp_path)
    unwanted = {"XDG_CONFIG_HOME": f"{folder}/.config", "ZDOTDIR": folder}
    return {**os.environ, **unwanted, "HOME": folder, "PATH": path, "TERM": "xterm"}


def install(shell: str, environment: Mapping[str, str]) -> None:
    """Run the documented commands for a shell, in that shell."""
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} here (apt-get install {shell})")
    text = DOCUMENT.read_text("utf-8")
    found = re.search(rf"^((?:    .*\n)*    amx-kimi completion {shell} .*\n)", text, re.MULTILINE)
    assert found
    subprocess.run([shell, "-c", found[1]], env=environment, check=True, timeout=60)


def offers(shell: str, environment: Mapping[str, str], tabs: int) -> None:
    """Type `amx-kimi ru` and the Tab key so often, and `run` and `runs` are shown; then
    `amx-kimi run er` beside a file, and its name appears."""
    (Path(environment["HOME"]) / "erp.duckdb").touch()
    program = pexpect.spawn(
        shell,
        ["-i"],
        env=environment,  # type: ignore[arg-type]
        cwd=environment["HOME"],
        dimensions=(24, 80),
        encoding="utf-8",
        timeout=30,
    )
    program.send("echo re''ady\r")
    program.expect("ready")
    program.send(f"amx-kimi ru{TAB * tabs}")
    program.expect(r"\brun\b")
    program.expect(r"\bruns\b")
    program.sendcontrol("c")
    program.send(f"amx-kimi run er{TAB}")
    program.expect(r"erp\.duckdb")
    program.sendcontrol("c")
    program.close(force=True)


def test_bash_offers_run_and_runs(environment: dict[str, str]) -> None:
    install("bash", environment)
    offers("bash", environment, 3)  # it rings first, then lists


def test_zsh_offers_run_and_runs(environment: dict[str, str], tmp_path: Path) -> None:
    turned_on = re.search(r"^ +(autoload .*)\n", DOCUMENT.read_text("utf-8"), re.MULTILINE)
    assert turned_on
    # `-u`: as root, compinit would ask about folders that belong to others.
    (tmp_path / ".zshrc").write_text(f"PS1='$ '\n{turned_on[1]} -u\n")
    install("zsh", environment)
    offers("zsh", environment, 2)


def test_fish_offers_run_and_runs(environment: dict[str, str], tmp_path: Path) -> None:
    install("fish", environment)
    (tmp_path / "erp.duckdb").touch()

    def offered(line: str) -> list[str]:
        done = subprocess.run(
            ["fish", "-c", f"complete --do-complete '{line}'"],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        return [line.split("\t")[0] for line in done.stdout.splitlines()]

    assert offered("amx-kimi ru") == ["run", "runs"]
    assert offered("amx-kimi run er") == ["erp.duckdb"]


def test_completion_knows_options_and_values(environment: dict[str, str]) -> None:
    """What the scripts ask, asked directly."""

    def complete(*words: str) -> list[str]:
        line = {"COMP_WORDS": " ".join(words), "COMP_CWORD": str(len(words) - 1)}
        done = subprocess.run(
            ["amx-kimi"],
            executable=shutil.which("amx-kimi", path=environment["PATH"]),
            env={**environment, **line, "_AMX_KIMI_COMPLETE": "bash_complete"},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        return [answer.split(",")[1] for answer in done.stdout.splitlines()]

    assert complete("amx-kimi", "completion", "z") == ["zsh"]
    assert "--min-coverage" in complete("amx-kimi", "check", "--min")
    assert complete("amx-kimi", "show", "la") == ["last"]


@pytest.mark.parametrize(
    "words",
    [
        *(("run",), ("check",), ("advise",), ("payload",)),
        ("run", "a.csv"),
        ("run", "--context"),
        ("runs", "--store"),
        ("apply", "last", "--to"),
    ],
)
def test_a_path_is_left_to_the_shell(words: tuple[str, ...]) -> None:
    shell = ShellComplete(cli, {}, "amx-kimi", "")
    assert [(item.type, item.value) for item in shell.get_completions(list(words), "er")] == [
        ("file", "er")
    ]
