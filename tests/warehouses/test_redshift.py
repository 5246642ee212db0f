"""Redshift's kind, through Amazon's own driver, against a PostgreSQL that looks like Redshift."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy.engine import make_url

from amx_kimi.config.databases import DatabaseProfile
from amx_kimi.databases.base import Comment, Reading, RefusedError, Selection, TableGoneError
from amx_kimi.databases.opening import cost_of, database_url, open_comments, open_source
from amx_kimi.errors import SourceError
from amx_kimi.types import Item
from tests.command import run
from tests.warehouses.redshift_server import RedshiftServer

pytest.importorskip("redshift_connector", reason="Amazon's driver is not installed")
pytestmark = [  # the driver leaves its socket open if the server refuses
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

AWKWARD = "we\"ird : % ? 'ü😀\\"
QUOTED = '"' + AWKWARD.replace('"', '""') + '"'
SHOP = f"""
CREATE SCHEMA sales; CREATE SCHEMA lake;
CREATE TABLE sales.places (id int PRIMARY KEY, name varchar(50));
CREATE TABLE sales.orders (id bigint, line int, place int REFERENCES sales.places (id),
  mail varchar(200), "select" boolean, {QUOTED} varchar(9), PRIMARY KEY (id, line));
CREATE TABLE sales.mv_tbl__daily__0 (a int);
CREATE TABLE sales."Orders" (a int);
CREATE VIEW sales.latest AS SELECT id, mail FROM sales.orders;
CREATE VIEW sales.late AS SELECT;
COMMENT ON COLUMN sales.orders.id IS 'by people';
INSERT INTO sales.places VALUES (1, 'Ulm');
INSERT INTO sales.orders SELECT n, 1, 1, CASE WHEN n < 60 THEN 'ann@example.org' END, true, 'v'
FROM generate_series(1, 100) n;
INSERT INTO late_columns VALUES ('sales', 'late', 'total', 'numeric(38,2)', 1);
INSERT INTO svv_external_tables VALUES ('db', 'lake', 'hits', 'TABLE', 's3://bucket/hits');
INSERT INTO svv_external_columns VALUES
  ('db', 'lake', 'hits', 'day', 'date', 1, 1, 'true'),
  ('db', 'lake', 'hits', 'path', 'varchar(100)', 2, 0, 'true');
INSERT INTO svv_table_info VALUES ('db', 'sales', 1, 'orders', 'Y', 'KEY(id)', 'line', 12345);
INSERT INTO svv_redshift_columns (database_name, schema_name, table_name, column_name, distkey,
  sortkey) VALUES (current_database(), 'sales', 'orders', 'id', true, 0),
                  (current_database(), 'sales', 'orders', 'line', false, 1);
ANALYZE;
"""


@pytest.fixture
def shop(fresh_postgres: str) -> Iterator[RedshiftServer]:
    server = RedshiftServer(fresh_postgres)
    server.execute(SHOP)
    yield server
    server.close()


def inventory(url: str, schemas: tuple[str, ...] = ("sales", "lake")) -> dict[str, Item]:
    source = open_source(url)
    try:
        return {item.name: item for item in source.items(Selection(schemas))}
    finally:
        source.close()


def test_described_reviewed_written_checked_and_undone(
    shop: RedshiftServer, profile: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    before = shop.comments()
    run("run", shop.url(), "--schema", "sales", "--schema", "lake", "--yes")
    sent = str([seen.body for seen in profile.chats])
    assert "example.org" not in sent
    assert "foreign (place)" in sent or "sales.places.id" in sent
    run("review", "last", "--accept", "low")
    run("apply", "last", "--yes", code=1)
    told = capsys.readouterr().err
    assert "no comments for columns of late-binding views" in told
    assert "no comments for external tables" in told
    comments = shop.comments()
    assert comments["orders.id"] == "by people"
    assert {f"orders.{AWKWARD}", "latest", "latest.mail", "late", "Orders.a"} < set(comments)
    run("check", shop.url(), "--schema", "sales", "--min-coverage", "90")
    run("apply", "last", "--undo", "--yes")
    assert shop.comments() == before
    profile.reset()
    shop.execute("ALTER TABLE sales.places ADD COLUMN fresh int")
    run("run", shop.url(), "--schema", "sales", "--only-changed", "--yes")
    assert len(profile.chats) == 1


def test_from_an_amx_profile(
    shop: RedshiftServer, profile: Any, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AMX's fields have no option for a server without TLS, so the driver is told to need none."""
    del profile
    url = make_url(shop.url())
    config = yaml.safe_load((home / "config.yml").read_text())
    entry = {"backend": "redshift", "host": url.host, "port": url.port, "user": url.username}
    config["db_profiles"] = {"dwh": {**entry, "password": "secret", "database": url.database}}
    (home / "config.yml").write_text(yaml.safe_dump(config))
    monkeypatch.setattr("redshift_connector.connect", _without_tls())
    run("run", "--db-profile", "dwh", "--schema", "sales", "--yes")
    run("apply", "last", "--unreviewed", "--yes", code=1)
    assert shop.comments()["places"]


