"""Keys in a real keyring: gnome-keyring in a D-Bus session of the test's own, without a display."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from amx_kimi.config import keyring_state, store_key
from amx_kimi.errors import KeyringError
from amx_kimi.types import Secret

SCRIPT = Path(__file__).with_name("keyring_script.py")
NEEDED = ("dbus-run-session", "gnome-keyring-daemon")
MISSING = [name for name in NEEDED if shutil.which(name) is None]
UNLOCK = "printf %s pw | gnome-keyring-daemon --unlock --components=secrets >/dev/null"

in_a_session = pytest.mark.skipif(
    bool(MISSING) or not sys.platform.startswith("linux"),
    reason=f"no {' and no '.join(MISSING or NEEDED)} here (apt-get install dbus gnome-keyring)",
)


def run(folder: Path, command: str) -> subprocess.CompletedProcess[str]:
    """Run a shell command in a fresh D-Bus session with `folder` as its home."""
    environment = {
        "HOME": str(folder),
        "AMX_CONFIG_DIR": str(folder / ".amx"),
        "XDG_RUNTIME_DIR": str(folder / "run"),
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
    }
    folder.mkdir(exist_ok=True)
    (folder / "run").mkdir(mode=0o700)
    return subprocess.run(
        ["dbus-run-session", "--", "sh", "-c", command],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What keyring_script.py saw."""
    folder = tmp_path_factory.mktemp("keyring")
    done = run(folder, f"{UNLOCK}; exec '{sys.executable}' -W ignore '{SCRIPT}'")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@in_a_session
def test_the_backend_is_the_secret_service(seen: dict[str, Any]) -> None:
    assert seen["backend"] == "keyring.backends.SecretService"
    assert seen["state"] == [True, "the keyring SecretService Keyring"]


@in_a_session
def test_a_key_is_stored_where_plain_amx_looks(seen: dict[str, Any]) -> None:
    assert seen["reference"] == ["keyring://amx/ours/api_key"] * 2
    assert seen["amx"] == "sk-newer-0123456789"


@in_a_session
def test_both_forms_of_reference_resolve(seen: dict[str, Any]) -> None:
    where = "from the OS keyring, keyring:"
    assert seen["ours"] == f"sk-newer-0123456789 {where}//amx/ours/api_key"
    assert seen["theirs"] == f"sk-amx-0123456789 {where}llm_profiles/amx/api_key"


@in_a_session
def test_what_the_keyring_does_not_hold_is_named(seen: dict[str, Any]) -> None:
    assert seen["gone"].startswith("MissingKeyError")
    assert "keyring://amx/gone/api_key: not in the keyring SecretService" in seen["gone"]


@in_a_session
def test_a_databases_password(seen: dict[str, Any]) -> None:
    assert seen["password"] == "pa ss:wörd"
    assert seen["lost"].startswith("ConfigError")
    assert "keyring:db_profiles/lost/password is not in the OS keyring" in seen["lost"]


ATTEMPT = """
from amx_kimi.config import store_key
from amx_kimi.errors import KeyringError
from amx_kimi.types import Secret
try:
    store_key("p", Secret("sk-0123456789abcdef"))
except KeyringError as error:
    print(error)
"""


@in_a_session
def test_a_keyring_that_nobody_can_unlock(tmp_path: Path) -> None:
    done = run(tmp_path / "locked", f"'{sys.executable}' -W ignore -c '{ATTEMPT}'")
    assert done.returncode == 0, done.stderr
    assert "refused" in done.stdout or "not stored" in done.stdout
    assert "AMX_LLM_API_KEY" in done.stdout
    assert "sk-0123456789" not in done.stdout


@pytest.mark.parametrize(
    ("backend", "part"),
    [("no_such_package.Keyring", "ModuleNotFoundError"), ("keyring.backends.null.Keyring", "no u")],
)
def test_a_keyring_that_is_set_up_wrongly(
    monkeypatch: pytest.MonkeyPatch, backend: str, part: str
) -> None:
    import keyring.core

    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", backend)
    monkeypatch.setattr(keyring.core, "_keyring_backend", None)  # as in a new process
    assert not keyring_state().usable
    with pytest.raises(KeyringError, match=part):
        store_key("p", Secret("sk-0123456789abcdef"))
