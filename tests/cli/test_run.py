"""`amx-kimi run`, as a user runs it."""

import os
import signal
import sqlite3
import subprocess
from pathlib import Path

import pytest
import sqlalchemy

from amx_kimi.demo.erp import rows, statements
from tests.cli.conftest import Program, command, names_asked, wait_until
from tests.conftest import KEY

COLUMNS = 284


def test_demo_describes_every_column(program: Program) -> None:
    ended = program("demo", "--json")
    assert ended.code == 0
    assert ended.json["columns"] == ended.json["described"] == COLUMNS
    assert ended.json["failed"] == 0
    assert ended.json["requests"] > 0
    assert ended.json["cost"]["amount"] > 0
    assert "not Kimi" in ended.err


def test_demo_shows_descriptions_and_leaves_nothing(program: Program, home: Path) -> None:
    ended = program("demo", env={"COLUMNS": "100"})
    assert ended.code == 0
    assert "Currency in which amounts" in ended.out
    assert "USD" in ended.out
    assert "requests" in ended.err
    assert not home.exists()


def _load_erp(url: str) -> None:
    engine = sqlalchemy.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        for statement in statements():
            connection.exec_driver_sql(statement)
        for table, values in rows():
            marks = ", ".join(["%s"] * len(values[0]))
            connection.exec_driver_sql(f"INSERT INTO {table} VALUES ({marks})", values)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE")
    engine.dispose()


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_documented_profile(
    program: Program, documented, start_sandbox, erp, fresh_postgres, database: str
) -> None:
    """AMX's documented block, with another provider's key in the environment."""
    url = f"sqlite:///{erp}"
    if database == "postgresql":
        url = fresh_postgres
        _load_erp(url)
    sandbox = start_sandbox(keys=(KEY,))
    documented(sandbox.url)
    ended = program("run", url, "--json", env={"OPENAI_API_KEY": "sk-openai-0000000000000000"})
    assert ended.code == 0, ended.err
    assert ended.json["described"] == ended.json["columns"] == COLUMNS
    assert {seen.key for seen in sandbox.chats} == {KEY}
    for seen in sandbox.chats:
        assert seen.body is not None
        assert "temperature" not in seen.body
        assert seen.body["max_tokens"] >= 32_768
        assert seen.body["reasoning"] == {"effort": "low"}
        assert seen.body["stream"] is True
    totals = sandbox.totals
    assert ended.json["requests"] == totals.requests
    assert ended.json["tokens"]["prompt"] == totals.prompt_tokens
    assert ended.json["tokens"]["completion"] == totals.completion_tokens
    assert ended.json["tokens"]["reasoning"] == totals.reasoning_tokens
    assert ended.json["cost"] == {"amount": pytest.approx(float(totals.cost)), "currency": "USD"}


