"""Sets up the demo: the sample ERP, the sandbox, and a profile in a temporary folder."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from amx_kimi.config import save_profile
from amx_kimi.demo.erp import build_sqlite
from amx_kimi.sandbox import Options, Sandbox
from amx_kimi.settings import Settings

__all__ = ["Stage", "set_stage"]

PROFILE = "demo"


@dataclass(frozen=True)
class Stage:
    """Everything that a demo run needs; deleted when the context ends."""

    folder: Path
    database: Path
    settings: Settings
    sandbox: Sandbox


@contextmanager
def set_stage(model: str) -> Iterator[Stage]:
    """Build the sample database and start the sandbox; nothing touches the user's own files."""
    with (
        tempfile.TemporaryDirectory(prefix="amx-kimi-demo-") as name,
        Sandbox(Options(auth=False, latency=0.3, chunks=20)) as sandbox,
    ):
        folder = Path(name)
        database = folder / "erp.db"
        build_sqlite(database)
        save_profile(
            folder,
            PROFILE,
            {"provider": "kimi", "model": model, "api_base": sandbox.url, "n_alternatives": 3},
            {"endpoint": "sandbox"},
            endpoints={
                "sandbox": {
                    "url": sandbox.url,
                    "auth": "none",
                    "currency": "USD",
                    "list_prices": True,
                }
            },
        )
        yield Stage(folder, database, Settings(config_dir=folder), sandbox)
