"""A manifest that dbt itself wrote, over the database that dbt built."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from amx_kimi.annotate.context import load_context
from amx_kimi.annotate.job import Job
from amx_kimi.annotate.opening import Target
from amx_kimi.annotate.prompt import Wanted
from amx_kimi.annotate.run import RunSpec, execute
from amx_kimi.journal import Journal, results
from amx_kimi.settings import Settings
from tests.annotate.helpers import profile_at
from tests.consumers.environments import environment_with

FILES = {
    "dbt_project.yml": """
name: shop
version: "1.0"
profile: shop
models: {shop: {+materialized: table}}
""",
    "profiles.yml": """
shop: {target: dev, outputs: {dev: {type: duckdb, path: dwh.duckdb}}}
""",
    "seeds/raw_customers.csv": "id,fn,ln,st\n1,Ada,Byron,A\n2,Otto,Weber,B\n",
    "models/stg_customers.sql": """
with source as (select * from {{ ref('raw_customers') }})
select id as customer_id, fn || ' ' || ln as full_name, st from source
""",
    "models/mart.sql": "select st, count(*) as n, max(customer_id) as newest"
    " from {{ ref('stg_customers') }} group by st",
    "models/schema.yml": """
version: 2
models:
  - {name: stg_customers, description: "Customers, {{ doc('cleaned') }}"}
seeds:
  - name: raw_customers
    columns: [{name: id, description: Number of the customer}, {name: st, description: State}]
""",
    "models/docs.md": "{% docs cleaned %}cleaned{% enddocs %}",
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dbt project, built: `dwh.duckdb` and `target/manifest.json`."""
    folder = tmp_path_factory.mktemp("dbt")
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    # From 1.12 on dbt-core fetches a parser from elsewhere than the package index.
    python = environment_with("dbt", "dbt-core>=1.10,<1.12", "dbt-duckdb<1.11", ours=False)
    subprocess.run(
        [python.parent / "dbt", "build", "--profiles-dir", "."],
        cwd=folder,
        env={**os.environ, "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"},
        check=True,
        capture_output=True,
    )
    return folder


@pytest.mark.slow
def test_descriptions_and_lineage_of_a_real_project(
    project: Path, start_sandbox, tmp_path: Path
) -> None:
    sandbox = start_sandbox()
    context = load_context([str(project / "target/manifest.json")])
    job = Job(profile_at(sandbox.url), wanted=Wanted(alternatives=1), context=context)
    with Journal(tmp_path / "kimi.db") as journal:
        target = Target(f"duckdb:///{project}/dwh.duckdb")
        result = execute(RunSpec(job, target, journal, Settings(config_dir=tmp_path)))
        found = {d.item.name: d for d in journal.stream(results.described, result.run)}
    inherited = {
        name: (d.suggestion.alternatives[0], d.facts["inherited_from"])
        for name, d in found.items()
        if d.status == "inherited" and d.suggestion
    }
    assert inherited == {
        "main.raw_customers.id": ("Number of the customer", "main.raw_customers.id"),
        "main.raw_customers.st": ("State", "main.raw_customers.st"),
        "main.stg_customers": ("Customers, cleaned", "main.stg_customers"),
        "main.stg_customers.customer_id": ("Number of the customer", "main.raw_customers.id"),
        "main.stg_customers.st": ("State", "main.raw_customers.st"),
        "main.mart.st": ("State", "main.raw_customers.st"),
    }
    bodies = [seen.body for seen in sandbox.chats if seen.body]
    questions = [json.loads(body["messages"][-1]["content"]) for body in bodies]
    columns = {
        f"{table['name']}.{column['name']}": column
        for question in questions
        for table in question["tables"]
        for column in table["columns"]
    }
    assert set(columns) == {n for n, d in found.items() if d.item.column} - set(inherited)
    assert columns["main.mart.newest"]["from"] == [
        "main.stg_customers.customer_id: Number of the customer"
    ] or columns["main.mart.newest"]["from"] == ["main.raw_customers.id: Number of the customer"]
    assert result.totals.described == result.totals.columns == len(columns) + 5