def test_a_second_run_asks_nothing(program: Program, documented, start_sandbox, erp) -> None:
    sandbox = start_sandbox()
    documented(sandbox.url)
    assert program("run", f"sqlite:///{erp}").code == 0
    sandbox.reset()

    again = program("run", str(erp), "--json")
    assert (again.code, again.json["requests"], again.json["described"]) == (0, 0, COLUMNS)

    with sqlite3.connect(erp) as connection:
        connection.execute(
            "INSERT INTO kstst SELECT 'X1', bez, kstart, uebkst, verant, gueltab, gueltbis,"
            " budj, waers, loekz FROM kstst LIMIT 1"
        )
    connection.close()
    after_rows = program("run", str(erp), "--json")
    assert (after_rows.code, after_rows.json["requests"]) == (0, 0)

    with sqlite3.connect(erp) as connection:
        connection.execute("ALTER TABLE kstst ADD COLUMN neu_kz CHAR(1)")
    connection.close()
    after_column = program("run", str(erp), "--json")
    assert (after_column.code, after_column.json["columns"]) == (0, COLUMNS + 1)
    assert names_asked(sandbox) == ["neu_kz"]


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_ended_in_the_middle_and_resumed(
    program: Program, documented, start_sandbox, erp: Path, tmp_path: Path, end: signal.Signals
) -> None:
    sandbox = start_sandbox(latency=0.05)
    documented(sandbox.url)
    running = subprocess.Popen(
        command("run", str(erp), "--batch-size", "5", "--json"),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_until(lambda: len(sandbox.chats) >= 20, running)
    running.send_signal(end)
    out, err = running.communicate(timeout=60)
    if end != signal.SIGKILL:
        assert running.returncode == 130
        assert "amx-kimi run --resume" in err
        assert '"described"' in out
    kept = program("show", "last", "--json").out.splitlines()
    described = {row for row in kept if '"status": "described"' in row}
    assert 0 < len(described) < COLUMNS
    sandbox.reset()

    resumed = program("run", "--resume", "last", "--json")
    assert resumed.code == 0, resumed.err
    assert resumed.json["described"] == resumed.json["columns"] == COLUMNS
    before = {_name(row) for row in described}
    asked = {(t, c) for t, c in _asked(sandbox)}
    assert not before & asked
    assert described <= set(program("show", "last", "--json").out.splitlines())
    assert program("run", "--resume", "last", "--json").json["requests"] == resumed.json["requests"]


def _name(row: str) -> tuple[str, str]:
    import json

    found = json.loads(row)
    return found["table"], found["column"]


def _asked(sandbox) -> list[tuple[str, str]]:
    from tests.cli.conftest import tables_asked

    return [(t["name"], c["name"]) for t in tables_asked(sandbox) for c in t["columns"]]


def test_some_failed_is_exit_code_1(program: Program, documented, start_sandbox, erp) -> None:
    sandbox = start_sandbox(faults="filter@2-3")
    documented(sandbox.url)
    one = ("--batch-size", "1", "--concurrency", "1")
    ended = program("run", str(erp), "--table", "kstst", *one, "--json")
    assert ended.code == 1
    assert ended.json["failed"] == 1
    assert ended.json["described"] == ended.json["columns"] - 1
    assert "failed" in program("show", "last").out
    assert "answered 400" in program("show", "last", "--json").out


def test_refused_key_stops_the_run_and_names_the_remedy(
    program: Program, documented, start_sandbox, erp
) -> None:
    documented(start_sandbox(keys=("sk-another-key-0000000",)).url)
    ended = program("run", str(erp), "--json")
    assert ended.code == 2
    assert "401" in ended.err
    assert "sk-" in ended.err
    assert "--resume" in ended.err
    assert KEY not in ended.err
    assert ended.json["described"] == 0
    assert len(ended.err.splitlines()) < 10


def test_json_says_how_a_run_ended(program: Program, documented, start_sandbox, erp) -> None:
    documented(start_sandbox(balance=0).url)
    words = ("--table", "kstst", "--json")
    ended = program("run", str(erp), *words)
    assert ended.code == 1
    assert ended.json["status"] == "stopped"
    assert ended.json["error"] in ended.err
    documented(start_sandbox().url)
    whole = program("run", str(erp), *words).json
    assert (whole["status"], whole["error"]) == ("complete", None)


def test_selection_limit_language_and_samples(
    program: Program, documented, start_sandbox, erp
) -> None:
    sandbox = start_sandbox()
    documented(sandbox.url)
    ended = program("run", str(erp), "--table", "kstst", "--limit", "3", "--language", "de",
                    "--no-samples", "--json")  # fmt: skip
    assert ended.json["columns"] == ended.json["described"] == 3
    (seen,) = sandbox.chats
    question = str(seen.body)
    assert '"language":"de"' in question
    assert "samples" not in question.replace("samples and ranges", "").split('"task"')[1]


def test_dry_run_sends_nothing_and_keeps_nothing(
    program: Program, documented, start_sandbox, erp
) -> None:
    sandbox = start_sandbox()
    documented(sandbox.url, api_key="")
    ended = program("run", str(erp), "--dry-run", "--json")
    assert ended.code == 0
    assert ended.json["columns"] == COLUMNS
    assert ended.json["requests"] > 0
    assert ended.json["cost"]["amount"] > 0
    assert ended.json["estimate"] is True
    assert sandbox.seen == []
    assert program("runs", "--json").json == []
    assert "Nothing was sent" in program("run", str(erp), "--dry-run").out


def test_amx_database_profile(program: Program, documented, start_sandbox, fresh_postgres, home):
    url = sqlalchemy.engine.make_url(fresh_postgres)
    engine = sqlalchemy.create_engine(url.set(drivername="postgresql+psycopg"))
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE t (a int, b text)")
        connection.exec_driver_sql("COMMENT ON COLUMN t.a IS 'known'")
    engine.dispose()
    documented(start_sandbox().url)
    config = home / "config.yml"
    config.write_text(
        config.read_text()
        + "db_profiles:\n  wh:\n    backend: postgresql\n"
        + f"    host: {url.query['host']}\n    user: postgres\n    password: unused\n"
        + f"    database: {url.database}\nactive_db_profile: wh\n"
    )
    ended = program("run", "--db-profile", "wh", "--json")
    assert ended.code == 0, ended.err
    assert ended.json["described"] == 1
    everything = program("run", "--all", "--json")
    assert everything.json["described"] == 2
    assert program("run", "--resume", "last").code == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "nope.db"], ["nope.db", "the path of a SQLite"]),
        (["run", "sqlite:///nope.db"], ["no SQLite file"]),
        (["run", "db2://h/d"], ["db2", "no dialect"]),
        (["run", "postgresql://nobody@127.0.0.1:1/x"], ["cannot be opened"]),
        (["run", "erp.db", "--table", "kstts"], ["no table kstts"]),
        (["run", "erp.db", "--schema", "sales"], ["no schema 'sales'"]),
        (["run", "erp.db", "--profile", "kimi-thinkin"], ["Did you mean kimi-thinking"]),
        (["run", "erp.db", "--db-profile", "x"], ["not both"]),
        (["run", "--db-profile", "x"], ["No database profile 'x'"]),
        (["run"], ["Which database"]),
        (["run", "erp.db", "--limit", "0"], ["--limit"]),
        (["run", "--resume", "zzz"], ["There is no run 'zzz'"]),
        (["run", "--resume", "last", "--all"], ["--resume keeps"]),
        (["run", "erp.db", "--store", "mysql://x/y"], ["SQLite or PostgreSQL"]),
        (["run", "empty.db"], ["has no tables"]),
        (["run", "text.db"], ["cannot be read as SQLite"]),
        (["show", "last"], ["There is no journal", "run"]),
        (["use-llm", "other"], ["No LLM profile 'other'"]),
    ],
)
@pytest.mark.usefixtures("erp")
def test_bad_input_is_a_clear_error(
    program: Program,
    documented,
    tmp_path: Path,
    arguments: list[str],
    words: list[str],
) -> None:
    documented("http://127.0.0.1:1/v1")
    sqlite3.connect(tmp_path / "empty.db").execute("PRAGMA user_version=1").connection.close()
    (tmp_path / "text.db").write_text("no database " * 100)
    ended = program(*arguments)
    assert ended.code == 2, ended.err
    assert "Traceback" not in ended.err
    for word in words:
        assert word in ended.err


