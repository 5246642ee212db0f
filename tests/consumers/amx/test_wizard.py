"""AMX's own wizard, and ours as soon as kimi is picked in it (row 6 of docs/amx.md)."""

import os
from pathlib import Path

import pexpect
import pytest

from tests.conftest import KEY
from tests.consumers.amx.run import environment
from tests.terminal import needs_secret_service, secret_service

SCRIPT = Path(__file__).with_name("wizard_host.py")


@needs_secret_service
def test_06_our_questions_in_amxs_wizard(
    amx_python: Path, home: Path, start_sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox = start_sandbox(keys=(KEY,))
    with secret_service(home.parent) as service:
        for name, value in service.items():
            monkeypatch.setenv(name, value)
        amx = pexpect.spawn(
            str(amx_python),
            [str(SCRIPT)],
            env=environment(amx_python, TERM="xterm"),  # type: ignore[arg-type]
            dimensions=(40, 100),
            encoding="utf-8",
            timeout=60,
        )
        amx.expect("Select AI provider")
        amx.expect("kimi")
        amx.send("kimi\r")
        for question, answer in (
            ("Model", "kimi-k2.6"),
            ("API base", sandbox.url),
            ("API key", "env:NAME"),
        ):
            amx.expect(rf"{question}[^:\n]*:")
            amx.send(answer + "\r")
        amx.expect("would use a reference as the key itself")
        amx.expect("API key[^:\n]*:")
        amx.send(KEY + "\r")
        amx.expect("The key sk-…cdef works")
        for question in ("Output token budget", "Number of alternatives"):
            amx.expect(question)
            amx.expect(":")
            amx.send("\r")
        amx.expect(r'RESULT \{"provider": "kimi", "model": "kimi-k2.6"\}')
        amx.expect_exact(f'["{sandbox.url}", {len(KEY)}, 0.2, 4096]')
        amx.expect(pexpect.EOF)
        amx.close()
        assert amx.exitstatus == 0
    assert not (home / "config.yml").exists()  # AMX saves it, not we
    assert os.environ.get("OPENAI_API_KEY") is None
