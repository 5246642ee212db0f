"""`/run` of the real AMX, headless: its questions answered, its exit code and output kept."""

import os
import re
from pathlib import Path
from typing import NamedTuple

import pexpect

ANSWERS = (
    ("Override LLM settings for this run?", "n"),
    ("modify profiles before run?", "n"),
    ("Select completion mode", "1"),
    ("deduplication?", "2"),  # wants extras that are not installed
    ("Run for which assets / columns?", "1"),
    ("Review strategy", "3"),  # the first wording of each, written at once
    ("Proceed with analyzing", "y"),  # above a number of tables
    ("Proceed with auto-apply", "y"),
)
_CONTROLS = re.compile(r"\x1b\][^\x07\x1b]*(\x07|\x1b\\)|\x1b\[[0-9;?]*[A-Za-z]|[\r\x07]")


class Done(NamedTuple):
    """How AMX ended."""

    code: int
    text: str


def tokenizers(python: Path) -> str:
    """LiteLLM's own copy of the vocabulary that AMX counts with: there is no network here."""
    (folder,) = python.parents[1].glob("lib/python*/site-packages/litellm/litellm_core_utils")
    return str(folder / "tokenizers")


def environment(python: Path, **more: str) -> dict[str, str]:
    """What AMX needs to run without a person, a network or extras."""
    return {
        **os.environ,
        "AMX_SESSION_CHILD": "1",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "PIP_NO_INDEX": "1",
        "PROMPT_TOOLKIT_NO_CPR": "1",
        "TERM": "dumb",
        "TIKTOKEN_CACHE_DIR": tokenizers(python),
        **more,
    }


def analyze(
    command: list[str], tables: list[str], env: dict[str, str], seconds: float = 120
) -> Done:
    """`/run-apply` of these tables of the schema public; so long between two questions at most."""
    chosen = [word for table in tables for word in ("-t", table)]
    program, *arguments = [*command, "analyze", "run", "--schema", "public", *chosen, "--apply"]
    amx = pexpect.spawn(
        program,
        arguments,
        env=env,  # type: ignore[arg-type]
        dimensions=(50, 160),
        encoding="utf-8",
        timeout=seconds,
    )
    text = ""
    questions = [question for question, _ in ANSWERS]
    while True:
        found = amx.expect_exact([*questions, pexpect.EOF])
        text += (amx.before or "") + (str(amx.after) if found < len(questions) else "")
        if found == len(questions):
            break
        amx.expect([r"\]: ", "> "])
        text += f"{amx.before}{amx.after}"
        amx.send(ANSWERS[found][1] + "\r")
    amx.close()
    return Done(int(amx.exitstatus or 0), _CONTROLS.sub("", text))
