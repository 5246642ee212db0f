"""Writing `config.yml` and `kimi.yml`: what stood there stays, and AMX reads what we write."""

import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from filelock import FileLock
from hypothesis import HealthCheck, example, given
from hypothesis import settings as limits
from hypothesis import strategies as st

from amx_kimi.config import (
    LearnedStore,
    active_profile,
    config_path,
    journal_path,
    learned_path,
    load_profile,
    overlay_path,
    profile_names,
    save_profile,
    use_profile,
)
from amx_kimi.config import files as config_files
from amx_kimi.config.files import rewrite
from amx_kimi.config.overlay import load_overlay
from amx_kimi.errors import ConfigFileError, UnknownProfileError
from amx_kimi.settings import Settings

from . import kills, writers

Write = Callable[[str, str], Path]

KIMI = {"provider": "kimi", "model": "kimi-k2.6"}

COMMENTED = """\
# my catalog
schema_version: 3
write_through_config: no  # YAML 1.1 reads a boolean here
db_profiles:
  erp: {backend: postgresql, port: 5432}  # the old one
llm_profiles:
  # for the nights
  bulk:
    provider: kimi
    model: kimi-k2.6  # cheap
    force_logprobs: off
    future_key: [1, 2]
  'quoted': {provider: openai, model: "gpt"}
active_llm_profile: bulk
zz_unknown: 1:30
"""


def read(folder: Path, name: str = "config.yml") -> dict[str, Any]:
    """The file as AMX reads it."""
    document: dict[str, Any] = yaml.safe_load((folder / name).read_text("utf-8"))
    return document


def test_the_first_profile_of_a_fresh_folder(home: Path, settings: Settings) -> None:
    save_profile(home, "bulk", KIMI)
    assert read(home) == {
        "llm_profiles": {"bulk": KIMI},
        "active_llm_profile": "bulk",
    }
    assert load_profile(settings=settings).model == "kimi-k2.6"
    assert not (home / "kimi.yml").exists()


def test_comments_order_and_unknown_keys_stay(write: Write, home: Path) -> None:
    path = write("config.yml", COMMENTED)
    save_profile(home, "bulk", {"model": "kimi-k2.5", "temperature": 0.3})
    assert path.read_text("utf-8") == COMMENTED.replace(
        "model: kimi-k2.6  # cheap", "model: kimi-k2.5  # cheap"
    ).replace("    future_key: [1, 2]\n", "    future_key: [1, 2]\n    temperature: 0.3\n")


def test_a_new_profile_stands_last_and_is_not_active_unasked(write: Write, home: Path) -> None:
    write("config.yml", COMMENTED)
    save_profile(home, "deep", KIMI)
    assert list(read(home)["llm_profiles"]) == ["bulk", "quoted", "deep"]
    assert read(home)["active_llm_profile"] == "bulk"
    save_profile(home, "deep", {"model": "kimi-k3"}, activate=True)
    assert read(home)["active_llm_profile"] == "deep"
    assert read(home)["llm_profiles"]["deep"] == {"provider": "kimi", "model": "kimi-k3"}


def test_use_profile_changes_one_line(write: Write, settings: Settings) -> None:
    path = write("config.yml", COMMENTED)
    use_profile(settings, "quoted")
    assert path.read_text("utf-8") == COMMENTED.replace("profile: bulk", "profile: quoted")
    assert active_profile(settings) == "quoted"


def test_use_of_an_unknown_profile(write: Write, settings: Settings) -> None:
    path = write("config.yml", COMMENTED)
    with pytest.raises(UnknownProfileError, match=r"'blk' .*\nDid you mean bulk\?"):
        use_profile(settings, "blk")
    assert path.read_text("utf-8") == COMMENTED


def test_the_overlay_and_endpoints_go_to_kimi_yml(write: Write, home: Path) -> None:
    write("kimi.yml", "# mine\nprofiles:\n  bulk:\n    tier: 1  # since May\n  other: {rpm: 5}\n")
    save_profile(
        home,
        "bulk",
        KIMI,
        {"thinking": False, "endpoint": "local"},
        endpoints={"local": {"url": "http://127.0.0.1:1/v1", "auth": "none"}},
    )
    text = (home / "kimi.yml").read_text("utf-8")
    assert text.startswith("# mine\nprofiles:\n  bulk:\n    tier: 1  # since May\n")
    assert read(home, "kimi.yml")["profiles"] == {
        "bulk": {"tier": 1, "thinking": False, "endpoint": "local"},
        "other": {"rpm": 5},
    }
    assert load_profile("bulk").base_url == "http://127.0.0.1:1/v1"
    assert "thinking" not in read(home)["llm_profiles"]["bulk"]


def test_an_endpoint_alone_goes_to_kimi_yml_too(home: Path) -> None:
    save_profile(home, "p", KIMI, endpoints={"local": {"url": "http://127.0.0.1:1/v1"}})
    assert read(home, "kimi.yml") == {"endpoints": {"local": {"url": "http://127.0.0.1:1/v1"}}}


