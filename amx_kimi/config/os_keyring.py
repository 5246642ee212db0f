"""The OS keyring, where AMX keeps its secrets, too: service `amx`, two slots for a profile's key.

amx-kimi uses the slot `//amx/<profile>/api_key`, as in AMX's documentation. AMX's next save copies
the key to its own slot, `llm_profiles/<profile>/api_key`.
"""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from amx_kimi.errors import KeyringError
from amx_kimi.types import Secret

__all__ = [
    "KeyringState",
    "forget_keys",
    "key_reference",
    "key_slots",
    "keyring_get",
    "keyring_state",
    "resolve_secret",
    "store_key",
]

_SERVICE = "amx"
_PREFIX = "keyring:"
_PATIENCE = 60.0  # a desktop may be asking for the keyring's password
_REMEDY = (
    "Refer to the key instead: api_key_ref: env:NAME or file:/path in kimi.yml, "
    "or export AMX_LLM_API_KEY."
)


@dataclass(frozen=True)
class KeyringState:
    """Whether the OS keyring can store a key; and its name, or what is missing."""

    usable: bool
    description: str


def keyring_state() -> KeyringState:
    """The OS keyring that would be used."""
    try:
        backend = _guarded(lambda keyring: keyring.get_keyring())
    except KeyringError as error:
        return KeyringState(False, error.message)
    if backend.priority <= 0:  # keyring's fail and null backends
        return KeyringState(False, "there is no usable keyring on this system")
    if "plaintext" in type(backend).__name__.lower():
        return KeyringState(False, f"{backend.name} stores secrets in plain text")
    return KeyringState(True, f"the keyring {backend.name}")


def key_reference(profile_name: str) -> str:
    """The value of `api_key` for a key in the keyring: `keyring://amx/<profile>/api_key`."""
    return _PREFIX + key_slots(profile_name)[0]


def key_slots(profile_name: str) -> tuple[str, str]:
    """The usernames under which the keyring may hold a profile's key: amx-kimi's, and AMX's."""
    return f"//{_SERVICE}/{profile_name}/api_key", f"llm_profiles/{profile_name}/api_key"


def resolve_secret(reference: str) -> str | None:
    """The value behind AMX's `keyring:…` reference; any other text is the value itself."""
    if reference.startswith(_PREFIX):
        return keyring_get(reference.removeprefix(_PREFIX))
    return reference or None


def store_key(profile_name: str, key: Secret) -> str:
    """Store a key in the OS keyring where plain AMX finds it; returns its reference for `api_key`.

    Raises:
        KeyringError: there is no usable keyring, or it refused; the key was written nowhere.
    """
    username = key_slots(profile_name)[0]
    state = keyring_state()
    if not state.usable:
        raise KeyringError(f"The key was not stored: {state.description}", remedy=_REMEDY)
    _guarded(lambda keyring: keyring.set_password(_SERVICE, username, key.reveal()))
    if keyring_get(username) != key.reveal():
        raise KeyringError(
            f"{state.description} accepted the key but does not return it", remedy=_REMEDY
        )
    return key_reference(profile_name)


def forget_keys(slots: Iterable[str]) -> list[str]:
    """Delete the secrets of these usernames; returns the usernames that had one.

    Raises:
        KeyringError: the keyring is locked, denies or fails.
    """
    found = [slot for slot in slots if keyring_get(slot) is not None]
    _guarded(lambda keyring: [keyring.delete_password(_SERVICE, slot) for slot in found])
    return found


def keyring_get(username: str) -> str | None:
    """The password that the keyring holds for AMX under `username`, or None.

    Raises:
        KeyringError: the keyring is locked, denies or fails.
    """
    value = _guarded(lambda keyring: keyring.get_password(_SERVICE, username))
    return str(value) if value is not None else None


def _guarded(call: Callable[[Any], Any]) -> Any:
    """`call(keyring)` in a thread, because a backend may wait for a prompt that nobody sees."""
    result: list[Any] = []
    failure: list[Exception] = []

    def work() -> None:
        import keyring
        from keyring.errors import NoKeyringError

        try:
            result.append(call(keyring))
        except NoKeyringError:
            result.append(None)
        except Exception as error:  # backends are plugins: no module, no D-Bus, a locked collection
            failure.append(error)

    thread = threading.Thread(target=work, name="keyring", daemon=True)
    thread.start()
    thread.join(_PATIENCE)
    if failure:
        said = f"{type(failure[0]).__name__}: {failure[0]}"
        raise KeyringError(f"The OS keyring refused: {said}", remedy=f"Unlock it. {_REMEDY}")
    if not result:
        raise KeyringError(
            f"The OS keyring did not answer within {_PATIENCE:.0f} seconds",
            remedy=f"It may be waiting for its password. Unlock it. {_REMEDY}",
        )
    return result[0]
