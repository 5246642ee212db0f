"""Exports, read by those they are for: dbt-core and DataHub; and the report, by Chromium."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from amx_kimi.journal import Journal, Run, decisions, results, runs
from amx_kimi.journal.decisions import Decided
from amx_kimi.publish.choose import Choice
from amx_kimi.publish.datahub import Home, write_datahub
from amx_kimi.publish.dbt import Merged, MergeRules, merge_dbt, read_project, write_dbt
from amx_kimi.publish.report import write_report
from amx_kimi.types import Item, Suggestion
from tests.consumers.environments import environment_with
from tests.publish.helpers import journal_with

HERE = Path(__file__).parent
TEXTS = (
    "Plain.",
    'it\'s $$ \\ "quoted" 100% #not a comment: yes',
    "two\nlines\nand a third",
    "{{ doc('x') }} {% if %} {# c #} {{{",
    "=SUM(A1)",
    "<script>window.hacked = 1</script><img src=x onerror='window.hacked = 1'>",
    "‮right to left‬ שלום",
    "\x1b[31mred\x1b[0m",
    "no",
    "1:30",
    "- item",
    "IBAN of the account",
    "x" * 60_000,
)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    """Two tables of hostile texts: half of the columns accepted, one edited, one rejected."""
    found: list[tuple[Item, Suggestion | None]] = []
    for table in ("orders", 'we"ird, (name) {{ x }}'):
        found.append((Item("sales", table, "", "table", 0), Suggestion(("A table.",), "medium")))
        for number, text in enumerate(TEXTS):
            item = Item("sales", table, f"c{number} {text[:12]}".strip(), "column", number, "int")
            found.append((item, Suggestion((text, "Other."), ("high", "low")[number % 2])))
    journal = journal_with(tmp_path / "kimi.db", found)
    run = the_run(journal)
    rows = list(journal.stream(results.described, run.id))
    decided = [
        Decided(row.id, "accept", row.suggestion.alternatives[0])
        for row in rows[::2]
        if row.suggestion
    ]
    decided += [Decided(rows[1].id, "edit", "By a person."), Decided(rows[3].id, "reject")]
    journal.write_now(decisions.decide, decided, "ann")
    return journal


def the_run(journal: Journal) -> Run:
    return journal.read(runs.find_run, "last")


def rows_of(journal: Journal) -> Any:
    return journal.stream(results.described, the_run(journal).id)


# dbt


def parsed(folder: Path, *, is_old_style: bool = False) -> dict[str, Any]:
    """The project's manifest; dbt has parsed it without a warning, but for those that a project in
    an old style has anyway."""
    python = environment_with("dbt", "dbt-core>=1.10,<1.12", "dbt-duckdb<1.11", ours=False)
    words = "--no-version-check --no-use-colors parse --no-partial-parse"
    strict = [] if is_old_style else ["--warn-error"]
    done = subprocess.run(
        [python, HERE / "parse_with_dbt.py", *strict, *words.split(), "--show-all-deprecations"],
        cwd=folder,
        env={
            **os.environ,
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
            "DO_NOT_TRACK": "1",
            "DBT_PROFILES_DIR": ".",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    found: dict[str, Any] = json.loads((folder / "target/manifest.json").read_text())
    return found


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A dbt project without a model."""
    folder = tmp_path / "dbt"
    (folder / "models").mkdir(parents=True)
    (folder / "dbt_project.yml").write_text('name: shop\nversion: "1.0"\nprofile: shop\n')
    (folder / "profiles.yml").write_text(
        "shop: {target: dev, outputs: {dev: {type: duckdb, path: ':memory:'}}}\n"
    )
    return folder


@pytest.mark.slow
def test_dbt_reads_a_new_file_without_a_warning(journal: Journal, project: Path) -> None:
    path = project / "models" / "schema.yml"
    with path.open("w", encoding="utf-8") as file:
        write_dbt(file, the_run(journal), rows_of(journal), Choice(unreviewed=True), "sources")
    sources = parsed(project)["sources"].values()
    assert {source["name"] for source in sources} == {"orders", 'we"ird, (name) {{ x }}'}
    for source in sources:
        found = {column["name"]: column for column in source["columns"].values()}
        for row in rows_of(journal):
            if row.item.table == source["name"] and row.item.column and row.text is not None:
                column = found[row.item.column]
                assert column["description"] == row.text.strip()
                meta = column["meta"]["amx_kimi"]
                assert (meta["run"], meta["model"]) == (the_run(journal).id, "kimi-k3")
                assert meta.get("reviewer") == (row.decision.by if row.decision else None)