def _without_tls() -> Callable[..., Any]:
    import redshift_connector

    whole = redshift_connector.connect
    return lambda **options: whole(**{**options, "ssl": False, "sslmode": "disable"})


def test_the_inventory_tells_keys_views_and_spectrum(shop: RedshiftServer) -> None:
    items = inventory(shop.url())
    assert [name for name, item in items.items() if not item.column] == [
        *("sales.Orders", "sales.latest", "sales.orders", "sales.places"),
        *("sales.late", "lake.hits"),
    ]
    assert items["sales.orders"].rows == 12345
    assert items["sales.places"].rows == 1
    assert items["sales.orders"].details["keys"] == ["primary (id, line)"]
    assert items["sales.orders.id"].details == {"distkey": True}
    assert items["sales.orders.line"].details == {"sortkey": 1}
    assert items["sales.orders.id"].comment == "by people"
    assert (items["sales.orders.place"].key_role, items["sales.orders.place"].fk) == (
        "fk",
        "sales.places.id",
    )
    assert items[f"sales.orders.{AWKWARD}"].type == "character varying(9)"
    assert not items["sales.orders.line"].nullable
    assert items["sales.latest"].kind == "view"
    assert "SELECT" in items["sales.latest"].definition
    assert items["sales.late.total"].type == "numeric(38,2)"
    assert items["lake.hits"].details == {"storage": "foreign table"}
    assert [items[f"lake.hits.{name}"].type for name in ("day", "path")] == ["date", "varchar(100)"]


def test_statistics_are_what_analyze_left(shop: RedshiftServer) -> None:
    items = inventory(shop.url())
    source = open_source(shop.url())
    facts = source.profile(items["sales.places"], ["id", "name"])
    assert facts["id"].distinct == 1
    facts = source.profile(items["sales.orders"], ["id", "mail", AWKWARD])
    assert (facts["id"].least, facts["id"].greatest) == ("1", "100")
    assert facts["mail"].values[0][0] == "ann@example.org"
    assert facts["mail"].nulls == round(12345 * 0.41)
    assert facts[AWKWARD].distinct == 1
    source.close()
    shop.execute("DELETE FROM pg_statistic")
    source = open_source(shop.url(), Reading(data=True))
    facts = source.profile(items["sales.orders"], ["mail", "select", AWKWARD])
    assert facts["select"].values == (("True", 100),)
    assert facts[AWKWARD].values == (("v", 100),)
    assert source.profile(items["lake.hits"], ["path"]) == {}  # Spectrum bills for it
    shop.execute("DROP TABLE sales.orders CASCADE")
    with pytest.raises(TableGoneError):
        source.profile(items["sales.orders"], ["mail"])
    source.close()


def test_reading_cannot_write_and_has_a_name(shop: RedshiftServer) -> None:
    source: Any = open_source(shop.url())
    with pytest.raises(SourceError, match="read-only transaction"):
        source.rows("DELETE FROM sales.places")
    name = "SELECT application_name AS name FROM pg_stat_activity WHERE pid = pg_backend_pid()"
    assert source.rows(name)[0]["name"] == "amx-kimi"
    assert source.rows("SHOW statement_timeout")[0]["statement_timeout"] == "25s"
    source.close()


