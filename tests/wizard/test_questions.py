"""The wizard's turns: going back, giving up, wrong regions, no keyring, poor terminals."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from amx_kimi.sandbox import Sandbox
from tests.below_v1 import ELSEWHERE, below_v1
from tests.conftest import KEY
from tests.terminal import Screen

Start = Callable[..., Sandbox]


def read(home: Path, name: str = "config.yml") -> Any:
    return yaml.safe_load((home / name).read_text())


def start(*, name: str = "p", model: str = "kimi-k3", base: str, **env: str) -> Screen:
    """The wizard, answered up to the key."""
    screen = Screen("add-llm-profile", env=env)
    screen.answer("Profile name", name)
    screen.answer("Model", model)
    screen.answer("API base", base)
    return screen


def rest(screen: Screen) -> None:
    """Enter for what comes after the key."""
    for question in ("Output token budget", "Number of alternatives", "Reasoning"):
        screen.answer(question)


def test_going_back(home: Path, start_sandbox: Start) -> None:
    sandbox = start_sandbox(keys=(KEY,))
    screen = Screen("add-llm-profile")
    screen.answer("Profile name", "<")
    screen.wait("This is the first question")
    screen.answer("Profile name", "wrong")
    screen.answer("Model", "<")
    screen.answer("Profile name [wrong]", "right")
    screen.wait("Provider: kimi")
    screen.answer("Model", "kimi-k3")
    screen.answer("API base", "<")
    screen.answer("Model [kimi-k3]", "kimi-k2.6")
    screen.answer("API base", sandbox.url)
    screen.answer("API key", KEY)
    screen.answer("Where should the key be stored? [1]", "<")
    screen.answer("API key", KEY)
    screen.answer("Where should the key be stored? [1]", "config")
    screen.answer("Output token budget", "<")  # over the temperature, which is not asked
    screen.answer("API key")
    screen.answer("Output token budget", "8,192")
    screen.answer("Number of alternatives", "1")
    screen.answer("Thinking before the answer, more expensive and slower (off, on) [off]", "on")
    screen.wait("✓ Saved")
    assert screen.end() == 0
    entry = read(home)["llm_profiles"]["right"]
    assert (entry["model"], entry["max_tokens"], entry["n_alternatives"]) == ("kimi-k2.6", 8192, 1)
    assert entry["api_key"] == KEY
    assert read(home, "kimi.yml") == {"profiles": {"right": {"thinking": True}}}
    assert KEY not in screen.text


@pytest.mark.parametrize("stop", ["\x03", "\x04"], ids=["Ctrl-C", "Ctrl-D"])
@pytest.mark.parametrize("at", ["Profile name", "API key", "Reasoning"])
def test_giving_up_leaves_everything_as_it_was(
    home: Path, start_sandbox: Start, stop: str, at: str
) -> None:
    home.mkdir()
    before = "# mine\nllm_profiles: {}\n"
    (home / "config.yml").write_text(before)
    sandbox = start_sandbox()
    screen = Screen("add-llm-profile", env={"AMX_LLM_API_KEY": KEY})
    for question, text in (
        ("Profile name", "p"),
        ("Model", "kimi-k3"),
        ("API base", sandbox.url),
        ("API key", ""),
        ("Output token", ""),
        ("Number of", ""),
        ("Reasoning", ""),
    ):
        if question == at:
            break
        screen.answer(question, text)
    screen.wait(at, ":")
    screen.type(stop, enter=False)
    screen.wait("Nothing was saved or changed.")
    assert screen.end() == 130
    assert (home / "config.yml").read_text() == before
    assert not (home / "kimi.yml").exists()


def test_the_other_region(home: Path, start_sandbox: Start) -> None:
    right = start_sandbox(keys=(KEY,))
    wrong = start_sandbox(keys=("sk-others-0123456789",), region="cn")
    home.mkdir()
    (home / "kimi.yml").write_text(
        f"endpoints:\n  moonshot-ai: {{url: {right.url}}}\n  moonshot-cn: {{url: {wrong.url}}}\n"
    )
    screen = start(base="moonshot-cn")
    screen.answer("API key", KEY)
    screen.wait("✗", f"Send it to {right.url} to try?", "[y/N]", ":")
    assert not right.seen  # not before it was said where
    screen.type("y")
    screen.wait("✓ The key works there", "balance", f"The API base is now {right.url}")
    screen.answer("Where should the key be stored?", "3")
    rest(screen)
    screen.wait("✓ Saved")
    assert screen.end() == 0
    assert read(home)["llm_profiles"]["p"]["api_base"] == right.url


def test_a_refused_key_is_asked_again_and_may_be_insisted_on(
    home: Path, start_sandbox: Start
) -> None:
    sandbox = start_sandbox(keys=(KEY,))
    screen = start(base=sandbox.url)
    screen.answer("API key", "sk-wrong-0123456789")
    screen.answer("Use this key anyway? [y/N]")
    screen.answer("API key", "sk-wrong-0123456789")
    screen.answer("Use this key anyway?", "y")
    screen.answer("Where should the key be stored?", "2")
    rest(screen)
    screen.wait("✗")
    screen.answer("Save it anyway? [y/N]")
    screen.wait("Starting over", "Profile name [p]", ":")
    screen.type("\x03", enter=False)
    screen.wait("Nothing was saved")
    assert screen.end() == 130
    assert not (home / "config.yml").exists()


def test_a_key_in_a_variable_or_nowhere(home: Path, start_sandbox: Start) -> None:
    sandbox = start_sandbox(keys=(KEY,))
    screen = start(base=sandbox.url, MY_KEY=KEY)
    screen.answer("API key", "env:OTHER")
    screen.wait("OTHER: unset or blank")
    screen.answer("Use it anyway?")
    screen.answer("API key", "env:MY_KEY")
    screen.wait("✓ The key sk-…cdef works")
    rest(screen)
    screen.wait("✓ Saved", "Its key comes from env:MY_KEY (kimi.yml)")
    assert screen.end() == 0
    assert read(home)["llm_profiles"]["p"]["api_key"] == ""
    assert read(home, "kimi.yml")["profiles"]["p"]["api_key_ref"] == "env:MY_KEY"

    screen = start(name="q", base=sandbox.url, AMX_LLM_API_KEY=KEY)
    screen.answer("API key [AMX_LLM_API_KEY, sk-…cdef]")
    rest(screen)
    screen.wait("✓")
    screen.answer("Make it the active profile, instead of 'p'? [Y/n]", "n")
    screen.wait("The active profile is still 'p'", "Its key comes from AMX_LLM_API_KEY")
    assert screen.end() == 0


def test_an_endpoint_without_a_key(home: Path, start_sandbox: Start) -> None:
    sandbox = start_sandbox(auth=False)
    screen = start(model="kimi-k2.6", base=sandbox.url.removeprefix("http://"))
    screen.answer("API key", "none")
    screen.wait("✓ It works without a key")
    for question in ("Output token budget", "Number of alternatives"):
        screen.answer(question)
    screen.answer("Thinking before")
    screen.wait("✓ Saved", "This endpoint needs no key")
    assert screen.end() == 0
    assert read(home)["llm_profiles"]["p"]["api_base"] == sandbox.url
    assert read(home, "kimi.yml")["profiles"]["p"] == {"auth": "none"}


@pytest.fixture(params=ELSEWHERE)
def host(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address, without /v1, of a server whose API begins there."""
    with below_v1(request.param) as address:
        yield address