@pytest.mark.parametrize("text", ["profiles:\n", "profiles: {bulk: }\n", "# empty\n"])
def test_an_overlay_into_an_empty_section(write: Write, home: Path, text: str) -> None:
    write("kimi.yml", text)
    save_profile(home, "bulk", KIMI, {"tier": 2})
    assert load_overlay(home).profiles["bulk"].tier == 2


@pytest.mark.parametrize("text", ["llm_profiles:\n", "llm_profiles: {}\n", "llm_profiles: {p: }\n"])
def test_a_profile_into_an_empty_section(write: Write, home: Path, text: str) -> None:
    write("config.yml", text)
    save_profile(home, "p", KIMI)
    assert read(home)["llm_profiles"] == {"p": KIMI}


def test_an_entry_under_a_number_is_the_same_entry(write: Write, home: Path) -> None:
    write("config.yml", "llm_profiles:\n  2026: {provider: kimi, model: kimi-k3}\n")
    save_profile(home, "2026", {"model": "kimi-k2.6"})
    assert read(home)["llm_profiles"] == {2026: KIMI}
    assert read(home)["active_llm_profile"] == "2026"


# --- YAML's two readings


@pytest.mark.parametrize(
    "word",
    [
        *("off", "on", "yes", "No", "y", "n", "true", "False", "null", "~", "", " "),
        *("1e3", "1.0", "017", "0o17", "0x1F", "1_000", "1:30", ".inf", "-.INF", ".nan"),
        *("2026-11-21", "2026-13-45", "0x_", "=", "<<", "*a", "&a", "!x", "@", "`", "%", "-"),
        *("a: b", "a #b", "a\nb", " a", "a ", "'", '"', "\\", "{", "[a]", "---", "...", "? a"),
        *("\x85", "\u2028", "\ufeff", "\x07", "emoji 🦊", "x" * 6_000, "word " * 2_000),
    ],
)
def test_what_amx_reads_is_what_was_written(home: Path, settings: Settings, word: str) -> None:
    save_profile(home, word, {**KIMI, "language": word, "model": word}, activate=True)
    document = read(home)
    assert document["llm_profiles"] == {word: {"provider": "kimi", "language": word, "model": word}}
    assert document["active_llm_profile"] == word
    assert list(profile_names(settings)) == [word]


@given(text=st.text())
@example(text="0b_")
@limits(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_text_is_read_back(home: Path, text: str) -> None:
    for path in home.glob("*.yml"):
        path.unlink()
    fields = {"provider": "kimi", "model": text, "list": [text], "map": {text: text}}
    try:
        save_profile(home, text, fields, {"api_key_ref": text})
    except ConfigFileError:
        with pytest.raises(UnicodeEncodeError):  # half a pair of surrogates, nothing else
            text.encode("utf-8")
        return
    assert read(home)["llm_profiles"] == {text: fields}
    assert read(home, "kimi.yml")["profiles"] == {text: {"api_key_ref": text}}


SCALARS = st.sampled_from(
    [
        *("a", "off", "yes", "No", "7", "017", "0o17", "0x1F", "1_000", "1.50", "1e3", "1.5e+3"),
        *(".inf", "~", "null", "1:30", "'q'", '"d"', "2026-01-01", "2026-01-01T10:00:00", "True"),
        *("false", "[1, off]", "{a: no, b: [x, off]}", "!!str 5", "''", '""', "+1", "-0", "0.10"),
        *("1e-07", "'017'", "plain words", "|\n    block\n    lines\n", ">-\n    folded\n"),
    ]
)


@given(values=st.lists(SCALARS, max_size=6))
@limits(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_whatever_stands_there_keeps_its_meaning_to_amx(home: Path, values: list[str]) -> None:
    home.mkdir(exist_ok=True)
    rows = "".join(f"key_{n}: {value}\n" for n, value in enumerate(values))
    (home / "config.yml").write_text(rows, "utf-8")
    try:
        before = read(home)
    except yaml.YAMLError:
        return
    save_profile(home, "p", KIMI)
    after = read(home)
    for key, value in (before or {}).items():
        assert after[key] == value
        assert type(after[key]) is type(value)


# --- broken files are left alone


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("llm_profiles:\n  a: {\n", "line 3: not valid YAML"),
        ("- 1\n", "expected a mapping at the top"),
        ("llm_profiles: [a]\n", "llm_profiles must be a mapping"),
        ("schema_version: 4\nllm_profiles: {}\n", "schema_version 4"),
        ("a: 1\nb: 2\na: 3\n", "line 3: this key occurs twice; it is unchanged"),
    ],
)
def test_a_broken_config_is_not_written_over(
    write: Write, home: Path, text: str, message: str
) -> None:
    path = write("config.yml", text)
    with pytest.raises(ConfigFileError) as caught:
        save_profile(home, "p", KIMI, {"tier": 1})
    assert f"{path}" in str(caught.value)
    assert message in str(caught.value)
    assert path.read_text("utf-8") == text


