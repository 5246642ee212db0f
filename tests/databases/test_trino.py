"""Trino's kind, through the real driver over real sockets, against `trino_server`."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlglot
import trustme
import yaml
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.engine import make_url

from amx_kimi.config.databases import DatabaseProfile
from amx_kimi.databases.base import Comment, Reading, RefusedError, Selection, TableGoneError
from amx_kimi.databases.dialect import Place, statement
from amx_kimi.databases.opening import database_url, dialect_of, open_comments, open_source
from amx_kimi.errors import SourceError
from amx_kimi.types import Item, Secret
from tests.command import run
from tests.databases import trino_server
from tests.databases.trino_server import TrinoError, TrinoServer

AWKWARD = "we\"ird : % ? 'ü😀"
SHOP = (
    "CREATE SCHEMA shop.sales",
    "CREATE SCHEMA shop.empty",
    """CREATE TABLE shop.sales.orders (
         id bigint NOT NULL, mail varchar, tags varchar[], raw blob, day date,
         "select" integer, "we""ird : % ? 'ü😀" varchar)""",
    'CREATE TABLE shop.sales."order % :lines" (a varchar)',
    "CREATE VIEW shop.sales.latest AS SELECT id, day FROM shop.sales.orders",
    "CREATE TABLE shop.sales.daily (day date, n bigint)",
    "INSERT INTO memory.main.materialized VALUES ('shop', 'sales', 'daily', 'SELECT day, 1 AS n')",
    "INSERT INTO memory.main.comments VALUES ('shop', 'sales', 'orders', 'id', 'by people')",
    """INSERT INTO shop.sales.orders VALUES
         (1, 'ann@example.org', ['x'], 'ab', '2026-01-01', 7, 'v'),
         (2, 'bob@example.org', NULL, NULL, '2026-01-02', 7, 'v')""",
)
NO_COLUMN_COMMENTS = TrinoError(
    "NOT_SUPPORTED", "This connector does not support setting column comments"
)


@pytest.fixture
def cluster() -> Iterator[TrinoServer]:
    with TrinoServer("shop", "lake") as server:
        server.execute(*SHOP)
        yield server


def url_of(cluster: TrinoServer, rest: str = "/shop") -> str:
    return f"trino://reader@127.0.0.1:{cluster.port}{rest}"


def inventory(url: str, selection: Selection | None = None) -> dict[str, Item]:
    source = open_source(url)
    try:
        return {item.name: item for item in source.items(selection or Selection())}
    finally:
        source.close()


def told(url: str) -> str:
    with pytest.raises(SourceError) as caught:
        inventory(url)
    return str(caught.value)


def test_described_reviewed_written_checked_and_undone(
    cluster: TrinoServer, profile: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    url, before = url_of(cluster), cluster.comments()
    run("run", url, "--yes")
    sent = str([seen.body for seen in profile.chats])
    assert "CREATE VIEW" in sent
    assert "example.org" not in sent
    run("show", "last")
    run("review", "last", "--accept", "low")
    run("apply", "last", "--yes")
    assert "not stored by this database (views)" in capsys.readouterr().out
    comments = cluster.comments()
    assert comments["shop.sales.orders.id"] == "by people"
    assert comments[f"shop.sales.orders.{AWKWARD}"]
    assert {"shop.sales.latest", "shop.sales.latest.day", "shop.sales.daily.n"} < set(comments)
    assert "shop.sales.daily" not in comments  # Trino stores none for a materialized view
    run("check", url, "--min-coverage", "90")
    run("apply", "last", "--undo", "--yes")
    assert cluster.comments() == before
    profile.reset()
    cluster.execute("ALTER TABLE shop.sales.orders ADD COLUMN fresh integer")
    run("run", url, "--only-changed", "--yes")
    assert sum("fresh" in str(seen.body) for seen in profile.chats) == 1
    assert len(profile.chats) == 1


def test_from_an_amx_profile_with_a_password_over_tls(
    profile: Any, home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    del profile
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with TrinoServer("shop", tls=context) as cluster:
        cluster.execute(*SHOP, "CREATE TABLE shop.empty.other (x varchar)")
        cluster.passwords = {"ann": "s3cret:pw/+%"}
        entry = {
            "backend": "trino",
            "host": "127.0.0.1",
            "port": cluster.port,
            "user": "ann",
            "password": "s3cret:pw/+%",
            "catalog": "shop",
            "database": "sales",
            "http_scheme": "https",
            "verify": True,
            "tls_trusted_ca_file": str(tmp_path / "ca.pem"),
        }
        write_profile(home, entry)
        run("run", "--db-profile", "lake", "--yes")
        run("apply", "last", "--unreviewed", "--yes")
        assert cluster.comments()["shop.sales.orders"]
        assert "shop.empty.other" not in cluster.comments()  # the profile names a schema
        capsys.readouterr()
        write_profile(home, {**entry, "password": "wrong-secret"})
        run("run", "--db-profile", "lake", "--yes", code=2)
        shown = capsys.readouterr().err
        assert "the login was refused (401)" in shown
        assert "wrong-secret" not in shown
        write_profile(home, {**entry, "tls_trusted_ca_file": ""})
        run("run", "--db-profile", "lake", "--yes", code=2)
        assert "?tls_trusted_ca_file=FILE" in capsys.readouterr().err
        write_profile(home, {**entry, "tls_trusted_ca_file": "", "verify": False})
        run("run", "--db-profile", "lake", "--yes")
        assert "Warning" not in capsys.readouterr().err


def write_profile(home: Path, entry: dict[str, Any]) -> None:
    config = yaml.safe_load((home / "config.yml").read_text())
    config["db_profiles"] = {"lake": entry}
    (home / "config.yml").write_text(yaml.safe_dump(config))


def test_the_inventory_tells_what_the_catalog_knows(cluster: TrinoServer) -> None:
    items = inventory(url_of(cluster))
    assert [name for name, item in items.items() if not item.column] == [
        "sales.daily",
        "sales.latest",
        "sales.order % :lines",
        "sales.orders",
    ]
    assert items["sales.daily"].kind == "view"
    assert items["sales.daily"].details == {"storage": "materialized view"}
    assert items["sales.daily"].definition == "SELECT day, 1 AS n"
    assert "SELECT id" in items["sales.latest"].definition
    assert items["sales.orders.id"].comment == "by people"
    assert not items["sales.orders.id"].nullable
    assert items["sales.orders.tags"].type == "array(varchar)"
    assert f"sales.orders.{AWKWARD}" in items
    assert inventory(url_of(cluster, "/SHOP/Empty")) == {}
    assert set(inventory(url_of(cluster), Selection(tables=("daily",)))) == {
        "sales.daily",
        "sales.daily.day",
        "sales.daily.n",
    }


def test_each_request_says_who_asks_and_how_long_it_may_take(cluster: TrinoServer) -> None:
    inventory(url_of(cluster))
    last = cluster.headers[-1]
    assert last["X-Trino-Source"] == last["X-Trino-Client-Tags"] == "amx-kimi"
    assert last["X-Trino-Session"] == "query_max_run_time=30s"
    assert last["X-Trino-User"] == "reader"
    cluster.headers.clear()
    own = '{"query_max_run_time": "10m"}'
    inventory(url_of(cluster, f"/shop?session_properties={own}&source=nightly"))
    assert cluster.headers[-1]["X-Trino-Session"] == "query_max_run_time=10m"
    assert cluster.headers[-1]["X-Trino-Source"] == "nightly"


def test_a_cluster_that_forbids_session_properties_is_read(cluster: TrinoServer) -> None:
    cluster.refused["SET SESSION"] = TrinoError("PERMISSION_DENIED", "Access Denied: Cannot set")
    assert "sales.orders" in inventory(url_of(cluster))


@pytest.mark.parametrize("tables", [50, 500])
def test_the_number_of_statements_does_not_grow(tables: int) -> None:
    with TrinoServer("shop") as cluster:
        cluster.execute("CREATE SCHEMA shop.s")
        cluster.execute(*(f"CREATE TABLE shop.s.t{n} (a integer, b text)" for n in range(tables)))
        assert len(inventory(url_of(cluster))) == 3 * tables
        assert len(cluster.statements) <= 9


def test_before_trino_418_statements_are_prepared(cluster: TrinoServer) -> None:
    cluster.knows_immediate = False
    assert f"sales.orders.{AWKWARD}" in inventory(url_of(cluster))
    assert any(one.startswith("PREPARE") for one in cluster.statements)


def test_statistics_come_from_the_connector_and_rows_only_when_allowed(
    cluster: TrinoServer,
) -> None:
    table = inventory(url_of(cluster))["sales.orders"]
    # The shapes of Trino's documentation, "SHOW STATS".
    cluster.statistics["shop", "sales", "orders"] = [
        ("id", None, 1200.0, 0.0, None, "1", "1200"),
        ("mail", 9000.0, 310.0, 0.25, None, None, None),
        ("day", None, None, None, None, None, None),
        (None, None, None, None, 1200.0, None, None),
    ]
    cluster.statements.clear()
    source = open_source(url_of(cluster))
    facts = source.profile(table, ["id", "mail", "day"])
    assert (facts["id"].distinct, facts["id"].least, facts["id"].greatest) == (1200, "1", "1200")
    assert (facts["mail"].nulls, facts["mail"].distinct) == (300, 310)
    assert facts["day"].distinct is None
    assert not any(" FROM " in one for one in cluster.statements)
    source.close()
    source = open_source(url_of(cluster), Reading(data=True))
    columns = ["mail", "tags", "raw", "day", AWKWARD]
    facts = source.profile(table, columns)
    assert facts["tags"].values == (('["x"]', 1),)
    assert facts["day"].least == "2026-01-01"
    assert facts[AWKWARD].values == (("v", 2),)
    assert cluster.statements[-1].endswith("LIMIT 1001")
    source.close()
    source = open_source(url_of(cluster), Reading(data=True, most_rows=1_000))
    assert "values" not in source.profile(table, ["day"])
    assert "SHOW STATS" in cluster.statements[-1]
    source.close()


def test_a_table_that_is_lost_and_one_that_is_refused(cluster: TrinoServer) -> None:
    items = inventory(url_of(cluster))
    source = open_source(url_of(cluster))
    cluster.refused['FOR "sales"."order % '] = TrinoError("PERMISSION_DENIED", "Access Denied: x")
    assert source.profile(items["sales.order % :lines"], ["a"]) == {}
    assert source.notes == [
        "sales.order % :lines was described without statistics: Access Denied: x"
    ]
    cluster.execute("DROP VIEW shop.sales.latest", "DROP TABLE shop.sales.orders")
    with pytest.raises(TableGoneError):
        source.profile(items["sales.orders"], ["id"])
    source.close()


def test_what_may_not_be_seen_is_a_note(cluster: TrinoServer) -> None:
    denied = TrinoError("PERMISSION_DENIED", "Access Denied: Cannot access catalog system")
    cluster.refused[r"system\.metadata"] = denied
    cluster.refused[r"information_schema\.views"] = TrinoError("HIVE_METASTORE_ERROR", "broken")
    source = open_source(url_of(cluster))
    items = {item.name: item for item in source.items(Selection())}
    assert items["sales.orders.id"].comment == "by people"
    assert source.notes == [
        "Comments of tables are unknown: Access Denied: Cannot access catalog system",
        "Definitions of views are unknown: broken",
        "Materialized views are unknown: Access Denied: Cannot access catalog system",
    ]
    source.close()
    # Who cannot see a table's comment must not write another over it.
    database = open_comments(url_of(cluster))
    with pytest.raises(SourceError, match="Access Denied"):
        database.read([("sales", "orders")])
    database.close()


def test_a_schema_that_fails_is_left_out(cluster: TrinoServer) -> None:
    cluster.execute("CREATE SCHEMA shop.broken", "CREATE TABLE shop.broken.x (a integer)")
    slow = TrinoError("EXCEEDED_TIME_LIMIT", "Query exceeded the maximum run time limit of 30.00s")
    cluster.refused["information_schema.columns.*'broken'"] = slow
    source = open_source(url_of(cluster))
    names = {item.name for item in source.items(Selection())}
    assert {"sales.orders.id", "broken.x"} < names
    assert "broken.x.a" not in names
    assert "The schema broken was left out" in source.notes[0]
    source.close()
    with pytest.raises(SourceError, match=r"maximum run time[\s\S]*--schema"):
        inventory(url_of(cluster, "/shop/broken"))


@pytest.mark.parametrize(
    ("rest", "words"),
    [
        ("", "names no catalog"),
        ("/nowhere", "There is no catalog 'nowhere'"),
        ("/shop/nowhere", "has no schema 'nowhere'"),
    ],
)
def test_without_a_catalog_those_that_there_are_are_named(
    cluster: TrinoServer, rest: str, words: str
) -> None:
    message = told(url_of(cluster, rest))
    assert words in message
    assert ("sales" if "schema" in words else "You may see: lake, shop.") in message


def test_catalog_names_another_catalog(cluster: TrinoServer, profile: Any) -> None:
    del profile
    cluster.execute("CREATE SCHEMA lake.raw", "CREATE TABLE lake.raw.hits (a integer)")
    run("run", url_of(cluster, ""), "--catalog", "lake", "--yes")
    run("apply", "last", "--unreviewed", "--yes")
    assert cluster.comments()["lake.raw.hits.a"]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((403, "no"), "forbidden for this user (403)\nCheck the network policy"),
        ((404, "no"), "no Trino at this address (404)"),
        ((200, "<html>Sign in</html>"), "is no Trino\nCheck host, port and http_scheme"),
        ((418, "x" * 5_000), "error 418"),
    ],
)
def test_what_answers_may_be_no_trino(
    cluster: TrinoServer, answer: tuple[int, str], words: str
) -> None:
    cluster.answer = answer
    message = told(url_of(cluster))
    assert words in message
    assert len(message) < 500


def test_a_token_is_sent_over_https_only_and_shown_nowhere(cluster: TrinoServer) -> None:
    secret = "eyJhbGciOi.J9.c2VjcmV0"
    url = url_of(cluster, f"/shop?access_token={secret}&http_scheme=http")
    message = told(url)
    assert "over https only" in message
    assert "?http_scheme=https" in message
    assert secret not in message
    assert cluster.statements == []
    assert "?http_scheme=http" in told(url.replace("&http_scheme=http", ""))  # no TLS there
    cluster.tokens = {secret}
    source = open_source(url + "&allow_insecure_auth=true")
    assert secret not in source.reopen + source.identity
    source.close()


def test_the_fields_of_an_amx_profile() -> None:
    fields = {
        "host": "https://trino.example.org/ui",
        "port": "5432",
        "user": "ann",
        "catalog": "hive",
        "http_scheme": "https",
        "verify": "false",
    }
    secrets = {"jwt_token": Secret("e.y.J")}
    assert database_url(DatabaseProfile("x", "trino", fields, secrets)) == make_url(
        "trino://ann@trino.example.org/hive?access_token=e.y.J&http_scheme=https&verify=false"
    )


def test_comments_that_a_connector_refuses_are_listed(cluster: TrinoServer) -> None:
    cluster.refused["COMMENT ON COLUMN .*mail"] = NO_COLUMN_COMMENTS
    database = open_comments(url_of(cluster))
    wanted = [
        Comment("", None, "Orders."),
        Comment("mail", None, "Mail."),
        Comment("id", "other", "Key."),
        Comment(AWKWARD, None, "it's\n100 % :x ? 😀"),
    ]
    with pytest.raises(RefusedError, match=r"does not support .* \(mail\)") as caught:
        database.write("sales", "orders", wanted)
    assert set(caught.value.columns) == {"mail", "id"}
    present = database.read([("sales", "orders")])["sales", "orders"].comments
    assert present[""] == "Orders."
    assert present["mail"] is None
    assert present["id"] == "by people"
    assert present[AWKWARD] == "it's\n100 % :x ? 😀"
    assert database.write("sales", "orders", [Comment("", "Orders.", None)]) == []
    assert "shop.sales.orders" not in cluster.comments()
    assert database.read([("sales", "gone")]) == {}
    database.close()


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20)


@given(NAMES, NAMES, NAMES, NAMES | st.none())
def test_a_statement_says_what_was_meant(
    schema: str, table: str, column: str, text: str | None
) -> None:
    """Trino reads back the same names and the same text."""
    made = statement(dialect_of("trino"), Place(schema, table, column), text).removesuffix(";")
    found = trino_server._COMMENT.fullmatch(made)
    assert found
    assert found[1] == "COLUMN"
    assert trino_server._names(found[2]) == [schema, table, column]
    assert (None if found[3] == "NULL" else trino_server._text(found[3])) == text
    if text:
        sqlglot.parse_one(made, read="trino")


def test_a_file_of_statements(
    cluster: TrinoServer, profile: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del profile
    monkeypatch.chdir(tmp_path)
    run("run", url_of(cluster), "--yes")
    run("apply", "last", "--unreviewed", "--sql", "c.sql", "--dialect", "trino")
    text = (tmp_path / "c.sql").read_text()
    assert 'COMMENT ON VIEW "sales"."latest" IS ' in text
    assert 'COMMENT ON COLUMN "sales"."daily"."n" IS ' in text
    assert all(isinstance(one, sqlglot.exp.Comment) for one in sqlglot.parse(text, read="trino"))
