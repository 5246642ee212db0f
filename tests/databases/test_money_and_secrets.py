"""For every kind of database: nothing is billed unasked, no secret of a URL is kept or shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.engine import make_url

from amx_kimi.cli.common import pasted
from amx_kimi.config import DatabaseProfile
from amx_kimi.databases.base import Reading
from amx_kimi.databases.opening import cost_of, database_url, open_comments, open_source
from amx_kimi.databases.registry import KINDS
from amx_kimi.databases.server.connect import without_secrets
from amx_kimi.errors import SourceError
from amx_kimi.types import Secret
from tests.command import run
from tests.terminal import Screen

BILLED = [
    "snowflake://u:p@acc/DB?warehouse=WH",
    "databricks://token:t@h?http_path=/sql/1.0/warehouses/abc&catalog=main",
    "redshift://u:p@wg.1.eu-central-1.redshift-serverless.amazonaws.com/db",
    "redshift://u:p@WG.1.eu-central-1.Redshift-Serverless.Amazonaws.com/db",
    "redshift://u:p@/db?iam=true&serverless_work_group=wg",
]
FREE = [
    "redshift://u:p@c.eu-central-1.redshift.amazonaws.com/db",
    "bigquery://project/dataset",
    "postgresql://u@h/db",
]
SECRETS = [
    *("password", "Passwd", "PWD", "pwd", "passcode", "private_key_passphrase", "access_token"),
    *("token", "Token", "AccessToken", "jwt_token", "client_secret", "oauth_client_secret"),
    *("secret_access_key", "aws_session_token", "api_key", "apikey", "private_key", "EXAPWD"),
    *("private_key_file_pwd", "wallet_password", "newpassword", "http_proxy", "odbc_connect"),
    *("logdata", "http_headers", "extra_credential", "credentials_base64", "ch_password"),
]
KEPT = ["private_key_file", "token_file_path", "credentials_path", "sslrootcert", "warehouse"]


@pytest.mark.parametrize("url", BILLED)
def test_what_is_billed_is_named_and_refused_unasked(url: str) -> None:
    told = cost_of(url, Reading())
    assert told
    with pytest.raises(SourceError) as caught:
        open_source(url)
    assert caught.value.message == told
    assert "--yes" in caught.value.remedy


@pytest.mark.parametrize("url", [url for url in BILLED if not url.startswith("snowflake")])
def test_where_comments_are_billed_they_are_not_opened_unasked(url: str) -> None:
    with pytest.raises(SourceError) as caught:
        open_comments(url)
    assert caught.value.message == cost_of(url, Reading(), comments=True)


@pytest.mark.parametrize("url", FREE)
def test_what_is_free_asks_nothing(url: str) -> None:
    assert cost_of(url, Reading(data=True)) == ""


@pytest.mark.parametrize("command", ["check", "payload", "run"])
@pytest.mark.usefixtures("profile")
def test_without_a_terminal_the_bill_is_an_error(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run(command, BILLED[0], "--no-input", code=2)
    assert "Snowflake starts the warehouse" in capsys.readouterr().err


@pytest.mark.usefixtures("profile")
def test_a_no_reads_nothing() -> None:
    screen = Screen("check", BILLED[0])
    screen.answer("Continue?", "n")
    screen.wait("Nothing was read.")
    assert screen.end() == 2


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("scheme", ["snowflake", "trino", "mssql+pyodbc", "otherdb"])
def test_no_secret_of_a_url_is_kept_or_suggested(scheme: str, name: str) -> None:
    url = f"{scheme}://ann:s3cr3tpw@h/db?{name}=s3cr3topt&x=1"
    for shown in (without_secrets(make_url(url)).render_as_string(), pasted(url)):
        assert "s3cr3t" not in shown
        assert "ann@h/db?x=1" in shown


@given(st.sampled_from(KEPT), st.text("abc/._-", min_size=1))
def test_paths_and_the_like_are_kept(name: str, value: str) -> None:
    url = make_url("snowflake://ann@h/db").update_query_dict({name: value})
    assert without_secrets(url).query[name] == value


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.amx], ids=lambda kind: kind.name)
def test_a_profile_as_amx_writes_it_opens_what_its_fields_say(kind: Any) -> None:
    """AMX writes every field of every backend, with its defaults, into a profile."""
    defaults = {
        **{"host": "localhost", "port": "5432", "tls_no_verify": "false", "http_scheme": "https"},
        **{"encrypt": "true", "trust_server_certificate": "false", "secure": "false"},
        **{"read_only": "false", "verify": "true", "insecure_mode": "false"},
        **{"ocsp_fail_open": "false", "ssl_disabled": "false", "backend": kind.amx},
    }
    chosen = {"database": "shop", "account": "acc", "project": "proj", "catalog": "cat"}
    secrets = {name: Secret(f"s3cr3t-{name}") for name in ("password", "access_token", "jwt_token")}
    url = database_url(DatabaseProfile("p", kind.amx, {**defaults, **chosen}, secrets))
    assert url.get_backend_name() == kind.schemes[0]
    assert "s3cr3t" not in without_secrets(url).render_as_string()
    assert "s3cr3t" not in repr(DatabaseProfile("p", kind.amx, defaults, secrets))
    if kind.name not in ("postgresql", "duckdb", "sqlite"):
        assert url.port is None
    assert not {"insecure_mode", "ocsp_fail_open", "ssl_disabled", "tls_no_verify"} & set(url.query)


@pytest.mark.parametrize(
    ("host", "meant"),
    [
        ("https://dbc-x.cloud.databricks.com/", "dbc-x.cloud.databricks.com"),
        ("dbc-x.cloud.databricks.com/", "dbc-x.cloud.databricks.com"),
        ("/var/run/postgresql", "/var/run/postgresql"),
        ("h", "h"),
    ],
)
def test_a_host_as_it_was_pasted(host: str, meant: str) -> None:
    backend = "postgresql" if host.startswith("/") else "databricks"
    assert database_url(DatabaseProfile("p", backend, {"host": host})).host == meant


def test_a_schema_without_a_catalog_is_no_catalog() -> None:
    fields = {"host": "h", "database": "sales"}
    assert database_url(DatabaseProfile("p", "trino", fields)).database is None
    full = database_url(DatabaseProfile("p", "trino", {**fields, "catalog": "hive"}))
    assert full.database == "hive/sales"


@pytest.mark.parametrize(
    "kind", [kind for kind in KINDS if kind.drivers], ids=lambda kind: kind.name
)
def test_a_driver_that_is_missing_has_its_pip_line(
    kind: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("amx_kimi.databases.drivers._is_installed", hidden(kind))
    if kind.file or kind.name in ("files", "bigquery"):
        pytest.skip("its module imports the driver by itself")
    url = f"{kind.schemes[0]}://u:p@h/db?http_path=/sql/1.0/warehouses/a&catalog=c&encrypt=no"
    with pytest.raises(SourceError) as caught:
        open_source(url, Reading(agreed=True))
    assert kind.install in caught.value.remedy


def hidden(kind: Any) -> Callable[[str], bool]:
    return lambda module: module not in (*kind.drivers, *kind.needs)
