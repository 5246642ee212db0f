"""An empty home with one profile, made as a user makes it."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["KEY", "PROGRAM", "home_with"]

KEY = "sk-bench-0123456789abcdef"
PROGRAM = (sys.executable, "-m", "amx_kimi")


@contextmanager
def home_with(preset: str, url: str) -> Iterator[dict[str, str]]:
    """The environment of a home whose active profile is this preset at this endpoint."""
    with tempfile.TemporaryDirectory() as home:
        env = {**os.environ, "HOME": home, "AMX_LLM_API_KEY": KEY}
        add = ["add-llm-profile", "p", "--preset", preset, "--api-base", url]
        subprocess.run(
            [*PROGRAM, *add, "--activate", "--no-check"], env=env, check=True, capture_output=True
        )
        yield env