def test_a_forgotten_v1_is_proposed(home: Path, host: str) -> None:
    screen = start(model="mine", base=host, AMX_LLM_API_KEY=KEY)
    screen.answer("API key")
    screen.answer(f"{host} lists no models, but {host}/v1 is an API. Use that? [Y/n]")
    screen.wait("✓ The key sk-…cdef works: 1 model")
    for question in ("Output token budget", "Number of alternatives"):
        screen.answer(question)
    screen.wait(f"POST {host}/v1/chat/completions")
    screen.answer("Save it anyway?")
    screen.wait("Profile name [p]", ":")
    screen.type("\x03", enter=False)
    assert screen.end() == 130
    assert not home.exists()


def test_a_forgotten_v1_may_be_insisted_on(host: str) -> None:
    screen = start(model="mine", base=host, AMX_LLM_API_KEY=KEY)
    screen.answer("API key")
    screen.answer("Use that?", "n")
    screen.wait("! Not checked")
    screen.wait("Output token budget", ":")
    screen.type("\x03", enter=False)
    assert screen.end() == 130


def test_a_retired_model_is_saved_when_insisted(home: Path, start_sandbox: Start) -> None:
    sandbox = start_sandbox(refuse_retired=True)
    home.mkdir()
    (home / "kimi.yml").write_text(f"endpoints: {{moonshot-ai: {{url: {sandbox.url}}}}}\n")
    screen = start(base="moonshot-ai", model="kimi-k2-thinking", AMX_LLM_API_KEY=KEY)
    screen.answer("API key")
    rest(screen)
    screen.wait("one real test request", "✗", "retired", "kimi-k3")
    screen.answer("Save it anyway? [y/N]", "y")
    screen.wait("✓ Saved")
    assert screen.end() == 0
    assert read(home)["llm_profiles"]["p"]["model"] == "kimi-k2-thinking"