def test_what_may_not_be_seen_is_a_note(shop: RedshiftServer) -> None:
    shop.execute(
        f"CREATE ROLE reader_{shop.database} LOGIN; "
        f"GRANT USAGE ON SCHEMA sales TO reader_{shop.database}; "
        f"GRANT SELECT ON sales.orders TO reader_{shop.database}"
    )
    url = shop.url(f"reader_{shop.database}")
    source = open_source(url)
    names = {item.name for item in source.items(Selection(("sales",)))}
    assert "sales.orders.id" in names
    assert "Row counts are unknown: permission denied for table svv_table_info" in source.notes
    assert len(source.notes) == 5
    source.close()
    shop.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO public")
    database = open_comments(url)
    with pytest.raises(RefusedError, match="must be owner"):
        database.write("sales", "orders", [Comment("", None, "Orders.")])
    database.close()


@pytest.mark.parametrize(
    "text", ["it's", "a\\b", "100 %", "zwei\nZeilen\t\r", "„Größe“ 😀", "';--", ":x ? \x07\x0b"]
)
def test_texts_arrive_as_they_are(shop: RedshiftServer, text: str) -> None:
    database = open_comments(shop.url())
    wanted = [Comment("", None, text), Comment(AWKWARD, None, text), Comment("id", "other", text)]
    assert database.write("sales", "orders", wanted) == [wanted[2]]
    present = database.read([("sales", "orders")])["sales", "orders"].comments
    assert (present[""], present[AWKWARD], present["id"]) == (text, text, "by people")
    assert database.write("sales", "orders", [Comment("", text, None)]) == []
    assert database.read([("sales", "orders")])["sales", "orders"].comments[""] is None
    database.close()


@pytest.mark.parametrize("tables", [50, 500])
def test_the_number_of_statements_does_not_grow(fresh_postgres: str, tables: int) -> None:
    server = RedshiftServer(fresh_postgres)
    made = "; ".join(f"CREATE TABLE s.t{n} (a int, b text)" for n in range(tables))
    server.execute(f"CREATE SCHEMA s; {made}")
    source: Any = open_source(server.url())
    asked: list[str] = []
    plain = source.rows_or_error
    source.rows_or_error = lambda query, **values: asked.append(query) or plain(query, **values)
    assert len(list(source.items(Selection(("s",))))) == 3 * tables
    assert len(asked) <= 12
    source.close()
    server.close()


def test_without_a_database_those_that_there_are_are_named(shop: RedshiftServer) -> None:
    url = shop.url().replace(f"/{shop.database}?", "?")
    with pytest.raises(SourceError, match=r"names no database[\s\S]*--catalog NAME"):
        open_source(url)
    with pytest.raises(SourceError, match=r"does not exist[\s\S]*Check the name") as caught:
        open_source(shop.url().replace(f"/{shop.database}?", "/nowhere?"))
    assert "secret" not in str(caught.value)


def test_iam_without_a_login_says_how(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    url = "redshift:///dev?iam=true&cluster_identifier=dwh&region=eu-central-1&db_user=ann"
    with pytest.raises(SourceError, match=r"redshift://.*cannot be opened"):
        open_source(url)


def test_only_serverless_is_billed() -> None:
    serverless = "redshift://ann@dwh.123.eu-central-1.redshift-serverless.amazonaws.com/dev"
    assert "workgroup dwh bills for each query" in cost_of(serverless, Reading())
    assert "workgroup wg bills" in cost_of("redshift:///dev?serverless_work_group=wg", Reading())
    assert cost_of("redshift://ann@dwh.abc.redshift.amazonaws.com/dev", Reading()) == ""
    with pytest.raises(SourceError, match="--yes"):
        open_source(serverless)


def test_the_fields_of_an_amx_profile() -> None:
    fields = {"host": "h", "port": "5439", "user": "u", "database": "d", "cluster_identifier": "c"}
    found = database_url(DatabaseProfile("x", "redshift", fields))
    assert found == make_url("redshift://u@h:5439/d?cluster_identifier=c")
