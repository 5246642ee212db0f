"""What a run may cost: the cap, and the question before an expensive run."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import click

from amx_kimi.text import counted

if TYPE_CHECKING:
    from amx_kimi.annotate.estimate import Estimate
    from amx_kimi.annotate.run import Spend
    from amx_kimi.config import Profile

__all__ = ["amount", "spend_of"]

_ASK_ABOVE = {"USD": Decimal(1), "CNY": Decimal(7)}  # above this estimate, the user is asked


def amount(text: str | None) -> Decimal | None:
    """The value of `--max-cost`.

    Raises:
        click.BadParameter: it is not a positive amount.
    """
    from amx_kimi.client.budget import cap_of
    from amx_kimi.errors import ConfigError

    try:
        return cap_of(text)
    except ConfigError as error:
        raise click.BadParameter(error.message, param_hint="--max-cost") from None


def spend_of(profile: "Profile", options: dict[str, Any]) -> "Spend":
    """The cap, and the question about money.

    Nothing is asked with a cap or --yes; without a terminal, one of these is required.
    """
    from amx_kimi.annotate.run import Spend
    from amx_kimi.cli.outcome import known_in_words
    from amx_kimi.errors import ConfigError

    if options["max_cost"] is not None or options["yes"]:
        return Spend(options["max_cost"])
    currency = profile.facts().currency or ""

    def agree(found: "Estimate") -> bool:
        known = f" ({known_in_words(found.known)})" if found.known else ""
        requests = counted(found.requests, "request")
        what = (
            f"{found.in_words} in about {requests} may cost "
            f"{found.least:.2f} to {found.most:.2f} {currency} (an estimate){known}"
        )
        if options["no_input"] or not sys.stdin.isatty():
            raise ConfigError(
                f"Not started: {what}", remedy="Use --max-cost X or --yes to start without asking."
            )
        with _interruptible():
            return click.confirm(f"{what}. Continue?", err=True)

    return Spend(None, agree, _ASK_ABOVE.get(currency, Decimal(1)))


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C end a question at once; the event loop's handler would wait for the answer."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