def test_wrong_answers_are_asked_again(start_sandbox: Start, home: Path) -> None:
    home.mkdir()
    (home / "config.yml").write_text("llm_profiles: {other: {provider: openai, model: gpt}}\n")
    screen = Screen("add-llm-profile", env={"AMX_LLM_API_KEY": KEY})
    for name, part in (("a/b", "not allowed"), ("", "needs a name"), ("other", "openai")):
        screen.answer("Profile name", name)
        screen.wait(part)
    screen.answer("Profile name", "p")
    for model, part in (("kimi k3", "one word"), (KEY, "looks like a key")):
        screen.answer("Model", model)
        screen.wait(part)
    screen.answer("Model", "kimi-k3")
    screen.answer("API base", "http://example.com/v1")
    screen.wait("unencrypted")
    screen.answer("API base", start_sandbox().url)
    screen.answer("API key", "sk-a b")
    screen.wait("other invalid characters")
    screen.answer("API key")
    screen.answer("Output token", "0")
    screen.wait("from 1 to 1,048,576")
    screen.answer("Output token")
    screen.answer("Number of", "9")
    screen.wait("from 1 to 5")
    screen.answer("Number of")
    screen.answer("Reasoning effort (low, high, max)", "medium")
    screen.wait("not one of low, high, max")
    screen.answer("Reasoning effort", "max")
    screen.answer("Make it the active profile, instead of 'other'?", "y")
    screen.wait("✓ Saved")
    assert screen.end() == 0
    assert read(home)["active_llm_profile"] == "p"
    assert read(home, "kimi.yml")["profiles"]["p"] == {"effort": "max"}


def test_models_are_completed(start_sandbox: Start) -> None:
    screen = Screen("add-llm-profile")
    screen.answer("Profile name", "p")
    screen.wait("Model")
    screen.type("k2-think", enter=False)
    screen.wait("kimi-k2-thinking", "retired 2026-05-25, successor")
    screen.type("\x03", enter=False)
    assert screen.end() == 130
    assert not start_sandbox().seen


@pytest.mark.parametrize(
    "env", [{"TERM": "dumb"}, {"NO_COLOR": "1"}, {"LANG": "C", "LC_ALL": "C"}], ids=str
)
def test_poor_terminals(home: Path, start_sandbox: Start, env: dict[str, str]) -> None:
    sandbox = start_sandbox(keys=(KEY,))
    screen = start(base=sandbox.url, AMX_LLM_API_KEY=KEY, **env)
    screen.answer("API key")
    rest(screen)
    screen.wait("Saved LLM profile 'p'")
    assert screen.end() == 0
    assert max(map(len, screen.text.splitlines())) <= 130
    assert read(home)["active_llm_profile"] == "p"


def test_a_broken_config_is_said_before_any_question(home: Path) -> None:
    home.mkdir()
    (home / "config.yml").write_text("llm_profiles: [\n")
    screen = Screen("add-llm-profile")
    screen.wait("Error", "config.yml, line", "not valid YAML")
    assert screen.end() == 2