@pytest.mark.slow
def test_dbt_reads_a_merged_file_without_a_warning(journal: Journal, project: Path) -> None:
    (project / "models" / "orders.sql").write_text("select 1 as id, 2 as c0")
    path = project / "models" / "schema.yml"
    path.write_text(
        "version: 2\nmodels:\n  - name: orders # ours\n    description: A person's.\n"
        "    columns:\n      - name: id\n        data_tests: [unique]\n"
    )
    rules = MergeRules(the_run(journal), Choice(unreviewed=True), "sources")
    text, merged = merge_dbt(path, rows_of(journal), rules)
    path.write_text(text)
    assert merged.problems == []
    nodes = parsed(project)["nodes"].values()
    (model,) = [node for node in nodes if node["resource_type"] == "model"]
    assert model["description"] == "A person's."
    assert model["columns"]["c0 Plain."]["description"] == "By a person."
    assert "# ours" in text


# Descriptions merged into whole projects

PROJECTS = Path(__file__).parents[1] / "dbt_projects"
COLUMNS = {
    "shop": {
        "raw.raw_customers": "id name",
        "raw.raw_orders": "id customer ordered_at",
        "raw.raw_items": "id sku",
        "dev.orders": "order_id customer_id is_food_order order_total",
        "dev.stg_customers": "customer_id customer_name",
        "dev.stg_orders": "order_id order_total customer_id is_food_order",
        "dev.states": "code name",
        "dev.orders_snapshot": "order_id dbt_valid_from dbt_valid_to",
    },
    "transit": {
        "external_gtfs.stops_2026": "feed_key stop_id stop_lat",
        "external_gtfs.routes": "feed_key route_id route_type",
        "external_gtfs.trips": "feed_key trip_id",
        "external_gtfs.agencies": "agency_id",
        "dev.latest_stops": "feed_key stop_id",
        "dev.latest_routes": "feed_key route_id",
        "dev.fct_trips": "feed_key trip_id direction",
        "dev.dim_stops": "feed_key,stop name,stop_lat",
        "dev.dim_routes": "feed_key route_id",
    },
    "saas": {
        "saas.account": "id,is_deleted,e mail,owner",
        "saas.contact": "id _synced account_id",
        "dev.dim_accounts_v1": "account_id country_name",
        "dev.dim_accounts_v2": "account_id country_code",
        "dev.plans": "id",
    },
}


def rows_for(path: Path, tables: dict[str, str]) -> Journal:
    """A journal whose run describes these tables and all of their columns."""
    found: list[tuple[Item, Suggestion | None]] = []
    for name, columns in tables.items():
        schema, table = name.split(".")
        found.append((Item(schema, table, "", "table", 0), said(name)))
        names = columns.split("," if "," in columns else None)
        for number, column in enumerate(names, 1):
            item = Item(schema, table, column, "column", number, "int")
            found.append((item, said(f"{name}.{column}")))
    return journal_with(path, found)


def said(name: str) -> Suggestion:
    return Suggestion((f"Ours of {name}.",), "high")


def without_texts(manifest: dict[str, Any]) -> dict[str, Any]:
    """What a manifest says but for descriptions, what we know of them, and columns."""

    def told(node: dict[str, Any]) -> dict[str, Any]:
        kept = ("name", "resource_type", "tags", "version", "latest_version", "depends_on", "docs")
        kept += ("schema", "identifier", "loader", "freshness", "group", "access")
        meta = {key: one for key, one in node.get("meta", {}).items() if key != "amx_kimi"}
        return {**{key: node.get(key) for key in kept}, "meta": meta}

    return {
        key: {name: told(node) for name, node in manifest[key].items()}
        for key in ("nodes", "sources", "unit_tests")
    }


