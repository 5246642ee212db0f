"""What a process that others are forks of has imported, and read: see `tests.warm`."""

import importlib
import pkgutil

import duckdb  # noqa: F401
import litellm  # noqa: F401
import psycopg  # noqa: F401
import sqlalchemy.dialects.postgresql
import sqlalchemy.dialects.sqlite  # noqa: F401

import amx_kimi
from amx_kimi.redact import Redactor, redact_text
from amx_kimi.tokens import count_tokens
from amx_kimi.types import Item

for module in pkgutil.walk_packages(amx_kimi.__path__, "amx_kimi."):
    if not module.name.startswith(("amx_kimi.bridge", "amx_kimi.litellm", "amx_kimi.__main__")):
        importlib.import_module(module.name)
count_tokens("")
redact_text("")  # reads the tables of words and keys
Redactor().mask(Item("", "t", "c", "column", 1), "Anna Weber", 9)
