"""What a process that others are forks of has imported, and read: see `tests.warm`."""

import gc
import importlib
from pathlib import Path

import anyio
import certifi
import duckdb  # noqa: F401
import httpcore  # noqa: F401
import psycopg  # noqa: F401
import sqlalchemy.dialects.postgresql
import sqlalchemy.dialects.sqlite  # noqa: F401

import amx_kimi
from amx_kimi.client.http import _usual_tls
from amx_kimi.redact import Redactor, redact_text
from amx_kimi.tokens import count_tokens
from amx_kimi.types import Item

_ROOT = Path(amx_kimi.__path__[0])
for path in sorted(_ROOT.rglob("*.py")):
    name = ".".join(path.relative_to(_ROOT.parent).with_suffix("").parts)
    if not name.startswith(("amx_kimi.bridge", "amx_kimi.litellm", "amx_kimi.__main__")):
        importlib.import_module(name.removesuffix(".__init__"))
count_tokens("")
redact_text("")  # reads the tables of words and keys
for value in ("Anna Weber", "12 34 56 7"):  # names, and phone numbers of countries
    Redactor().mask(Item("", "t", "c", "column", 1), value, 9)
_usual_tls(certifi.where())  # reads the certificate authorities
anyio.run(anyio.sleep, 0)
gc.collect()
gc.freeze()  # or every fork looks through all of it, and has to copy it for that