def test_unreachable_endpoint(program: Program, documented, erp) -> None:
    documented("http://127.0.0.1:1/v1")
    ended = program("run", str(erp), "--table", "kstst")
    assert ended.code == 1
    assert "cannot be reached" in ended.err
    assert "api_base" in ended.err
    assert "--resume" in ended.err


def test_debug_shows_the_traceback(program: Program, documented) -> None:
    documented("http://127.0.0.1:1/v1")
    assert "Traceback" in program("run", "nope.db", "--debug").err


def test_log_file_holds_events(program: Program, documented, start_sandbox, erp, tmp_path) -> None:
    import json

    documented(start_sandbox(faults="500@1").url)
    ended = program("run", str(erp), "--table", "kstst", "--log-file", "log.jsonl", "--json")
    assert ended.code == 0
    assert ended.json["retries"] == 1
    text = (tmp_path / "log.jsonl").read_text()
    assert KEY not in text
    events = [json.loads(line) for line in text.splitlines()]
    assert [e["event"] for e in events].count("request.settled") == 2
    assert any(e["event"] == "request.retry" for e in events)
    assert {e["run"] for e in events} == {ended.json["run"]}
    assert events[-1]["event"] == "run.ended"
    assert float(events[-1]["cost"]) == pytest.approx(ended.json["cost"]["amount"])


def test_retired_model_at_its_own_endpoint_is_warned_about(
    program: Program, documented, erp
) -> None:
    documented("https://api.moonshot.cn/v1")
    ended = program("run", str(erp), "--dry-run")
    assert ended.code == 0
    assert "retired on 2026-05-25" in ended.err
    assert "kimi-k3" in ended.err


def test_names_with_everything_in_them(program: Program, documented, start_sandbox, tmp_path):
    path = tmp_path / "odd.db"
    name = 'a "quoted".dotted\nüñí 🦊 [bold]x[/bold]'
    quoted = '"' + name.replace('"', '""') + '"'
    with sqlite3.connect(path) as connection:
        connection.execute(f"CREATE TABLE {quoted} ({quoted} TEXT, plain BLOB)")
        connection.execute(
            f"INSERT INTO {quoted} VALUES (CAST(x'ff80fe' AS TEXT), zeroblob(2000000))"
        )
        wide = ", ".join(f"c{i} INTEGER" for i in range(2000))
        connection.execute(f"CREATE TABLE wide ({wide})")
    connection.close()
    sandbox = start_sandbox()
    documented(sandbox.url)
    ended = program("run", str(path), "--yes", "--json")
    assert ended.code == 0, ended.err
    assert ended.json["described"] == 2002
    assert name in names_asked(sandbox)
    assert "🦊" in program("show", "last", "--table", name).out


