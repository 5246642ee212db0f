"""`report`, `check` and the exports of the command line."""

from __future__ import annotations

import html.parser
import json
import re
import sqlite3
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from amx_kimi.types import Item, Suggestion
from tests.cli.conftest import Program
from tests.publish.helpers import journal_with


class _Page(html.parser.HTMLParser):
    """What a page holds: its tags, and where it would load anything from."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name in ("src", "href", "srcset", "action", "data") or name.startswith("on"):
                self.loads.append(f"{name}={value}")


@pytest.fixture
def hostile(program: Program, documented: Any, start_sandbox: Any, tmp_path: Path) -> Program:
    """A run over names that are markup, one of which failed."""
    path = tmp_path / "x.db"
    with sqlite3.connect(path) as connection:
        connection.execute(
            'CREATE TABLE "<b>&t" ("<script>alert(1)</script>" int, "\x1b[31m" int, "ok" int)'
        )
    connection.close()
    documented(start_sandbox(forget_above=2, forget_every=2).url)
    program("run", str(path))
    return program


def test_a_report_is_one_file_that_loads_nothing(hostile: Program, tmp_path: Path) -> None:
    ended = hostile("report", "last", "--out", "r.html")
    assert (ended.code, ended.err.strip()) == (0, "Wrote r.html")
    text = (tmp_path / "r.html").read_text("utf-8")
    page = _Page()
    page.feed(text)
    assert page.tags.count("script") == 1
    assert not [load for load in page.loads if not load.startswith("href=#")]
    assert "alert(1)</script>" not in text
    assert "\x1b" not in text
    assert "default-src &#39;none&#39;" in text or "default-src 'none'" in text
    assert "names, types and keys: 3 columns" in text


def test_what_was_sent_by_which_run(
    program: Program, documented: Any, start_sandbox: Any, tmp_path: Path
) -> None:
    with sqlite3.connect(tmp_path / "x.db") as connection:
        connection.execute("CREATE TABLE orders (customer_name text)")
    sandbox = start_sandbox()
    documented(sandbox.url)
    first, second = (program("run", "x.db", "--json").json["run"] for _ in range(2))

    def sent(run: str) -> str:
        assert program("report", run, "--out", "r.html").code == 0
        text = (tmp_path / "r.html").read_text("utf-8")
        return text.partition('id="sent"')[2].partition("</section>")[0]

    assert "1 column asked about in this run" in sent(first)
    assert "names, types and keys: 1 column<" in sent(first)
    told = sent(second)
    assert "Nothing in this run, because all answers came from earlier runs." in told
    started = program("runs", "--json").json[1]["started_at"][:16].replace("T", " ")
    assert (
        f"To {sandbox.url}, for 1 column whose answers this run reuses, by run {first} on " in told
    )
    assert f"on {started} UTC" in told
    assert "names, types and keys: 1 column<" in told
    assert program("runs", "delete", first, "--yes").code == 0
    assert "by a run that has been deleted" in sent(program("run", "x.db", "--json").json["run"])


def test_five_thousand_columns_are_less_than_two_megabytes(program: Program, home: Path) -> None:
    found: list[tuple[Item, Suggestion | None]] = []
    text = "Name of the customer who has ordered, as the order's own document has it."
    for number in range(100):
        table = f"customer_orders_{number}"
        found.append((Item("", table, "", "table", 0), Suggestion((text,), "high")))
        for position in range(50):
            name = f"customer_name_{position}"
            item = Item("", table, name, "column", position, "varchar(40)", key_role="foreign")
            found.append((item, Suggestion((text, text.upper()), "medium")))
    home.mkdir()
    journal_with(home / "kimi.db", found).close()
    program("review", "last", "--accept", "low")
    assert program("report", "last", "--out", "r.html").code == 0
    path = home.parents[1] / "r.html"
    assert len(re.findall("<tr><th", path.read_text("utf-8"))) == 5_000 + 100
    assert path.stat().st_size < 2_000_000


def test_check_counts_comments_and_lists_what_is_missing(program: Program, tmp_path: Path) -> None:
    path = tmp_path / "w.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            "CREATE SCHEMA s; CREATE TABLE s.a (x int, y int); CREATE TABLE b (z int)"
        )
        connection.execute("COMMENT ON COLUMN s.a.x IS 'X'")
    ended = program("check", str(path), "--min-coverage", "50")
    assert ended.code == 1
    _, *rows, last = (line.split() for line in ended.out.splitlines())
    assert rows == [["main.b", "1", "z"], ["s.a", "1", "y"]]
    assert " ".join(last) == "With a comment: 1 of 3 columns, 33.3% (below the required 50%)"
    found = program("check", str(path), "--min-coverage", "50", "--schema", "s", "--json")
    assert (found.code, found.json["percent"], found.json["missing"]) == (0, 50.0, ["s.a.y"])
    assert program("check", str(path)).code == 1
    assert program("check", str(path), "--min-coverage", "101").code == 2
    assert program("check", str(path), "--schema", "nope").code == 2
    assert program("check", str(path), "--table", "nope").code == 2
    assert program("check").code == 2


def test_exports_of_the_command_line(
    program: Program, documented: Any, start_sandbox: Any, erp: Path, tmp_path: Path
) -> None:
    documented(start_sandbox().url)
    program("run", str(erp), "--table", "kstst", "--table", "pers")
    empty = program("export", "last", "--format", "dbt")
    assert yaml.safe_load(empty.out) == {"version": 2, "sources": []}
    assert "No suggestion of this run is accepted yet" in empty.err
    unwritten = program("export", "last", "--format", "dbt", "--out", "schema.yml")
    assert unwritten.code == 0
    assert "0 descriptions: schema.yml was not written\n" in unwritten.err
    assert "No suggestion of this run is accepted yet. Accept some with" in unwritten.err
    assert not (tmp_path / "schema.yml").exists()
    program("review", "last", "--accept", "low", "--by", "ann")
    made = program("export", "last", "--format", "dbt", "--as", "models", "--out", "schema.yml")
    assert made.code == 0, made.err
    path = tmp_path / "schema.yml"
    assert {m["name"] for m in yaml.safe_load(path.read_text())["models"]} == {"kstst", "pers"}
    before = path.read_text()
    assert program("export", "last", "--format", "dbt", "--out", "schema.yml").code == 0
    assert path.read_text() == before
    path.write_text("models: [")
    broken = program("export", "last", "--format", "dbt", "--out", "schema.yml")
    assert (broken.code, path.read_text()) == (2, "models: [")
    assert "line 1 is not valid YAML" in broken.err
    hub = program("export", "last", "--format", "datahub", "--env", "dev", "--platform", "oracle")
    urns = {one["entityUrn"] for one in json.loads(hub.out)}
    assert urns == {
        f"urn:li:dataset:(urn:li:dataPlatform:oracle,erp.{table},DEV)"
        for table in ("kstst", "pers")
    }
    for words in (
        ("--format", "datahub", "--env", "nowhere"),
        ("--format", "csv", "--env", "DEV"),
        ("--format", "csv", "--unreviewed"),
        ("--format", "dbt", "--min-confidence", "high"),
        ("--format", "amx"),
        ("--format", "amx", "--db-profile", "erp", "--unreviewed"),
        ("--format", "amx", "--db-profile", "erp", "--out", "x"),
    ):
        assert program("export", "last", *words).code == 2, words
    wrong = program("export", "last", "--format", "csv", "--platform-instance", "x")
    assert "--platform-instance requires --format datahub" in wrong.err
    lines = program("export", "last", "--format", "jsonl").out.splitlines()
    assert {json.loads(line)["reviewed_by"] for line in lines} == {"ann"}


def test_a_run_of_amxs_texts_has_nothing_to_resume(
    program: Program, documented: Any, home: Path, erp: Path, tmp_path: Path
) -> None:
    documented("http://127.0.0.1:9/v1")
    document = yaml.safe_load((home / "config.yml").read_text())
    document["db_profiles"] = {"d": {"backend": "sqlite", "database": str(erp)}}
    document["active_db_profile"] = "d"
    (home / "config.yml").write_text(yaml.safe_dump(document))
    missing = program("import-amx")
    assert missing.code == 2
    assert "no AMX history" in missing.err
    with sqlite3.connect(tmp_path / "h.db") as connection:
        connection.executescript(
            "CREATE TABLE analysis_runs (id INTEGER PRIMARY KEY, db_profile, llm_model,"
            " client_version);"
            "CREATE TABLE run_results (id INTEGER PRIMARY KEY, run_id, schema_name, table_name,"
            " column_name, evaluation, chosen_description, model, created_by, applied_at,"
            " evaluated_at, saved_at);"
            "INSERT INTO analysis_runs VALUES (1, 'd', 'gpt', NULL), (2, 'd', 'k', 'amx-kimi 1');"
            "INSERT INTO run_results VALUES"
            " (1, 1, '', 'kstst', 'bez', 'accepted', 'Old.', NULL, 'bob', NULL, 1.0, 1.0),"
            " (2, 1, '', 'kstst', 'bez', 'custom', 'Name.', NULL, 'bob', NULL, 2.0, 1.0),"
            " (3, 1, '', 'kstst', 'budj', 'accepted', 'Budget.', NULL, NULL, NULL, 1.0, 1.0),"
            " (4, 1, '', 'kstst', 'budj', 'skipped', '', NULL, NULL, NULL, 3.0, 1.0),"
            " (5, 1, '', 'gone', 'x', 'accepted', 'Gone.', NULL, NULL, NULL, 1.0, 1.0),"
            " (6, 2, '', 'kstst', 'waers', 'accepted', 'Ours.', NULL, NULL, NULL, 1.0, 1.0);"
        )
    connection.close()
    found = program("import-amx", "--history", "h.db", "--json")
    assert found.code == 0, found.err
    assert (found.json["texts"], found.json["gone"]) == (1, ["gone.x"])
    assert found.json["worded"] == []
    rows = map(json.loads, program("show", "last", "--json").out.splitlines())
    (row,) = [row for row in rows if row["description"]]
    assert (row["column"], row["description"], row["reviewed_by"]) == ("bez", "Name.", "bob")
    resumed = program("run", "--resume", "last")
    assert resumed.code == 2
    listed = program("runs", "--json").out
    assert '"deferred": 0' in listed
    assert "--limit" not in program("show", "last").out
    assert found.json["new"] == 1
    again = program("import-amx", "--history", "h.db", "--json")
    assert (again.code, again.json["run"], again.json["new"]) == (0, None, 0)
    assert "Nothing new" in program("import-amx", "--history", "h.db").out
    assert program("runs", "--json").out == listed
    with sqlite3.connect(tmp_path / "h.db") as connection:
        connection.execute("UPDATE run_results SET chosen_description = 'Other.' WHERE id = 2")
    connection.close()
    changed = program("import-amx", "--history", "h.db", "--json").json
    assert (changed["new"], changed["texts"], changed["run"] is None) == (1, 1, False)
    assert len(program("runs", "--json").out) > len(listed)
