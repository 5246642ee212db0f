"""Editing a file that people write by hand: what is not meant stays as it stands."""

import string
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given
from hypothesis import settings as limits
from hypothesis import strategies as st

from amx_kimi.config.edit import edit_yaml, put_entry, rename_entry
from amx_kimi.errors import ConfigFileError

TEXT = """\
# ours
llm_profiles:
  # for the nights
  night:
    provider: kimi   # cheap
    model: kimi-k2.6

  # for the days
  day: {provider: kimi, model: kimi-k3}
  # the last one
  2026:
    model: x  # end
# the database
db_profiles: {}
"""


def cut(path: Path, name: str) -> str:
    edit_yaml(path, lambda _: None, cut=("llm_profiles", name))
    return path.read_text("utf-8")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "config.yml"
    path.write_text(TEXT)
    return path


def test_a_removed_entry_leaves_its_neighbours_comments(path: Path) -> None:
    assert cut(path, "night") == TEXT.replace(
        "  night:\n    provider: kimi   # cheap\n    model: kimi-k2.6\n", ""
    )


def test_the_last_entry(path: Path) -> None:
    assert cut(path, "2026") == TEXT.replace("  2026:\n    model: x  # end\n", "")


def test_an_entry_on_one_line(path: Path) -> None:
    assert cut(path, "day") == TEXT.replace("  day: {provider: kimi, model: kimi-k3}\n", "")


def test_an_entry_that_is_not_there(path: Path) -> None:
    assert cut(path, "noon") == TEXT


@pytest.mark.parametrize(
    "text", ["llm_profiles: {a: {b: 1}, c: {d: 2}}\n", "llm_profiles:\n  a:\n    b: 1\n"]
)
def test_flow_style_and_only_entries(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.yml"
    path.write_text(text)
    assert "a" not in yaml.safe_load(cut(path, "a"))["llm_profiles"]


def test_a_renamed_entry_keeps_its_place_and_comments(path: Path) -> None:
    edit_yaml(path, lambda document: rename_entry(document, "llm_profiles", "night", "off"))
    assert path.read_text("utf-8") == TEXT.replace("  night:\n", '  "off":\n')
    edit_yaml(path, lambda document: rename_entry(document, "llm_profiles", "2026", "last"))
    assert "  last:\n    model: x  # end\n" in path.read_text("utf-8")


def test_none_takes_a_field_away(path: Path) -> None:
    change = {"model": None, "gone": None, "api_base": "https://h/v1"}
    edit_yaml(path, lambda document: put_entry(document, "llm_profiles", "night", change))
    entry = yaml.safe_load(path.read_text("utf-8"))["llm_profiles"]["night"]
    assert entry == {"provider": "kimi", "api_base": "https://h/v1"}


@pytest.mark.parametrize("text", ["a: [", "- a\n", "a: 1\na: 2\n", "{" * 20, "-_: 1\n"])
def test_a_broken_file_is_unchanged(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.yml"
    path.write_text(text)
    with pytest.raises(ConfigFileError, match="unchanged"):
        cut(path, "a")
    assert path.read_text() == text


names = st.text("abc0 'é#:", min_size=1, max_size=6)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(string.printable[:95], max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=6,
)


@limits(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.dictionaries(names, values, min_size=1, max_size=4), st.booleans(), st.data())
def test_a_removal_changes_nothing_else(
    tmp_path: Path, entries: dict[str, object], flow: bool, data: st.DataObject
) -> None:
    path = tmp_path / "config.yml"
    document = {"llm_profiles": entries, "after": {"kept": [1, "#"]}}
    path.write_text(yaml.safe_dump(document, default_flow_style=flow, allow_unicode=True), "utf-8")
    name = data.draw(st.sampled_from(sorted(entries)))
    left = yaml.safe_load(cut(path, name))
    assert left["after"] == document["after"]
    assert left["llm_profiles"] == {k: v for k, v in entries.items() if k != name}