def texts_of(manifest: dict[str, Any]) -> dict[str, str]:
    """Every description of a manifest, by the name of what it describes."""
    found = {}
    for key in ("nodes", "sources"):
        for name, node in manifest[key].items():
            found[name] = node["description"].strip()
            columns = node["columns"].values()
            found |= {f"{name}.{one['name']}": one["description"].strip() for one in columns}
    return found


def merged_into(path: Path, folder: Path, journal: Journal) -> tuple[str, Merged]:
    """A file with the descriptions in it; only where there are sources, tables may be new."""
    rules = MergeRules(
        *(the_run(journal), Choice(unreviewed=True), "sources"),
        only_existing="sources" not in path.read_text("utf-8"),
    )
    return merge_dbt(path, rows_of(journal), rules, read_project(folder, without=path))


@pytest.mark.slow
@pytest.mark.parametrize("name", COLUMNS)
def test_a_whole_project_is_merged_into(name: str, tmp_path: Path) -> None:
    folder = tmp_path / name
    shutil.copytree(PROJECTS / name, folder)
    is_old_style = name != "shop"
    before = parsed(folder, is_old_style=is_old_style)
    run_of = rows_for(tmp_path / "kimi.db", COLUMNS[name])
    files = [
        path
        for path in sorted(folder.rglob("*.y*ml"))
        if path.name not in ("dbt_project.yml", "profiles.yml")
    ]
    for path in files:
        text, merged = merged_into(path, folder, run_of)
        path.write_bytes(text.encode())
        assert merged.added
    after = parsed(folder, is_old_style=is_old_style)
    for key, there in without_texts(before).items():
        told = without_texts(after)[key]
        assert {name: told[name] for name in there} == there
    old, new = texts_of(before), texts_of(after)
    assert {key: new[key] for key, text in old.items() if text} == {
        key: text for key, text in old.items() if text
    }
    added = {key: text for key, text in new.items() if text and not old.get(key)}
    assert len(added) > 5
    assert all(text.startswith("Ours of ") for text in added.values())
    for path in files:
        assert merged_into(path, folder, run_of)[0].encode() == path.read_bytes()


# DataHub


@pytest.mark.slow
@pytest.mark.parametrize("instance", ["", "prod, (eu)"])
def test_datahub_reads_every_proposal(journal: Journal, tmp_path: Path, instance: str) -> None:
    path = tmp_path / "proposals.json"
    home = Home("postgres", "erp", instance, "DEV")
    with path.open("w", encoding="utf-8") as file:
        count = write_datahub(
            file, the_run(journal), rows_of(journal), Choice(unreviewed=True), home
        )
    python = environment_with("datahub", "acryl-datahub>=1.2", ours=False)
    env = {**os.environ, "DATAHUB_TELEMETRY_ENABLED": "false"}
    for words in (
        [python, "-W", "error", HERE / "datahub_check.py", path],
        [python.with_name("datahub"), "check", "metadata-file", path],
    ):
        done = subprocess.run(words, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    proposals = json.loads(path.read_text("utf-8"))
    assert len(proposals) == 6
    texts = [
        field["description"]
        for one in proposals
        if one["aspectName"] == "editableSchemaMetadata"
        for field in one["aspect"]["json"]["editableSchemaFieldInfo"]
    ]
    assert len(texts) + 2 == count
    assert "By a person." in texts
    assert all(one["changeType"] in ("CREATE", "PATCH") for one in proposals)


# The report


@pytest.mark.skipif(not shutil.which("chromium"), reason="Debian's package chromium is not there")
def test_the_report_in_a_real_browser(journal: Journal, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    with path.open("w", encoding="utf-8") as file:
        write_report(file, journal, the_run(journal))
    assert "\x1b" not in path.read_text("utf-8")
    packages = ("playwright", "axe-playwright-python")
    python = environment_with("browser", *packages, ours=False)
    done = subprocess.run(
        [python, HERE / "look.py", path], capture_output=True, text=True, check=False, timeout=180
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert len(seen) == 4
    assert len({one["ground"] for one in seen}) == 2
    for one in seen:
        assert one["console"] == one["network"] == one["violations"] == []
        assert one["overflow"] == 0
        assert (one["scripts"], one["boxes"], one["first_focus"]) == (1, True, "skip")
        assert one["counts"] == [
            "26 columns in 2 tables",
            "2 columns in 2 tables",
            "12 columns in 2 tables",
        ]
