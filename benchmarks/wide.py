"""A SQLite database with as many columns as one wants, and a client whose answers cost nothing."""

import json
import sqlite3
from decimal import Decimal
from pathlib import Path

from amx_kimi.client import Budget
from amx_kimi.config import Profile
from amx_kimi.facts import load_catalog
from amx_kimi.settings import Settings
from amx_kimi.types import Ask, Attempt, Reply, Usage

__all__ = ["FreeClient", "build", "profile"]

COLUMNS_PER_TABLE = 50
_WORDS = ("kdnr", "betrag", "waehr", "status_kz", "anl_dat", "menge", "lager_ort", "rab_pz")


def build(path: Path, columns: int) -> None:
    """Tables of 50 columns with twenty rows each."""
    connection = sqlite3.connect(path)
    for table in range(columns // COLUMNS_PER_TABLE):
        names = [f"{_WORDS[i % len(_WORDS)]}_{i}" for i in range(COLUMNS_PER_TABLE)]
        typed = ", ".join(f"{name} VARCHAR(20)" for name in names)
        connection.execute(f"CREATE TABLE tab_{table:05d} ({typed})")
        row = [f"V{i % 7}" for i in range(COLUMNS_PER_TABLE)]
        marks = ", ".join("?" * COLUMNS_PER_TABLE)
        connection.executemany(f"INSERT INTO tab_{table:05d} VALUES ({marks})", [row] * 20)
    connection.commit()
    connection.close()


def profile() -> Profile:
    """kimi-k2.6 with thinking off, three wordings."""
    endpoint = load_catalog().endpoint("moonshot-ai")
    assert endpoint is not None
    return Profile("bench", endpoint, model="kimi-k2.6")


class FreeClient:
    """Answers at once, in this process, by the contract: what is left is our own work."""

    def __init__(self, settings: Settings) -> None:
        self.profile = profile()
        self.facts = self.profile.facts()
        self.settings = settings
        self.budget = Budget()
        self.requests = 0
        self.places = 8
        self.held = 0.0
        self.on_change = lambda: None

    async def chat(self, ask: Ask) -> Reply:
        """An answer to each item of the question."""
        self.requests += 1
        question = json.loads(ask.messages[-1]["content"])
        wordings = ["What the column holds, in a sentence of a usual length."] * 3
        wordings = [f"{text} ({number})" for number, text in enumerate(wordings)]
        entries = {}
        for table in question["tables"]:
            if table["ask"]:
                entries[f"{table['id']} {table['name']}"] = ["h", *wordings]
            for column in table["columns"]:
                entries[f"{column['id']} {column['name']}"] = ["m", *wordings]
        content = json.dumps(entries)
        usage = Usage(ask.prompt_tokens, 0, len(content) // 4)
        attempt = Attempt(1, "first", 16384, "ok", usage, Decimal(0), 0.0)
        return Reply(content, "", "stop", usage, Decimal(0), "free", attempts=(attempt,))
