"""A real terminal of 24 lines with the program in it; and a real Secret Service for its keys."""

import os
import pty
import re
import shutil
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pexpect
import pyte
import pytest
from pexpect.fdpexpect import fdspawn

from tests import warm

NEEDED = ("dbus-run-session", "gnome-keyring-daemon")
MISSING = [name for name in NEEDED if shutil.which(name) is None]
needs_secret_service = pytest.mark.skipif(
    bool(MISSING) or not sys.platform.startswith("linux"),
    reason=f"no {' and no '.join(MISSING or NEEDED)} here (apt-get install dbus gnome-keyring)",
)
_START = (
    "printf %s pw | gnome-keyring-daemon --unlock --components=secrets >/dev/null; "
    'echo "$DBUS_SESSION_BUS_ADDRESS"; exec cat'
)
_CONTROLS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]|\r|\x07")


@contextmanager
def secret_service(home: Path) -> Iterator[dict[str, str]]:
    """An unlocked gnome-keyring in a D-Bus session of its own; yields the environment to use it."""
    runtime = home / "run"
    runtime.mkdir(mode=0o700, parents=True)
    environment = {"HOME": str(home), "XDG_RUNTIME_DIR": str(runtime), "PATH": os.environ["PATH"]}
    session = subprocess.Popen(
        ["dbus-run-session", "--", "sh", "-c", _START],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with session:
        assert session.stdout is not None
        address = session.stdout.readline().strip()
        assert address
        yield {
            "HOME": str(home),
            "XDG_RUNTIME_DIR": str(runtime),
            "DBUS_SESSION_BUS_ADDRESS": address,
            "PYTHON_KEYRING_BACKEND": "keyring.backends.SecretService.Keyring",
        }
        assert session.stdin is not None
        session.stdin.close()  # ends cat, and with it the session


def held_key(environment: dict[str, str], username: str) -> str | None:
    """What the keyring holds for AMX under `username`, asked with `keyring` alone."""
    script = "import keyring, sys; print(keyring.get_password('amx', sys.argv[1]) or '', end='')"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script, username],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout or None


def put_key(environment: dict[str, str], username: str, key: str) -> None:
    """Put a key into the keyring for AMX under `username`, with `keyring` alone."""
    script = "import keyring, sys; keyring.set_password('amx', sys.argv[1], sys.stdin.read())"
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script, username],
        input=key,
        env={**os.environ, **environment},
        text=True,
        check=True,
    )


class Screen:
    """`amx-kimi ARGUMENTS` in a pseudo-terminal of 24 lines."""

    def __init__(
        self, *arguments: str, env: dict[str, str] | None = None, columns: int = 80
    ) -> None:
        environment = {"TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1", **os.environ, **(env or {})}
        master, slave = pty.openpty()
        termios.tcsetwinsize(master, (24, columns))
        self._process = warm.start_in_terminal(
            "amx_kimi", *arguments, env=environment, terminal=os.ttyname(slave)
        )
        self._program = fdspawn(master, encoding="utf-8", timeout=30)
        while not os.tcgetpgrp(master) and self._process.is_alive():
            time.sleep(0.001)  # until it has opened the terminal as its own
        os.close(slave)  # so that its end is the terminal's
        self._all = ""

    @property
    def text(self) -> str:
        """All that was shown so far, without the terminal's control sequences."""
        return _CONTROLS.sub("", self._all)

    @property
    def raw(self) -> str:
        """All that was sent to the terminal so far."""
        return self._all

    def wait(self, *words: str) -> str:
        """Wait until these words have been shown, in order; what was shown since the last wait."""
        shown = ""
        for word in words:
            # Controls may stand between any two letters, and a line may be wrapped at a blank.
            between = r"(?:\x1b\[[0-9;?]*[A-Za-z]|\r|\n)*"
            letters = (r"\s+" if letter == " " else re.escape(letter) for letter in word)
            pattern = between.join(["", *letters])
            try:
                self._program.expect(pattern)
            except (pexpect.TIMEOUT, pexpect.EOF):
                self._all += self._program.before or ""
                raise AssertionError(f"{word!r} was not shown in:\n{self.text}") from None
            shown += f"{self._program.before}{self._program.after}"
            self._all += f"{self._program.before}{self._program.after}"
        return _CONTROLS.sub("", shown)

    def type(self, text: str, *, enter: bool = True) -> None:
        """Type a line."""
        self._program.send(text + ("\r" if enter else ""))

    def answer(self, question: str, text: str = "") -> str:
        """Wait for a question, and answer it."""
        shown = self.wait(question)
        self.wait(":")
        self.type(text)
        return shown

    def end(self) -> int:
        """Wait for the program's end; its exit code."""
        self._program.expect(pexpect.EOF)
        self._all += self._program.before or ""
        self._program.close()
        self._process.join(30)
        return int(self._process.exitcode if self._process.exitcode is not None else -1)


class Window(Screen):
    """The same for a program that draws the whole screen: what stands there now counts."""

    def __init__(
        self, *arguments: str, env: dict[str, str] | None = None, columns: int = 80
    ) -> None:
        super().__init__(*arguments, env=env, columns=columns)
        self._screen = pyte.Screen(columns, 24)
        self._stream = pyte.Stream(self._screen)

    def wait(self, *words: str) -> str:
        """Wait until all these words stand on the screen; returns it."""
        return self.until(lambda shown: all(word in shown for word in words), f"{words}")

    def until(self, condition: Callable[[str], bool], what: str) -> str:
        """Wait until a condition holds of what stands on the screen; returns that."""
        end = time.monotonic() + 30
        while not condition(self._shown):
            try:
                some = self._program.read_nonblocking(4096, timeout=1)
                self._all += some
                self._stream.feed(some)
            except pexpect.TIMEOUT:
                assert time.monotonic() < end, f"{what} do not stand in:\n{self._shown}"
            except pexpect.EOF:
                raise AssertionError(f"It ended, and {what} are not in:\n{self._shown}") from None
        return self._shown

    @property
    def _shown(self) -> str:
        return "\n".join(self._screen.display)
