"""Where a key is looked for, in which order, and what is said when there is none."""

import os
import unicodedata
from collections.abc import Callable
from pathlib import Path

import keyring.core
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as limits
from hypothesis import strategies as st
from keyring.errors import KeyringLocked

from amx_kimi.config import find_key, keyring_state, load_profile, store_key
from amx_kimi.config.os_keyring import resolve_secret
from amx_kimi.errors import ConfigError, KeyringError, MissingKeyError
from amx_kimi.settings import Settings
from amx_kimi.types import Secret

Write = Callable[[str, str], Path]
KEY = "sk-0123456789abcdef"


@pytest.fixture
def key_of(write: Write) -> Callable[..., str]:
    """The key and its place for a profile with this `api_key` and `api_key_ref`, as one text."""

    def find(api_key: str = "", reference: str = "", endpoint: str = "moonshot-ai") -> str:
        write(
            "config.yml",
            f"llm_profiles: {{p: {{provider: kimi, model: kimi-k3, api_key: {api_key!r}}}}}",
        )
        write("kimi.yml", f"profiles: {{p: {{endpoint: {endpoint}, api_key_ref: {reference!r}}}}}")
        found = find_key(load_profile(), Settings.from_environment())
        assert KEY not in repr(found)
        return f"{found.secret.reveal() if found.secret else None} from {found.where}"

    return find


def test_a_literal_key(key_of: Callable[..., str]) -> None:
    assert key_of("sk-literal") == "sk-literal from config.yml, in plain text"