def test_enter_keeps_what_cannot_be_tried_now(home: Path, start_sandbox: Start) -> None:
    sandbox = start_sandbox()
    home.mkdir()
    (home / "config.yml").write_text(
        "llm_profiles:\n  p: {provider: kimi, model: kimi-k2.6, "
        f"api_base: {sandbox.url}, api_key: ''}}\nactive_llm_profile: p\n"
    )
    ours = "profiles:\n  p: {api_key_ref: 'env:NOT_HERE', effort: high}\n"
    (home / "kimi.yml").write_text(ours)
    before = (home / "config.yml").read_text()
    screen = Screen("add-llm-profile", "p")
    for question in ("Profile name [p]", "Model [kimi-k2.6]", "API base"):
        screen.answer(question)
    screen.answer("API key [env:NOT_HERE, where there is no key now]")
    screen.answer("Use it anyway? [y/N]", "<")
    screen.answer("API key [env:NOT_HERE, where there is no key now]")
    screen.answer("Use it anyway? [y/N]", "y")
    for question in ("Output token budget", "Number of alternatives"):
        screen.answer(question)
    screen.answer("Thinking before the answer, more expensive and slower (off, on) [on]")
    screen.wait("thinking", "! Not tried", "✓ Saved")
    assert screen.end() == 0
    assert read(home)["llm_profiles"]["p"] == {
        **yaml.safe_load(before)["llm_profiles"]["p"],
        "max_tokens": 4096,
        "n_alternatives": 3,
    }
    assert (home / "kimi.yml").read_text() == ours


def test_thinking_that_an_effort_switched_on_can_be_switched_off(
    home: Path, start_sandbox: Start
) -> None:
    sandbox = start_sandbox()
    home.mkdir()
    (home / "kimi.yml").write_text("profiles:\n  p: {effort: high}\n")
    screen = start(base=sandbox.url, model="kimi-k2.6", AMX_LLM_API_KEY=KEY)
    screen.answer("API key")
    for question in ("Output token budget", "Number of alternatives"):
        screen.answer(question)
    screen.answer("Thinking before the answer, more expensive and slower (off, on) [on]", "off")
    screen.wait("thinking off", "✓ Saved")
    assert screen.end() == 0
    assert read(home, "kimi.yml")["profiles"]["p"] == {"effort": "high", "thinking": False}


def test_a_key_goes_to_the_gateway_that_kimi_yml_names(home: Path, start_sandbox: Start) -> None:
    gateway = start_sandbox(keys=(KEY,))
    home.mkdir()
    text = f"endpoints: {{moonshot-ai: {{url: {gateway.url!r}}}}}\n"
    (home / "kimi.yml").write_text(text)
    screen = Screen("add-llm-profile")
    screen.answer("Profile name", "p")
    screen.answer("Model [kimi-k2.6]")
    screen.answer(f"API base [{gateway.url}]")
    screen.answer("API key", KEY)
    screen.wait("works")
    screen.answer("Where should the key be stored? [1]", "3")
    for question in ("Output token budget", "Number of alternatives", "Thinking"):
        screen.answer(question)
    screen.wait("✓ Saved")
    assert screen.end() == 0
    assert gateway.chats
    assert (home / "kimi.yml").read_text() == text


def test_lists_are_picked_from_by_number_or_name_and_near_names_by_y(home: Path) -> None:
    screen = Screen("add-llm-profile", "--no-check", env={"AMX_LLM_API_KEY": KEY})
    screen.answer("Profile name", "p")
    shown = screen.answer("Model", "99")
    listed = [line.split()[:2] for line in shown.splitlines() if line.strip()[:1].isdigit()]
    assert [number for number, _ in listed] == [str(n) for n in range(1, len(listed) + 1)]
    screen.wait(f"There is no number 99. Answer 1 to {len(listed)}, or a name")
    screen.answer("Model", "kimi-k2.66")
    screen.answer("Did you mean kimi-k2.6? [y/N]", "<")
    screen.answer("Model", "kimi-k2.66")
    screen.answer("Did you mean kimi-k2.6? [y/N]", "y")
    screen.answer("API base", "<")
    screen.answer("Model [kimi-k2.6]", "2")
    screen.answer("API base", "moonshot-c")
    screen.answer("Did you mean moonshot-cn? [y/N]", "n")
    screen.wait("Unknown endpoint 'moonshot-c'")
    screen.answer("API base", "moonshot-c")
    screen.answer("Did you mean moonshot-cn?", "y")
    screen.answer("API key", "<")
    screen.answer("API base [https://api.moonshot.cn/v1]", "1")
    screen.answer("API key")
    for question in ("Output token budget", "Number of alternatives", "Reasoning"):
        screen.answer(question)
    screen.wait("✓ Saved", "Next: amx-kimi run DATABASE --dry-run")
    assert screen.end() == 0
    entry = read(home)["llm_profiles"]["p"]
    assert (entry["model"], entry["api_base"]) == (listed[1][1], "https://api.moonshot.ai/v1")
    assert entry["temperature"] == 0.2