@pytest.mark.parametrize("text", ["profiles: [a]\n", "profiles: {p: {what: 1}}\n", "a: [\n"])
def test_a_broken_kimi_yml_is_not_written_over(write: Write, home: Path, text: str) -> None:
    path = write("kimi.yml", text)
    with pytest.raises(ConfigFileError):
        save_profile(home, "p", KIMI, {"tier": 1})
    assert path.read_text("utf-8") == text
    assert not (home / "config.yml").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [("a: [\n", "line 2: not valid YAML.*; it is unchanged"), ("- 1\n", "expected a mapping")],
)
def test_a_file_that_breaks_between_reading_and_writing(
    home: Path, monkeypatch: pytest.MonkeyPatch, text: str, message: str
) -> None:
    """Another program may write it while we wait for the lock."""
    save_profile(home, "p", KIMI)
    path = home / "config.yml"
    acquire = FileLock.acquire

    def interrupted(self: Any, *args: Any, **options: Any) -> Any:
        path.write_text(text, "utf-8")
        return acquire(self, *args, **options)

    monkeypatch.setattr(FileLock, "acquire", interrupted)
    with pytest.raises(ConfigFileError, match=message):
        save_profile(home, "p", KIMI)
    assert path.read_text("utf-8") == text


# --- files


def test_four_files_in_one_folder(home: Path) -> None:
    paths = (config_path(home), overlay_path(home), learned_path(home), journal_path(home))
    names = ["config.yml", "kimi.yml", "kimi-learned.json", "kimi.db"]
    assert [path.name for path in paths] == names
    assert {path.parent for path in paths} == {home}


def test_files_are_their_owners_only(write: Write, home: Path) -> None:
    path = write("config.yml", COMMENTED)
    path.chmod(0o644)
    save_profile(home, "p", KIMI, {"tier": 1})
    for file in home.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    assert sorted(file.name for file in home.iterdir() if file.suffix != ".lock") == [
        "config.yml",
        "kimi.yml",
    ]


def test_a_new_folder_is_its_owners_only(home: Path) -> None:
    folder = home / "below" / "it"
    save_profile(folder, "p", KIMI)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_failed_change_leaves_the_old_text_and_no_litter(write: Write, home: Path) -> None:
    path = write("config.yml", COMMENTED)
    with pytest.raises(ZeroDivisionError):
        rewrite(path, lambda text: text * (1 // 0))
    with pytest.raises(ConfigFileError, match="it is unchanged"):
        rewrite(path, lambda text: text + "\ud800")
    assert path.read_text("utf-8") == COMMENTED
    assert [file.name for file in home.glob(".*")] == []


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigFileError, match="cannot be written"):
        rewrite(tmp_path / "file" / "config.yml", lambda text: text)


def test_a_file_that_is_no_utf8_is_not_written_over(home: Path) -> None:
    home.mkdir()
    (home / "x").write_bytes(b"\xff")
    with pytest.raises(ConfigFileError, match="cannot be written"):
        rewrite(home / "x", lambda text: text + "more")
    assert (home / "x").read_bytes() == b"\xff"


def test_a_lock_that_another_holds(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config_files, "_LOCK_SECONDS", 0.05)
    home.mkdir()
    with (
        FileLock(home / "config.yml.lock"),
        pytest.raises(ConfigFileError, match="locked by another process"),
    ):
        save_profile(home, "p", KIMI)
    assert not (home / "config.yml").exists()


def test_writers_at_the_same_time_lose_nothing(home: Path) -> None:
    done = subprocess.run(
        [sys.executable, writers.__file__, str(home)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    names = {f"p{number}" for number in range(writers.COUNT)}
    assert set(read(home)["llm_profiles"]) == names
    assert set(read(home, "kimi.yml")["profiles"]) == names
    assert read(home)["active_llm_profile"] in names
    learned = LearnedStore(home)
    models = [f"model-{number}" for number in range(writers.COUNT)]
    assert all(learned.quirks(writers.URL, model) for model in models)


def test_killed_writers_lose_nothing_that_they_acknowledged(home: Path) -> None:
    done = subprocess.run(
        [sys.executable, kills.__file__, str(home), "100", "7"],
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(list(home.glob(".config.yml.*"))) <= 1  # the last one's


def test_a_full_disk(write: Write, home: Path) -> None:
    path = write("config.yml", COMMENTED)
    script = (
        "import resource, signal; from pathlib import Path;"
        "from amx_kimi.config import save_profile;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64));"
        f"save_profile(Path({str(home)!r}), 'p', {{'provider': 'kimi'}})"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert "ConfigFileError" in done.stderr
    assert "it is unchanged" in done.stderr
    assert path.read_text("utf-8") == COMMENTED
    assert not list(home.glob(".config.yml.*"))