def test_a_reference_to_a_variable(
    key_of: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KIMI_KEY", f" {KEY} ")
    assert key_of("", "env:MY_KIMI_KEY") == f"{KEY} from kimi.yml: api_key_ref env:MY_KIMI_KEY"


@pytest.mark.parametrize("place", ["{home}/key", "~/key"])
def test_a_reference_to_a_file(key_of: Callable[..., str], home: Path, place: str) -> None:
    (home.parent / "key").write_text(f"{KEY}\n")
    reference = "file:" + place.format(home=home.parent)
    assert key_of("", reference) == f"{KEY} from kimi.yml: api_key_ref {reference}"


def test_the_order_of_the_places(
    key_of: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KIMI_KEY", "sk-reference")
    monkeypatch.setenv("AMX_LLM_API_KEY", "sk-fallback")
    assert key_of("sk-literal", "env:MY_KIMI_KEY").startswith("sk-reference from kimi.yml")
    assert key_of("sk-literal").startswith("sk-literal from config.yml")
    assert key_of() == "sk-fallback from environment: AMX_LLM_API_KEY"


@pytest.mark.parametrize("reference", ["env:UNSET_KIMI_KEY", "file:/no/such/key"])
def test_a_place_that_is_named_is_the_only_one(
    key_of: Callable[..., str], monkeypatch: pytest.MonkeyPatch, reference: str
) -> None:
    monkeypatch.setenv("AMX_LLM_API_KEY", "sk-fallback")
    with pytest.raises(MissingKeyError) as caught:
        key_of("sk-literal", reference)
    assert reference in caught.value.message
    assert "config.yml" not in caught.value.message
    assert "AMX_LLM_API_KEY" not in str(caught.value)
    assert "where api_key_ref points" in caught.value.remedy


def test_a_dead_keyring_reference_falls_back(
    key_of: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AMX_LLM_API_KEY", "sk-fallback")
    assert key_of("keyring://amx/p/api_key").startswith("sk-fallback from environment")


def test_an_endpoint_without_keys_needs_none(
    key_of: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AMX_LLM_API_KEY", "sk-of-another-endpoint")
    assert key_of("sk-literal", endpoint="cliproxy") == "None from none needed at cliproxy"


@pytest.mark.parametrize("name", ["OPENAI_API_KEY", "MOONSHOT_API_KEY", "KIMI_API_KEY"])
def test_another_providers_variable_is_never_used(
    key_of: Callable[..., str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "sk-someone-elses")
    with pytest.raises(MissingKeyError) as caught:
        key_of()
    assert name not in str(caught.value)
    assert os.environ[name] == "sk-someone-elses"


def test_when_nothing_is_found_every_place_is_named(key_of: Callable[..., str], home: Path) -> None:
    with pytest.raises(MissingKeyError) as caught:
        key_of()
    text = str(caught.value)
    assert "The profile 'p' has no API key" in text
    assert "kimi.yml: the profile has no api_key_ref" in text
    assert "config.yml: api_key is blank" in text
    assert "AMX_LLM_API_KEY is unset or blank" in text
    assert "platform.kimi.ai" in text
    with pytest.raises(MissingKeyError, match=r"api_key_ref env:UNSET_KIMI_KEY: unset or blank"):
        key_of("", "env:UNSET_KIMI_KEY")
    with pytest.raises(MissingKeyError, match=r"file:/no/such/key: No such file"):
        key_of("", "file:/no/such/key")
    with pytest.raises(MissingKeyError, match="no usable keyring"):
        key_of("keyring://amx/p/api_key")
    (home / "blank").write_text(" \n")
    with pytest.raises(MissingKeyError, match="blank: empty"):
        key_of("", f"file:{home / 'blank'}")
    (home / "latin").write_bytes(b"sk-\xff")
    with pytest.raises(MissingKeyError, match="not a text file"):
        key_of("", f"file:{home / 'latin'}")


def test_a_key_file_of_nobodys_home(key_of: Callable[..., str]) -> None:
    with pytest.raises(MissingKeyError, match="unknown home folder"):
        key_of("", "file:~nobody-of-this-name/key")


@pytest.mark.parametrize("reference", ["sk-literal-0123456789", "env:", "file:", "vault:x", ":"])
def test_a_reference_of_another_kind(key_of: Callable[..., str], reference: str) -> None:
    with pytest.raises(ConfigError, match="must be env:NAME or file:/path") as caught:
        key_of("sk-literal", reference)
    assert "literal" not in str(caught.value)  # it may be a key in the wrong place


@pytest.mark.parametrize("value", ["env:MY_KEY", "file:/run/secrets/key"])
def test_a_reference_where_amx_would_destroy_it(key_of: Callable[..., str], value: str) -> None:
    with pytest.raises(ConfigError, match="overwrite it") as caught:
        key_of(value)
    assert "api_key_ref" in caught.value.remedy


@pytest.mark.parametrize("key", ["sk-two words", "sk-line\nbreak", "sk-tab\tbed", "sk-…", "ключ"])
def test_a_malformed_key_is_refused_and_not_shown(
    key_of: Callable[..., str], home: Path, key: str
) -> None:
    (home.parent / "key").write_text(key, "utf-8")
    with pytest.raises(ConfigError, match="has blanks, line breaks") as caught:
        key_of("", f"file:{home.parent / 'key'}")
    assert key not in str(caught.value)


@given(text=st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\x00")))
@limits(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_file_holds_a_header_safe_key_or_is_refused(
    key_of: Callable[..., str], home: Path, text: str
) -> None:
    (home.parent / "key").write_text(text, "utf-8")
    try:
        key = key_of("", f"file:{home.parent / 'key'}").partition(" from ")[0]
    except (ConfigError, MissingKeyError):
        return
    assert f"Bearer {key}".encode("ascii")
    visible = "".join(c for c in text if unicodedata.category(c) != "Cf")
    assert key  # without what is often pasted around it
    assert key in visible


# --- without a keyring (conftest sets keyring's fail backend)


def test_without_a_keyring_a_key_is_stored_nowhere(home: Path) -> None:
    home.mkdir()
    assert not keyring_state().usable
    with pytest.raises(KeyringError) as caught:
        store_key("p", Secret(KEY))
    assert "not stored" in str(caught.value)
    assert "api_key_ref" in caught.value.remedy
    assert KEY not in str(caught.value)
    written = [path for path in home.parent.rglob("*") if path.is_file()]
    assert all(KEY not in path.read_text("utf-8", "replace") for path in written)


# --- with one: test_keyring.py has a real one; these are the ways in which one can fail


class Shelf:
    """A keyring backend in memory; with an `error`, one that only raises it."""

    name = "Shelf"
    priority = 1.0

    def __init__(self, error: Exception | None = None, keeps: bool = True) -> None:
        self.held: dict[tuple[str, str], str] = {}
        self.error = error
        self.keeps = keeps

    def get_password(self, service: str, username: str) -> str | None:
        if self.error:
            raise self.error
        return self.held.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        if self.error:
            raise self.error
        if self.keeps:
            self.held[service, username] = password


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Callable[[Shelf], None]:
    return lambda shelf: monkeypatch.setattr(keyring.core, "_keyring_backend", shelf)


def test_a_stored_key_is_found_again(
    key_of: Callable[..., str], use: Callable[[Shelf], None]
) -> None:
    shelf = Shelf()
    use(shelf)
    reference = store_key("p", Secret(KEY))
    assert reference == "keyring://amx/p/api_key"
    assert shelf.held == {("amx", "//amx/p/api_key"): KEY}
    assert key_of(reference) == f"{KEY} from the OS keyring, {reference}"
    shelf.held["amx", "llm_profiles/p/api_key"] = "sk-amx"
    assert key_of("keyring:llm_profiles/p/api_key").startswith("sk-amx from the OS keyring")
    with pytest.raises(MissingKeyError, match="not in the keyring Shelf"):
        key_of("keyring:llm_profiles/q/api_key")


def test_a_keyring_in_clear_is_not_used(
    key_of: Callable[..., str], use: Callable[[Shelf], None]
) -> None:
    class PlaintextKeyring(Shelf):
        """As keyrings.alt names its own."""

    shelf = PlaintextKeyring()
    use(shelf)
    assert not keyring_state().usable
    with pytest.raises(KeyringError, match="Shelf stores secrets in plain text"):
        store_key("p", Secret(KEY))
    assert shelf.held == {}
    with pytest.raises(MissingKeyError, match="stores secrets in plain text"):
        key_of("keyring://amx/p/api_key")


def test_a_keyring_that_forgets(use: Callable[[Shelf], None]) -> None:
    use(Shelf(keeps=False))
    with pytest.raises(KeyringError, match="does not return it"):
        store_key("p", Secret(KEY))


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (KeyringLocked("the collection is locked"), "KeyringLocked: the collection is locked"),
        (ConnectionResetError("D-Bus is gone"), "ConnectionResetError: D-Bus is gone"),
    ],
)
def test_a_keyring_that_refuses(
    key_of: Callable[..., str],
    use: Callable[[Shelf], None],
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    reason: str,
) -> None:
    use(Shelf(error))
    with pytest.raises(KeyringError, match="refused") as caught:
        store_key("p", Secret(KEY))
    assert KEY not in str(caught.value)
    with pytest.raises(KeyringError, match=reason):
        resolve_secret("keyring://amx/p/api_key")
    with pytest.raises(MissingKeyError, match=reason):
        key_of("keyring://amx/p/api_key")
    monkeypatch.setenv("AMX_LLM_API_KEY", KEY)
    assert key_of("keyring://amx/p/api_key").startswith(KEY)


@pytest.mark.parametrize(
    ("reference", "value"), [("", None), ("plain", "plain"), ("keyring://amx/p/api_key", None)]
)
def test_resolving_a_secret(reference: str, value: str | None) -> None:
    assert resolve_secret(reference) == value
