"""Whatever a caller gives: it works, or an error of ours names the argument and what to do, before
anything is created, sent or paid."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import anyio
import pytest
import sqlalchemy

from amx_kimi import (
    AuthenticationError,
    BadRequestError,
    BudgetError,
    ConfigError,
    HaltedError,
    Journal,
    JournalError,
    KimiClient,
    KimiError,
    MissingKeyError,
    SourceError,
    SyncKimiClient,
    UnknownProfileError,
    describe,
    load_profile,
)
from amx_kimi.demo.erp import build_sqlite
from amx_kimi.sandbox import Options, Sandbox
from amx_kimi.settings import Settings
from tests.conftest import KEY
from tests.journal.helpers import add, begin, column, columns, save

Start = Callable[..., Sandbox]

SECRET = b"sk-secret-0123456789abcdef"
NO_TEXT = (5, b"x", ["x"])
NO_LIST = (5, None, b"x", [5], [None], {"a": "b"}, [""], "")
NO_FLAG = (0, "no", None)
NO_COUNT = (0, -1, "3", 1.5, True, [1])
NAN = float("nan")
NOWHERE: dict[str, Any] = {
    "model": "kimi-k2.6",
    "base_url": "http://127.0.0.1:9/v1",
    "api_key": KEY,
}


async def hears(_: object) -> None:
    """What is never awaited."""


class Hears:
    async def __call__(self, _: object) -> None:
        """The same as an object."""


NO_FUNCTION = (5, "print", hears, Hears())


def table(**wrong: Any) -> list[tuple[str, Any]]:
    return [(name, value) for name, values in wrong.items() for value in values]


def named(error: KimiError, name: str) -> None:
    """It says which argument is wrong, and what to do."""
    assert error.message.startswith(name), error.message
    assert error.remedy
    assert "secret" not in str(error)


@pytest.fixture
def erp(tmp_path: Path) -> Path:
    build_sqlite(tmp_path / "erp.db")
    return tmp_path / "erp.db"


DESCRIBE = table(
    schemas=NO_LIST,
    tables=NO_LIST,
    context=NO_LIST,
    all_columns=NO_FLAG,
    names_only=NO_FLAG,
    samples=NO_FLAG,
    only_changed=(True, "x", None, 5, ["data"]),
    limit=NO_COUNT,
    max_cost=(0, -1, "much", NAN, True, [5]),
    on_progress=NO_FUNCTION,
    language=NO_TEXT,
    model=NO_TEXT,
    base_url=NO_TEXT,
    api_key=(*NO_TEXT, SECRET),
    profile=(5, b"x", ["x"], SECRET),
    journal=(5, b"x", "", True),
)


@pytest.mark.parametrize(("name", "value"), DESCRIBE)
def test_describe_refuses_before_anything_is_created(name: str, value: Any, home: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        describe("erp.db", **{**NOWHERE, name: value})
    named(caught.value, name)
    assert not (home / "kimi.db").exists()


@pytest.mark.parametrize(
    "database", [None, 5, b"x", [], [None], [5], {}, {"a": "b"}, [""], "", " ", object()]
)
def test_what_cannot_be_described(database: Any, home: Path) -> None:
    with pytest.raises(SourceError) as caught:
        describe(database, model="kimi-k2.6", api_key=KEY)
    named(caught.value, "database")
    assert not (home / "kimi.db").exists()


@pytest.mark.parametrize(
    ("database", "said", "advice"),
    [
        ("sqlite://", "The URL sqlite:// names no file", "sqlite:///folder/file"),
        ("duckdb://", "The URL duckdb:// names no file", "duckdb:///folder/file"),
        ("sqlite:///no.db", "There is no SQLite file no.db", "It was looked for at /"),
        ("duckdb:///no.duckdb", "There is no DuckDB file no.duckdb", "It was looked for at /"),
        ("no.csv", "There is no file", "It was looked for at /"),
        ("no*.csv", "No file matches 'no*.csv'", "from the folder /"),
    ],
)
def test_a_database_that_is_not_there(database: str, said: str, advice: str) -> None:
    with pytest.raises(SourceError) as caught:
        describe(database, model="kimi-k2.6", api_key=KEY)
    assert said in caught.value.message
    assert advice in caught.value.remedy


@pytest.mark.parametrize("given", [str, Path, lambda path: [path], lambda path: (str(path),)])
def test_one_thing_needs_no_list(
    given: Any, erp: Path, tmp_path: Path, start_sandbox: Start
) -> None:
    rules = tmp_path / "rules.md"
    rules.write_text("Be brief.")
    run = describe(
        given(erp),
        model="kimi-k2.6",
        base_url=start_sandbox().url,
        api_key=KEY,
        tables="aufk",
        context=given(rules),
        limit=1,
    )
    assert json.loads(run.options)["selection"]["tables"] == ["aufk"]
    assert json.loads(run.options)["context"][0][0] == str(rules)
    with Journal(create=False) as journal:
        assert journal.totals("last").columns == 1
        assert {row.item.table for row in journal.suggestions("last")} == {"aufk"}


def test_a_url_object_is_described(erp: Path, start_sandbox: Start) -> None:
    url = sqlalchemy.URL.create("sqlite", database=str(erp))
    options: Any = {**NOWHERE, "base_url": start_sandbox().url}
    assert describe(url, tables=["aufk"], limit=1, **options).status == "complete"


CLIENT = table(
    model=(*NO_TEXT, "k" * 5_000, "two words", "https://x.y/v1"),
    api_key=(*NO_TEXT, SECRET),
    base_url=(*NO_TEXT, "https://h:port/v1", "moonshot-xx"),
    profile=(5, b"x", ["x"], SECRET),
    settings=(5, "x", {"a": 1}),
    max_cost=(0, -1, "much", NAN, True, [5]),
    retries=(-1, "3", 1.5, True),
    patience=(-1, "3", NAN, True),
    backoff=(-1, "3", NAN, True),
)


@pytest.mark.parametrize("client", [SyncKimiClient, KimiClient])
@pytest.mark.parametrize(("name", "value"), CLIENT)
def test_a_client_refuses(client: Any, name: str, value: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        client(**{**NOWHERE, name: value})
    assert caught.value.remedy
    assert len(str(caught.value)) < 1_000
    if not isinstance(value, str):
        named(caught.value, name)


@pytest.mark.parametrize(("name", "value"), table(name=NO_TEXT, settings=(5, "x", {})))
def test_load_profile_refuses(name: str, value: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        load_profile(**{name: value})
    named(caught.value, name)


def test_an_unknown_profile_has_a_remedy(home: Path) -> None:
    home.mkdir()
    (home / "config.yml").write_text("llm_profiles: {wiz: {provider: kimi, model: kimi-k3}}")
    with pytest.raises(UnknownProfileError) as caught:
        load_profile("wizz")
    assert caught.value.remedy == "Did you mean wiz?"


PART = {"role": "user", "content": "Hello"}
QUESTIONS: list[Any] = [
    *(None, 5, b"x", True, object(), PART, ["x"], [5], [None], [], iter(()), "", " \n"),
    *([{"content": "x"}], [{"role": 5, "content": "x"}], [{"role": "", "content": "x"}]),
    *([{**PART, "content": value}] for value in (object(), 5, b"x", {"a": 1}, [object()], [NAN])),
    [PART, {**PART, "x": object()}],
]
WISHES = table(
    max_tokens=NO_COUNT,
    temperature=(-0.1, 2.1, 99, "hot", NAN, float("inf"), True, [1]),
    tool_choice=("bogus", "", 5, True, b"x", {"a": object()}),
    tools=(5, "x", b"x", {"type": "function"}, [5], ["x"], [{"a": object()}]),
    json_mode=(0, "no"),
    whole=(0, "no"),
    label=(5, ""),
    on_content=NO_FUNCTION,
    on_thinking=NO_FUNCTION,
)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """One for many questions, and its sandbox."""
    settings = Settings(config_dir=tmp_path_factory.mktemp("home"))
    with (
        Sandbox(Options()) as sandbox,
        SyncKimiClient(settings=settings, **{**NOWHERE, "base_url": sandbox.url}) as made,
    ):
        yield made, sandbox


def both(made: SyncKimiClient, question: Any, **wishes: Any) -> list[KimiError]:
    """The errors of the sync and the async face."""
    with pytest.raises(ConfigError) as sync:
        made.chat(question(), **wishes)

    async def ask() -> None:
        await made._client.chat(question(), **wishes)

    with pytest.raises(ConfigError) as later:
        anyio.run(ask)
    return [sync.value, later.value]


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_that_is_none_is_not_sent(question: Any, client: Any) -> None:
    made, sandbox = client
    before = len(sandbox.chats)
    for error in both(made, lambda: question):
        named(error, "question")
    assert len(sandbox.chats) == before


@pytest.mark.parametrize(("name", "value"), [*WISHES, *table(cancelled=(5, hears))])
def test_a_wish_that_makes_no_sense_is_not_sent(name: str, value: Any, client: Any) -> None:
    made, sandbox = client
    before = len(sandbox.chats)
    if name == "cancelled":  # of the sync face only
        with pytest.raises(ConfigError) as caught:
            made.chat("Hello", cancelled=value)
        errors: list[KimiError] = [caught.value]
    else:
        errors = both(made, lambda: "Hello", **{name: value})
    for error in errors:
        named(error, name)
    assert len(sandbox.chats) == before


def test_an_unknown_wish_is_named(client: Any) -> None:
    with pytest.raises(TypeError, match=r"chat has no option 'max_token'; it has max_tokens"):
        client[0].chat("Hello", max_token=5)


@pytest.mark.parametrize(
    ("question", "wishes"),
    [
        ((message for message in [PART]), {}),
        (
            (PART,),
            {"max_tokens": None, "temperature": None, "tool_choice": None, "json_mode": None},
        ),
        ([{"role": "user", "content": [{"type": "text", "text": "Hello"}]}], {}),
        ("Hello", {"max_tokens": 50, "temperature": 0, "label": "x"}),
        ("Hello", {"temperature": Decimal("0.5"), "json_mode": True, "whole": False}),
        ("Hello", {"tools": iter(()), "tool_choice": {"type": "function"}}),
    ],
)
def test_what_makes_sense_is_sent(question: Any, wishes: Any, client: Any) -> None:
    assert client[0].chat(question, **wishes).content


TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}


@pytest.mark.parametrize(
    ("model", "refused", "wishes"),
    [
        ("kimi-k2-0905-preview", "temperature", {"temperature": 0}),
        ("kimi-k2-0905-preview", "temperature", {"temperature": 0.7}),
        ("kimi-k2.6", "tool_choice", {"tools": [TOOL], "tool_choice": "auto"}),
    ],
)
def test_a_refusal_of_the_callers_own_is_not_remembered(
    model: str, refused: str, wishes: Any, home: Path, start_sandbox: Start
) -> None:
    sandbox = start_sandbox(refuse=(refused,))
    options: Any = {"model": model, "base_url": sandbox.url, "api_key": KEY}
    with (
        SyncKimiClient(**options) as client,
        pytest.raises(BadRequestError, match=refused),
    ):
        client.chat("Hello", **wishes)
    assert len(sandbox.chats) == 1
    assert not (home / "kimi-learned.json").exists()


def test_another_name_for_the_callers_limit_is_found(start_sandbox: Start) -> None:
    sandbox = start_sandbox(refuse=("max_tokens",))
    options: Any = {"model": "kimi-k2-0905-preview", "base_url": sandbox.url, "api_key": KEY}
    with SyncKimiClient(**options) as client:
        assert len(client.chat("Hello", max_tokens=50).attempts) == 2
    assert sandbox.chats[-1].body["max_completion_tokens"] == 50


def test_what_the_caller_did_not_wish_is_still_corrected(start_sandbox: Start, home: Path) -> None:
    sandbox = start_sandbox(refuse=("temperature",))
    options: Any = {"model": "kimi-k2-0905-preview", "base_url": sandbox.url, "api_key": KEY}
    with SyncKimiClient(**options) as client:
        assert len(client.chat("Hello", max_tokens=50).attempts) == 2
    assert "temperature" in (home / "kimi-learned.json").read_text()


def test_a_closed_client_sends_nothing(start_sandbox: Start) -> None:
    sandbox = start_sandbox()
    made = SyncKimiClient(**{**NOWHERE, "base_url": sandbox.url})
    assert made.chat("Hello").content
    made.close()
    made.close()
    for ask in (lambda: made.chat("Hello"), lambda: made.submit("Hello").result(), made.models):
        with pytest.raises(HaltedError, match="client is closed") as caught:
            ask()
        assert "make another client" in caught.value.remedy
    assert len(sandbox.chats) == 1


def test_without_a_key_a_refusal_says_so(start_sandbox: Start) -> None:
    sandbox = start_sandbox(keys=(KEY,))
    with (
        SyncKimiClient(model="kimi-k2.6", base_url=sandbox.url, api_key="") as client,
        pytest.raises(AuthenticationError) as caught,
    ):
        client.chat("Hello")
    assert "No API key was given" in caught.value.remedy
    with (
        SyncKimiClient(model="kimi-k2.6", base_url=sandbox.url, api_key="sk-another") as client,
        pytest.raises(AuthenticationError) as caught,
    ):
        client.chat("Hello")
    assert "belongs to" in caught.value.remedy


def test_a_profiles_key_is_only_for_its_own_endpoint(home: Path) -> None:
    home.mkdir()
    (home / "config.yml").write_text(
        "llm_profiles: {wiz: {provider: kimi, model: kimi-k3, api_key: sk-0123456789abcdef}}"
    )
    with pytest.raises(MissingKeyError) as caught:
        SyncKimiClient("wiz", base_url="openrouter")
    said = str(caught.value)
    assert "There is no API key for openrouter" in said
    assert "only for its own endpoint" in said
    assert "api_key_ref" not in said
    assert "pass it as api_key" in caught.value.remedy


def test_without_files_the_key_is_an_argument() -> None:
    with pytest.raises(MissingKeyError) as caught:
        SyncKimiClient(model="kimi-k2.6")
    assert "(direct)" not in str(caught.value)
    assert "AMX_LLM_API_KEY is unset" in caught.value.message
    assert "pass it as api_key" in caught.value.remedy


def test_a_cap_that_is_too_low_is_told_in_figures(start_sandbox: Start) -> None:
    sandbox = start_sandbox()
    options: Any = {**NOWHERE, "base_url": sandbox.url, "max_cost": Decimal("1E-7")}
    with SyncKimiClient(**options) as client, pytest.raises(BudgetError) as caught:
        client.chat("Hello")
    assert "cap of 0.0000001" in caught.value.message
    assert "1E-7" not in caught.value.message
    assert "run" not in caught.value.remedy


def test_a_services_text_is_cut(start_sandbox: Start) -> None:
    sandbox = start_sandbox()
    options: Any = {"model": "k" * 200, "base_url": sandbox.url, "api_key": KEY}
    with SyncKimiClient(**options) as client, pytest.raises(KimiError) as caught:
        client.chat("Hello")
    assert len(str(caught.value)) < 1_000


@pytest.mark.parametrize("store", [5, b"x", True, ["x"], "", " "])
def test_a_journal_refuses(store: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        Journal(store)
    named(caught.value, "store")


@pytest.fixture
def journal(tmp_path: Path) -> Any:
    with Journal(tmp_path / "kimi.db") as opened:
        run = begin(opened)
        save(opened, *add(opened, run, *columns(2)))
        opened.name_of_run = run  # type: ignore[attr-defined]
        begin(opened)
        yield opened


READS = [
    pytest.param(lambda journal, run: journal.run(run), id="run"),
    pytest.param(lambda journal, run: journal.totals(run), id="totals"),
    pytest.param(lambda journal, run: journal.suggestions(run), id="suggestions"),
]


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize("run", [None, 5, b"x", [], "", " "])
def test_a_run_that_is_no_name(read: Any, run: Any, journal: Journal) -> None:
    with pytest.raises(ConfigError) as caught:
        read(journal, run)
    named(caught.value, "run")


@pytest.mark.parametrize("read", READS)
def test_a_run_that_is_not_there(read: Any, journal: Journal) -> None:
    with pytest.raises(JournalError, match="There is no run 'nope'") as caught:
        read(journal, "nope")
    assert caught.value.remedy
    with pytest.raises(JournalError, match="beginning of several") as caught:
        read(journal, "2")
    assert caught.value.remedy


def test_a_run_by_its_id_its_beginning_or_as_the_last(journal: Any) -> None:
    whole = journal.name_of_run
    for name in (whole, whole[:-1], "last"):
        assert journal.run(name).id == whole
        assert journal.totals(name).described == 2
        assert [row.item.column for row in journal.suggestions(name)] == ["c1", "c2"]


@pytest.mark.parametrize(
    "use",
    [
        lambda journal: journal.runs(),
        lambda journal: journal.run(),
        lambda journal: journal.suggestions("last"),
        lambda journal: journal.totals("last"),
        lambda journal: journal.compact(),
        lambda journal: add(journal, "x", column("c")),
    ],
)
def test_a_closed_journal_refuses(use: Any, journal: Journal) -> None:
    journal.close()
    journal.close()
    with pytest.raises(JournalError, match="The journal is closed") as caught:
        use(journal)
    assert "open it again" in caught.value.remedy


def test_nothing_is_described_into_a_closed_journal(
    journal: Journal, erp: Path, start_sandbox: Start
) -> None:
    sandbox = start_sandbox()
    journal.close()
    options: Any = {**NOWHERE, "base_url": sandbox.url}
    with pytest.raises(JournalError, match="The journal is closed"):
        describe(erp, journal=journal, **options)
    assert not sandbox.chats
