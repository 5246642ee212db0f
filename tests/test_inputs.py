"""Whatever stands in a file that we read: a value or an error of ours, soon, of bounded size."""

from __future__ import annotations

import csv
import io
import json
import resource
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as limits
from hypothesis import strategies as st

from amx_kimi.annotate.batch import Batch
from amx_kimi.annotate.context import load_context
from amx_kimi.annotate.parse import parse
from amx_kimi.config import (
    LearnedStore,
    find_key,
    load_database,
    load_profile,
    profile_names,
    save_profile,
)
from amx_kimi.config.overlay import load_overlay
from amx_kimi.errors import ConfigError, KimiError
from amx_kimi.facts import parse_catalog
from amx_kimi.journal import Journal, results, runs
from amx_kimi.plain_yaml import YAMLTextError, load_yaml
from amx_kimi.publish.choose import Choice
from amx_kimi.publish.dbt import MergeRules, merge_dbt
from amx_kimi.publish.decision_file import read_decisions, write_decisions
from amx_kimi.settings import Settings
from amx_kimi.types import Item, Suggestion
from tests.annotate.helpers import piece_of, table_item
from tests.publish.helpers import journal_with

soon = limits(
    max_examples=60,
    deadline=timedelta(seconds=20),  # many times what it takes, on a busy machine too
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
)
BOMBS = (
    LAUGHS + "llm_profiles: *a11\n",
    LAUGHS + "llm_profiles: {p: {provider: kimi, model: *a11}}\nactive_llm_profile: p\n",
    LAUGHS + "profiles: {p: {tier: *a11}}\nendpoints: *a11\n",
    "llm_profiles: " + "[" * 300,
    "&a {llm_profiles: *a, profiles: *a, db_profiles: *a, active_llm_profile: x}\n",
    "llm_profiles: &b [*b]\nprofiles: *b\n",
    "llm_profiles: {p: {provider: kimi, model: k, max_tokens: 1" + ":59" * 5_000 + "}}\n",
    "llm_profiles: {p: {max_tokens: 1" + ":59" * 300_000 + "}}\n",
    "llm_profiles: {p: {provider: kimi, model: k, max_tokens: 1" + ":59" * 80 + ":59.5}}\n",
    *(
        f"llm_profiles: {{p: {{provider: kimi, model: k, max_tokens: {value}}}}}\n"
        for value in (
            "!!bool maybe",
            "!!timestamp foo",
            "!!int ''",
            "!!float ''",
            "!!null x",
            "!!binary ä",
        )
    ),
    "llm_profiles: {p: {max_tokens: " + "9" * 5_000 + "}}\n",
    "llm_profiles: {[1, 2]: {? {a: b} : c}}\n",
    "llm_profiles: !!python/object/apply:os.system [id]\n",
    "llm_profiles: {p: {temperature: .nan, max_tokens: .inf, when: 2026-02-30}}\n",
    "\0\0\0",
    "%YAML 9.9\n---\n",
    "--- a\n--- b\n",
    "profiles: {p: " + "x" * 2_000_000 + "}\n",
)
KEYS = (
    *("llm_profiles", "active_llm_profile", "profiles", "endpoints", "aliases", "masking", "p"),
    *("provider", "model", "api_key", "api_base", "temperature", "max_tokens", "tier", "effort"),
    *("url", "auth", "api_key_ref", "never", "db_profiles", "backend", "port", "version", "models"),
    *("sources", "tables", "columns", "name", "description", "families", "rows", "id", "rules"),
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.dates().map(str)
    | st.text(max_size=12)
    | st.sampled_from((*KEYS, "kimi", "env:X", "file:/nowhere", "https://x", "http://8.8.8.8"))
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=6), inner, max_size=5)
    ),
    max_leaves=20,
)
TEXTS = (
    st.text(max_size=200)
    | VALUES.map(json.dumps)
    | st.lists(st.sampled_from([*"[]{}:,-&*!|>'\"%@`#?\n\t ", *KEYS, "&a", "*a", "<<: "])).map(
        "".join
    )
)


def bombs(function: Callable[..., None]) -> Callable[..., None]:
    """Each bomb as an example of its own."""
    for text in BOMBS:
        function = example(text=text)(function)
    return function


@bombs
@given(text=TEXTS)
@soon
def test_any_config_yml(text: str, home: Path) -> None:
    settings = _written(home, "config.yml", text)
    for read in (
        lambda: profile_names(settings),
        lambda: load_profile(settings=settings),
        lambda: find_key(load_profile("p", settings), settings),
        lambda: load_database(None, settings),
        lambda: load_database("p", settings),
    ):
        _ours(read)
    with suppress(ConfigError):
        save_profile(home, "q", {"provider": "kimi", "model": "k"})
        assert "q" in profile_names(settings)  # what is accepted can be read again
        return
    assert (home / "config.yml").read_bytes() == text.encode("utf-8", "surrogatepass")


@bombs
@given(text=TEXTS)
@soon
def test_any_kimi_yml(text: str, home: Path) -> None:
    _written(home, "config.yml", "llm_profiles: {p: {provider: kimi, model: kimi-k2.6}}\n")
    settings = _written(home, "kimi.yml", text)
    _ours(lambda: load_overlay(home))
    _ours(lambda: load_profile("p", settings).facts())
    _ours(lambda: find_key(load_profile("p", settings), settings))


