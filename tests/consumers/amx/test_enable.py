"""Getting in and out: enable, disable, status, the launcher, and AMXs that we do not know."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from amx_kimi.bridge.compare import misfits
from amx_kimi.bridge.points import POINTS
from tests.conftest import KEY
from tests.consumers.amx.conftest import VERSIONS, install
from tests.consumers.environments import ROOT

Python = Callable[..., subprocess.CompletedProcess[str]]
CHAT = """
from amx.config import LLMConfig
from amx.llm.provider import LLMProvider
config = LLMConfig(provider="kimi", model="kimi-k2.6", api_base={base!r}, api_key={key!r})
print(LLMProvider(config).chat([{{"role": "user", "content": "Reply with OK."}}]).content)
"""


@pytest.fixture
def place(tmp_path: Path, amx_python: Path) -> Iterator[Path]:
    """A virtual environment of the test's own, which sees AMX's packages."""
    folder = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    (theirs,) = amx_python.parents[1].glob("lib/python*/site-packages")
    (ours,) = folder.glob("lib/python*/site-packages")
    (ours / "theirs.pth").write_text(f"{theirs}\n{ROOT}\n")
    yield folder
    assert not list(theirs.glob("amx_kimi_hook*"))


@pytest.fixture
def python(place: Path, tmp_path: Path) -> Python:
    def run(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(place / "bin/python"), *arguments],
            cwd=tmp_path,
            env={**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True", **env},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


def site(place: Path) -> Path:
    (folder,) = place.glob("lib/python*/site-packages")
    return folder


def test_in_and_out_without_a_trace(python: Python, place: Path, start_sandbox) -> None:
    before = {path.name for path in site(place).iterdir()}
    assert "not enabled" in python("-m", "amx_kimi", "status").stdout
    assert "Kimi is enabled in AMX 0.19.0" in python("-m", "amx_kimi", "enable").stderr
    assert "already enabled" in python("-m", "amx_kimi", "enable").stderr
    status = json.loads(python("-m", "amx_kimi", "status", "--json").stdout)
    assert (status["enabled"], status["amx"], status["misfits"]) == (True, "0.19.0", [])
    sandbox = start_sandbox()
    done = python("-c", CHAT.format(base=sandbox.url, key=KEY))
    assert done.stdout == "OK\n"
    assert sandbox.chats[-1].headers["user-agent"].startswith("amx-kimi/")
    assert "no longer enabled" in python("-m", "amx_kimi", "disable").stderr
    assert "was not enabled" in python("-m", "amx_kimi", "disable").stderr
    left = {path.name for path in site(place).iterdir()} - {"__pycache__"}
    assert left == before
    assert "invalid temperature" in python("-c", CHAT.format(base=sandbox.url, key=KEY)).stderr


def test_whatever_becomes_of_our_package_python_and_amx_run(python: Python, place: Path) -> None:
    python("-m", "amx_kimi", "enable")
    paths = site(place) / "theirs.pth"
    paths.write_text(paths.read_text().splitlines()[0] + "\n")
    # The checkout itself is installed in AMX's environment: hide it, as an uninstalled package.
    hidden = "import sys; sys.modules['amx_kimi'] = None; "
    done = python("-c", hidden + "import amx; print('AMX runs')")
    assert done.stdout == "AMX runs\n"
    assert "amx-kimi: is enabled here, but cannot be loaded" in done.stderr
    assert "Traceback" not in done.stderr
    (site(place) / "amx_kimi_hook.py").unlink()
    done = python("-c", "print('Python runs')")
    assert (done.stdout, done.stderr) == ("Python runs\n", "")


def test_a_python_that_never_imports_amx_imports_nothing_of_ours(python: Python) -> None:
    before = python("-c", "import sys; print(len(sys.modules))")
    python("-m", "amx_kimi", "enable")
    after = python("-c", "import sys; print(len(sys.modules))")
    assert int(after.stdout) == int(before.stdout) + 1  # the hook itself
    python("-m", "amx_kimi", "disable")


def test_a_moved_environment_still_works(python: Python, place: Path, start_sandbox) -> None:
    python("-m", "amx_kimi", "enable")
    moved = place.rename(place.with_name("moved"))
    sandbox = start_sandbox()
    done = subprocess.run(
        [str(moved / "bin/python"), "-c", CHAT.format(base=sandbox.url, key=KEY)],
        env={**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True"},
        capture_output=True,
        text=True,
    )
    assert done.stdout == "OK\n"


def test_no_right_to_write(python: Python, place: Path) -> None:
    (site(place) / "amx_kimi_hook.py").mkdir()  # root may write anywhere, but not onto a folder
    done = python("-m", "amx_kimi", "enable")
    assert done.returncode == 2
    assert "cannot be written" in done.stderr
    assert not (site(place) / "amx_kimi_hook.pth").exists()


@pytest.mark.parametrize("command", ["enable", "amx"])
def test_no_amx_here(tmp_path: Path, command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "amx_kimi", command], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 2
    assert "AMX is not installed in this environment" in done.stderr


@pytest.fixture(params=VERSIONS)
def tomorrow(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of an AMX's source, to be changed."""
    (source,) = install(request.param).parents[1].glob("lib/python*/site-packages/amx")
    return Path(shutil.copytree(source, tmp_path / "tomorrow" / "amx"))