def test_a_temperature_that_is_sent_is_asked(home: Path, start_sandbox: Start) -> None:
    screen = start(model="moonshot-v1-8k", base=start_sandbox().url, AMX_LLM_API_KEY=KEY)
    screen.answer("API key")
    screen.answer("Temperature [0.2]", "hot")
    screen.wait("temperature is 'hot'", "from 0 to 2")
    screen.answer("Temperature", "0.7")
    for question in ("Output token budget", "Number of alternatives"):
        screen.answer(question)
    screen.wait("✓ Saved")
    assert screen.end() == 0
    assert read(home)["llm_profiles"]["p"]["temperature"] == 0.7


def test_what_cannot_be_a_key_is_not_sent(home: Path, start_sandbox: Start) -> None:
    sandbox = start_sandbox()
    home.mkdir()
    (home / "kimi.yml").write_text(f"endpoints: {{moonshot-ai: {{url: {sandbox.url}}}}}\n")
    screen = start(base="moonshot-ai")
    for typed, part in (
        ("y", "1 character: too short for a key"),
        ("sk-0123456789", "13 characters: too short for a key"),
        ("https://platform.kimi.ai/console/api-keys", "is a URL"),
        ("platform.kimi.ai/console", "is a URL"),
        ("kimi-k2-thinking", "a model's name"),
        ("MOONSHOT_API_KEY", "Enter env:NAME to read the key"),
        ("~/keys/moonshot.txt", "Enter file:PATH to read the key"),
    ):
        screen.answer("API key", typed)
        screen.wait(part)
    screen.wait("API key", ":")
    screen.type("\x03", enter=False)
    assert screen.end() == 130
    assert not sandbox.seen


def test_a_short_key_of_another_service_may_be_insisted_on(start_sandbox: Start) -> None:
    sandbox = start_sandbox(keys=("sk-1234",))
    screen = start(base=sandbox.url)
    screen.answer("API key", "sk-1234")
    screen.answer("Use it anyway? [y/N]")
    assert not sandbox.seen
    screen.answer("API key", "sk-1234")
    screen.answer("Use it anyway?", "y")
    screen.wait("✓ The key", "works")
    screen.wait("Where should the key be stored?", ":")
    screen.type("\x03", enter=False)
    assert screen.end() == 130


def test_without_a_keyring_a_file_is_offered_first(home: Path, start_sandbox: Start) -> None:
    new = "sk-another-0123456789"
    sandbox = start_sandbox(keys=(KEY, new))
    file = home / "keys" / "p.key"
    for key in (KEY, new):
        screen = start(base=sandbox.url)
        screen.answer("API key", key)
        screen.wait(str(file), "which only you can read")
        screen.answer("Where should the key be stored? [1]")
        rest(screen)
        screen.wait("✓ Saved", f"Its key comes from file:{file} (kimi.yml)", "Next: amx-kimi run")
        assert screen.end() == 0
        assert file.read_text() == f"{key}\n"
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert read(home)["llm_profiles"]["p"]["api_key"] == ""
    assert read(home, "kimi.yml")["profiles"]["p"] == {"api_key_ref": f"file:{file}"}
    assert KEY not in screen.text
    held = [path for path in home.rglob("*") if path.is_file() and new in path.read_text()]
    assert held == [file]


@pytest.mark.parametrize(("name", "said"), [("cn", "12.50 CNY"), ("", "12.50 (unknown currency)")])
def test_a_balance_has_its_currency(home: Path, start_sandbox: Start, name: str, said: str) -> None:
    sandbox = start_sandbox(balance=12.5, keys=(KEY,))
    home.mkdir()
    if name:
        ours = f"endpoints: {{moonshot-{name}: {{url: {sandbox.url}}}}}\n"
        (home / "kimi.yml").write_text(ours)
    screen = start(base=sandbox.url, AMX_LLM_API_KEY=KEY)
    screen.answer("API key")
    screen.wait(f"balance {said}")
    screen.type("\x03", enter=False)
    assert screen.end() == 130