@given(text=TEXTS)
@soon
def test_any_learned_file(text: str, home: Path) -> None:
    _written(home, "kimi-learned.json", text)
    store = LearnedStore(home)
    store.quirks("https://x/v1", "kimi-k2.6")
    store.limits("p")


@bombs
@given(text=TEXTS)
@soon
def test_any_facts(text: str) -> None:
    for tables in ((text, "", ""), ("", text, ""), (text, text, text)):
        _ours(lambda tables=tables: parse_catalog(*tables))


@bombs
@given(text=TEXTS)
@soon
def test_any_context_file(text: str, tmp_path: Path) -> None:
    for name in ("a.yml", "a.json", "a.csv", "a.md"):
        path = tmp_path / name
        path.write_text(text, "utf-8", "replace", newline="")
        _ours(lambda path=path: load_context([str(path)]))


@bombs
@given(text=TEXTS)
@soon
def test_any_yaml_is_plain_and_no_more_than_its_text(text: str) -> None:
    with suppress(YAMLTextError):
        assert len(repr(load_yaml(text))) < 40 * len(text) + 100_000


@pytest.mark.parametrize("bracket", ["[", "{a: ", "- "])
def test_yaml_that_is_nested_too_deep(bracket: str) -> None:
    with pytest.raises(YAMLTextError, match="nested too deeply"):
        load_yaml(bracket * 2_000)  # not by hypothesis, which makes room on the stack


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    """One table with one column, described."""
    return journal_with(
        tmp_path / "j.db",
        [(Item("s", "t", "a", "column", 1, "int"), Suggestion(("One.", "Two."), "high"))],
    )


CELLS = st.text(max_size=8) | st.sampled_from(["1", "accept", "2", "reject", "s", "t", "a", "One."])


@given(
    rows=st.lists(st.lists(CELLS, max_size=18), max_size=6),
    raw=st.binary(max_size=300),
    dialect=st.sampled_from(["excel", "excel-tab", "unix"]),
)
@soon
def test_any_decision_file(
    rows: list[list[str]], raw: bytes, dialect: str, journal: Journal, tmp_path: Path
) -> None:
    run = journal.read(runs.find_run, "last")
    heading = io.StringIO()
    write_decisions(heading, journal.stream(results.described, run.id))
    text = io.StringIO(newline="")
    csv.writer(text, dialect).writerows([heading.getvalue().splitlines()[0].split(","), *rows])
    for content in (text.getvalue().encode("utf-8", "replace"), raw):
        path = tmp_path / "d.csv"
        path.write_bytes(content)
        _ours(lambda path=path: list(read_decisions(path, journal, run)))


@bombs
@given(text=TEXTS)
@soon
def test_any_dbt_file(text: str, journal: Journal, tmp_path: Path) -> None:
    run = journal.read(runs.find_run, "last")
    path = tmp_path / "schema.yml"
    path.write_text(text, "utf-8", "replace", newline="")
    rows = list(journal.stream(results.described, run.id))
    rules = MergeRules(run, Choice(unreviewed=True), "sources", overwrite=True)
    _ours(lambda: merge_dbt(path, rows, rules))


@given(content=TEXTS | st.text(alphabet='"{}[]:, \\Th1m\n'), name=st.text(max_size=10))
@soon
def test_any_reply(content: str, name: str) -> None:
    columns = list(dict.fromkeys([name or "a", "cust_id", '1": ["h", "x"], "2']))
    batch = Batch((piece_of(table_item("orders"), columns),))
    found = parse(content, batch, 3)
    assert set(found) <= set(batch.refs)
    for entry in found.values():
        assert 1 <= len(entry.wordings) <= 3
        assert all(text.isprintable() and len(text) <= 4_000 for text in entry.wordings)
        assert content[slice(*entry.span)]


@pytest.mark.parametrize("name", ["config.yml", "kimi.yml", "kimi-learned.json", "the-key"])
@pytest.mark.parametrize("endless", ["/dev/zero", "/dev/urandom"])
def test_an_endless_file_takes_no_endless_memory(home: Path, name: str, endless: str) -> None:
    home.mkdir()
    (home / "config.yml").write_text("llm_profiles: {p: {provider: kimi, model: kimi-k2.6}}\n")
    (home / "kimi.yml").write_text(f"profiles: {{p: {{api_key_ref: 'file:{home}/the-key'}}}}\n")
    (home / name).unlink(missing_ok=True)
    (home / name).symlink_to(endless)
    most = 4 * 1024**3  # of addresses, most of them never used
    done = subprocess.run(
        [sys.executable, "-m", "amx_kimi", "explain"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (most, most)),
    )
    assert done.returncode in (0, 2), done.stderr
    assert "This is a bug" not in done.stderr


def _written(home: Path, name: str, text: str) -> Settings:
    home.mkdir(exist_ok=True)
    for path in home.iterdir():
        if path.name == name or name == "config.yml":
            path.unlink()
    (home / name).write_text(text, "utf-8", "surrogatepass", newline="")
    return Settings(config_dir=home)


def _ours(read: Callable[[], object]) -> None:
    """What is read, or an error of ours that is short enough to be read."""
    try:
        read()
    except KimiError as error:
        said = str(error)
    else:
        said = ""
    assert len(said) < 3_000
