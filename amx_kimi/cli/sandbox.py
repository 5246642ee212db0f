"""`amx-kimi sandbox`: the stand-in server; each field of its `Options` is a flag."""

from dataclasses import Field, fields
from types import NoneType
from typing import Any, get_args, get_type_hints

import click

from amx_kimi.cli.common import KimiCommand, warn
from amx_kimi.sandbox.options import LOGPROBS, REGIONS, USAGE_SHAPES, Options

__all__ = ["sandbox"]

_DURATIONS = ("minute", "latency", "chunk_delay")
_CHOICES = {"region": REGIONS, "usage_shape": USAGE_SHAPES, "logprobs": LOGPROBS}
_METAVARS = {"faults": "LIST", **dict.fromkeys(_DURATIONS, "DURATION")}


class _Duration(click.ParamType):  # type: ignore[type-arg]  # no generic before click 8.2
    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """`3`, `3s`, `250ms` or `0.5m` as seconds."""
        if isinstance(value, float):
            return value
        text, factor = str(value), 1.0
        for unit, seconds in (("ms", 0.001), ("s", 1.0), ("m", 60.0)):
            if text.endswith(unit):
                text, factor = text.removesuffix(unit), seconds
                break
        try:
            return float(text) * factor
        except ValueError:
            self.fail(f"{value!r} is not a valid duration, such as 3s or 250ms", param, ctx)


def _option(field: "Field[Any]", hint: Any) -> click.Option:
    name = field.name.replace("_", "-")
    about = field.metadata["help"]
    about = f"{about[0].upper()}{about[1:]}"
    if hint is bool:
        return click.Option(
            [f"--{name}/--no-{name}"], default=field.default, show_default=True, help=f"{about}."
        )
    if isinstance(field.default, tuple):
        return click.Option(
            [f"--{name.removesuffix('s')}", field.name],
            multiple=True,
            metavar="TEXT",
            help=f"{about} (repeatable).",
        )
    return click.Option(
        [f"--{name}"],
        type=_type_of(field.name, hint),
        metavar=None if field.name in _CHOICES else _METAVARS.get(field.name, "N"),
        default=f"{field.default:g}s" if field.name in _DURATIONS else field.default,
        show_default=field.default not in (None, ""),
        help=f"{about}.",
    )


def _type_of(name: str, hint: Any) -> Any:
    if name in _CHOICES:
        return click.Choice(_CHOICES[name])
    if name in _DURATIONS:
        return _Duration()
    return next((arg for arg in get_args(hint) if arg is not NoneType), hint)


def _run(**values: Any) -> None:
    from amx_kimi.sandbox import serve

    try:
        options = Options(**values)
    except ValueError as error:
        raise click.UsageError(str(error)) from None

    def ready(url: str) -> None:
        click.echo(url)
        warn(
            "This is a stand-in for tests and trials. It answers by rules; it is not Kimi. "
            "Ctrl-C stops it."
        )

    try:
        serve(options, ready)
    except OSError as error:
        raise click.ClickException(f"Port {options.port} cannot be used: {error}") from None


_HINTS = get_type_hints(Options)

sandbox = KimiCommand(
    "sandbox",
    callback=_run,
    params=[_option(field, _HINTS[field.name]) for field in fields(Options)],
    help="Serve a stand-in for Kimi, for tests and trials.\n\n"
    "It listens on loopback, prints its base URL, and answers by rules. GET /_sandbox says what it "
    "saw; POST /_sandbox changes an option; DELETE /_sandbox forgets what it saw.",
)
