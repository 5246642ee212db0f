"""`kimi-learned.json`: remembered for 30 days, and disposable."""

import json
import stat
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as limits
from hypothesis import strategies as st

from amx_kimi.config import LearnedStore, learned_path
from amx_kimi.errors import ConfigFileError
from amx_kimi.facts import Quirk

TODAY = date(2026, 11, 21)
URL, MODEL = "https://api.moonshot.ai/v1", "kimi-k2.6"


def store(folder: Path, days: int = 0) -> LearnedStore:
    return LearnedStore(folder, TODAY + timedelta(days=days))


def test_what_was_learnt_is_remembered_with_its_day(home: Path) -> None:
    quirks = (Quirk("logprobs", "drop"), Quirk("temperature", "set", 1.0))
    store(home).learn(URL, MODEL, quirks)
    assert store(home).quirks(URL, MODEL) == (
        Quirk("logprobs", "drop", None, TODAY),
        Quirk("temperature", "set", 1.0, TODAY),
    )
    assert store(home).quirks(URL, "kimi-k3") == ()
    assert store(home).quirks("https://api.moonshot.cn/v1", MODEL) == ()
    assert stat.S_IMODE(learned_path(home).stat().st_mode) == 0o600


@pytest.mark.parametrize(("days", "known"), [(0, True), (30, True), (31, False), (400, False)])
def test_it_is_forgotten_after_30_days(home: Path, days: int, known: bool) -> None:
    store(home).learn(URL, MODEL, (Quirk("logprobs", "drop"),))
    assert bool(store(home, days).quirks(URL, MODEL)) == known


def test_learning_again_renews_and_keeps_the_rest(home: Path) -> None:
    store(home).learn(URL, MODEL, (Quirk("logprobs", "drop"), Quirk("top_p", "drop")))
    store(home).learn(URL, "kimi-k3", (Quirk("logprobs", "drop"),))
    store(home, 20).learn(URL, MODEL, (Quirk("logprobs", "set", False),))
    assert store(home, 40).quirks(URL, MODEL) == (
        Quirk("logprobs", "set", False, TODAY + timedelta(days=20)),
    )
    assert len(store(home, 20).quirks(URL, MODEL)) == 2
    assert len(store(home).quirks(URL, "kimi-k3")) == 1


def test_today_is_the_default(home: Path) -> None:
    LearnedStore(home).learn(URL, MODEL, (Quirk("logprobs", "drop"),))
    [quirk] = LearnedStore(home).quirks(URL, MODEL)
    assert quirk.learned_on is not None
    assert abs(quirk.learned_on - date.today()) <= timedelta(days=1)


def test_nothing_is_known_without_a_file(home: Path) -> None:
    assert store(home).quirks(URL, MODEL) == ()
    assert not home.exists()


ROW = {"action": "drop", "value": None, "learned_on": "2026-11-20"}

BAD_ROWS: list[Any] = [
    None,
    "drop",
    [],
    {},
    {**ROW, "action": "explode"},
    {**ROW, "action": ["drop"]},
    {**ROW, "learned_on": "yesterday"},
    {**ROW, "learned_on": None},
    {"action": "drop"},
]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"text"',
        b"\xff\xfe",
        b"[" * 100_000,
        json.dumps({URL: []}).encode(),
        json.dumps({URL: {MODEL: "x"}}).encode(),
        *(json.dumps({URL: {MODEL: {"p": row}}}).encode() for row in BAD_ROWS),
        json.dumps({URL: {MODEL: {"context": {**ROW, "action": "set", "value": -5}}}}).encode(),
        json.dumps({URL: {MODEL: {"max_output": {**ROW, "action": "set", "value": "x"}}}}).encode(),
    ],
)
def test_what_has_not_its_shape_counts_as_unknown(home: Path, content: bytes) -> None:
    home.mkdir()
    learned_path(home).write_bytes(content)
    assert store(home).quirks(URL, MODEL) == ()
    store(home).learn(URL, MODEL, (Quirk("logprobs", "drop"),))
    assert Quirk("logprobs", "drop", None, TODAY) in store(home).quirks(URL, MODEL)


def test_one_bad_row_does_not_spoil_the_others(home: Path) -> None:
    home.mkdir()
    document = {URL: {MODEL: {"bad": 1, "good": ROW}, "kimi-k3": 7}, "other": None}
    learned_path(home).write_text(json.dumps(document))
    assert [quirk.parameter for quirk in store(home).quirks(URL, MODEL)] == ["good"]


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from([URL, MODEL, "action", "value", "learned_on", "context", "drop"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=12,
)


@given(document=JSON)
@limits(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_json_is_read_without_a_fall(home: Path, document: Any) -> None:
    home.mkdir(exist_ok=True)
    learned_path(home).write_text(json.dumps(document))
    for quirk in store(home).quirks(URL, MODEL):
        assert quirk.action in ("drop", "set")


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigFileError):
        store(tmp_path / "file").learn(URL, MODEL, (Quirk("logprobs", "drop"),))
