"""Processes that AMX starts of its own: Studio serves from one, the scheduler is the system's."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from filelock import FileLock

from amx_kimi.facts import load_catalog
from tests.consumers.amx.conftest import VERSIONS, install
from tests.consumers.amx.run import environment
from tests.consumers.environments import ROOT

Ask = Callable[..., Any]
pytestmark = pytest.mark.slow
_PATIENCE = 60.0


@contextmanager
def studio(python: Path, *command: str) -> Iterator[Ask]:
    """AMX Studio, started by this command; what asks its API. One at a time: two that begin at once
    choose the same port."""
    with FileLock(ROOT / ".venv" / "studio.lock"):
        yield from _studio(python, *command)


def _studio(python: Path, *command: str) -> Iterator[Ask]:
    done = subprocess.Popen(
        [str(python.with_name(command[0])), *command[1:], "studio", "--no-open"],
        env=environment(python, PYTHONUNBUFFERED="1"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        said = ""
        while not (found := re.search(r"(http://\S+)/\?t=(\S+)", said)):
            line = done.stdout.readline()  # type: ignore[union-attr]
            assert line, said
            said += line
        base, token = found.groups()
        headers = {"Authorization": f"Bearer {token}"}
        transport = httpx.HTTPTransport(retries=8)  # it begins to listen a while later
        options = {"base_url": base, "headers": headers, "timeout": _PATIENCE}
        with httpx.Client(transport=transport, **options) as client:  # type: ignore[arg-type]
            yield lambda method, path: client.request(method, path).raise_for_status().json()
    finally:
        done.send_signal(signal.SIGINT)
        done.communicate(timeout=_PATIENCE)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_launched_studio_has_kimi(home: Path, version: str) -> None:
    with studio(install(version), "amx-kimi", "amx") as ask:
        models = {row["model_id"]: row for row in ask("GET", "/api/pricing/models")["models"]}
        refused = ask("POST", "/api/scheduler/install-daemon")
    for row in load_catalog().models:
        if "USD" not in row.prices:
            continue
        shown = models[row.id]
        assert shown["source"] == "amx-kimi"
        assert ("retired" in shown["provider_hint"]) is (row.retired_on is not None)
        assert datetime.fromtimestamp(shown["fetched_at"], UTC).date() == row.date
    assert "amx-kimi enable" in refused["message"]
    assert refused["path"] is None
    assert not list(home.parent.rglob("amx-scheduler*"))


def test_plain_amx_is_left_alone(home: Path, amx_python: Path) -> None:  # noqa: ARG001
    with studio(amx_python, "amx") as ask:
        assert not [
            row
            for row in ask("GET", "/api/pricing/models")["models"]
            if row["source"] == "amx-kimi"
        ]


@pytest.mark.parametrize("theirs", ["print('theirs ran')", "", None])
def test_an_environments_own_sitecustomize_runs_too(tmp_path: Path, theirs: str | None) -> None:
    if theirs is not None:
        (tmp_path / "sitecustomize.py").write_text(theirs)
    launched = Path(__file__).parents[3] / "amx_kimi/bridge/launched"
    script = "import sys, sitecustomize; print('amx_kimi.bridge.hook' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (launched, tmp_path)))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stderr, done.returncode) == ("", 0)
    assert done.stdout == ("theirs ran\n" if theirs else "") + "True\n"