def test_journal_in_postgresql(program: Program, documented, start_sandbox, erp, fresh_postgres):
    sandbox = start_sandbox()
    documented(sandbox.url)
    store = ["--store", fresh_postgres]
    assert program("run", str(erp), "--json", *store).json["described"] == COLUMNS
    sandbox.reset()
    again = program("run", str(erp), "--json", *store)
    assert (again.code, again.json["requests"]) == (0, 0)
    assert len(program("runs", "--json", *store).json) == 2
    assert not Path(os.environ["AMX_CONFIG_DIR"], "kimi.db").exists()


def test_run_without_a_terminal_prints_plain_lines(
    program: Program, documented, start_sandbox, erp
) -> None:
    documented(start_sandbox().url)
    ended = program("run", str(erp))
    assert f"{COLUMNS} of {COLUMNS} columns" in ended.err
    assert "\x1b" not in ended.err + ended.out


def test_limits_delay_a_run_but_lose_nothing(program: Program, documented, start_sandbox, erp):
    documented(start_sandbox(tier=0, minute=2.0, limit_figures=False).url)
    ended = program("run", str(erp), "--batch-size", "40", "--json")
    assert ended.code == 0, ended.err
    assert ended.json["described"] == COLUMNS
    assert ended.json["retries"] > 0


def test_a_run_is_resumed_on_its_own_database_only(
    program: Program, documented, start_sandbox, erp, tmp_path: Path
) -> None:
    documented(start_sandbox().url)
    assert program("run", str(erp), "--limit", "3").code == 0
    sqlite3.connect(tmp_path / "other.db").execute("CREATE TABLE kstst (kst)").connection.close()
    ended = program("run", "other.db", "--resume", "last")
    assert ended.code == 2
    assert "erp.db, not " in ended.err


def test_a_typo_leaves_no_run_behind(program: Program, documented, erp) -> None:
    documented("http://127.0.0.1:1/v1")
    assert program("run", str(erp), "--table", "nope").code == 2
    assert program("runs", "--json").json == []


def test_a_killed_run_is_called_so(
    program: Program, documented, start_sandbox, erp: Path, tmp_path: Path
) -> None:
    sandbox = start_sandbox(faults="stall@4-")
    documented(sandbox.url)
    running = subprocess.Popen(
        command("run", str(erp), "--batch-size", "5"), cwd=tmp_path, stderr=subprocess.DEVNULL
    )
    wait_until(lambda: len(sandbox.chats) >= 3, running)
    refused = program("run", "--resume", "last")
    assert refused.code == 2
    assert "still running" in refused.err
    assert program("runs", "--json").json[0]["status"] == "running"
    running.kill()
    running.wait()
    assert "killed" in program("runs", env={"COLUMNS": "120"}).out


def test_sigterm_ends_a_background_job_of_a_script(
    documented, start_sandbox, erp: Path, tmp_path: Path
) -> None:
    sandbox = start_sandbox(latency=0.05)
    documented(sandbox.url)
    running = subprocess.Popen(
        command("run", str(erp), "--batch-size", "5"),
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )
    wait_until(lambda: len(sandbox.chats) >= 3, running)
    running.terminate()
    _, err = running.communicate(timeout=30)
    assert running.returncode == 130, err
    assert "--resume" in err


def test_reading_creates_nothing(program: Program, erp: Path, tmp_path: Path) -> None:
    before = erp.read_bytes()
    assert program("runs", "--store", str(erp)).code == 2
    assert erp.read_bytes() == before
    assert program("show", "last", "--store", "none.db").code == 2
    assert not (tmp_path / "none.db").exists()
    assert program("runs").out.startswith("There are no runs yet")


def test_show_one_table_only(program: Program, documented, start_sandbox, erp) -> None:
    documented(start_sandbox().url)
    program("run", str(erp), "--table", "kstst", "--limit", "2")
    shown = program("show", "last", "--table", "kstst")
    assert "not asked" in shown.out
    missing = program("show", "last", "--table", "nope")
    assert missing.code == 2
    assert "has no results for nope" in missing.err


def test_a_run_goes_on_with_its_own_model_only(
    program: Program, documented, start_sandbox, erp
) -> None:
    url = start_sandbox().url
    documented(url)
    assert program("run", str(erp), "--limit", "2").code == 0
    documented(url, model="kimi-k2.6")
    ended = program("run", "--resume", "last")
    assert ended.code == 2
    assert "started with kimi-k2-thinking" in ended.err
