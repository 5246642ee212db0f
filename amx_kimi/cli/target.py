"""Asking for a database password on a terminal, so that it needs to stand in no command line."""

from dataclasses import replace

import click

from amx_kimi.annotate.execute import Target
from amx_kimi.annotate.sources import open_source
from amx_kimi.errors import SourceError

__all__ = ["with_password"]


def with_password(target: Target, *, ask: bool) -> Target:
    """The target as it is, or with the password that its server turned out to want.

    Raises:
        SourceError: it cannot be opened for another reason.
    """
    if not ask:
        return target
    try:
        open_source(target.url).close()
    except SourceError as error:
        if "no password supplied" not in error.message:
            raise
    else:
        return target
    from sqlalchemy.engine import make_url

    password = click.prompt("Database password", hide_input=True, err=True)
    return replace(target, url=make_url(target.url).set(password=password))