def test_the_amxs_that_we_know_fit(tomorrow: Path) -> None:
    assert misfits(tomorrow) == []


@pytest.mark.parametrize("point", POINTS, ids=lambda point: f"{point.module}:{point.name}")
def test_each_point_is_missed(tmp_path: Path, amx_python: Path, point) -> None:
    (source,) = amx_python.parents[1].glob("lib/python*/site-packages/amx")
    folder = tmp_path / "amx"
    modules = {one.module for one in POINTS}
    for module in modules:
        file = Path(*module.split(".")[1:]).with_suffix(".py")
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source / file, folder / file)
    assert misfits(folder) == []
    changed = folder / Path(*point.module.split(".")[1:]).with_suffix(".py")
    name = point.name.split(".")[-1]
    text = changed.read_text("utf-8")
    for word in ("def ", "class ", "    "):
        text = text.replace(f"{word}{name}(", f"{word}renamed_{name.strip('_')}(")
        text = text.replace(f"{word}{name}:", f"{word}renamed:").replace(f"{word}{name},", word)
    changed.write_text(text, "utf-8")
    assert any(f"{point.module}: {point.name}" in line for line in misfits(folder))


def test_an_amx_of_tomorrow_runs_untouched(tomorrow: Path, python: Python, start_sandbox) -> None:
    provider = tomorrow / "llm/provider.py"
    provider.write_text(provider.read_text("utf-8").replace("def chat(", "def talk("), "utf-8")
    script = (
        "from amx_kimi.bridge.attach import attach, is_attached\n"
        f"print(attach([{str(tomorrow.parent)!r}]))\n"
        "print(is_attached())\n"
    )
    done = python("-c", script)
    assert "is not supported by this amx-kimi" in done.stdout
    assert "LLMProvider.chat: is not there" in done.stdout
    assert done.stdout.endswith("False\n")
    assert not start_sandbox().seen


def test_amx_imported_before_us(python: Python, start_sandbox) -> None:
    sandbox = start_sandbox()
    script = (
        "import amx.llm.provider, amx.llm.pricing\n"
        "from amx_kimi.bridge.attach import attach\n"
        "assert attach() == [] and attach() == []\n"
    )
    done = python("-c", script + CHAT.format(base=sandbox.url, key=KEY))
    assert done.stdout == "OK\n", done.stderr


def test_the_launcher_keeps_amxs_exit_code_and_name(python: Python) -> None:
    done = python("-m", "amx_kimi", "amx", "--help")
    assert done.returncode == 0
    assert "Usage: amx [OPTIONS]" in done.stdout
    assert python("-m", "amx_kimi", "amx", "--no-such-option").returncode == 2
