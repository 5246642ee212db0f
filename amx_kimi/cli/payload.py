"""`amx-kimi payload`: prints what a run would send."""

import json
from typing import Any

import click

from amx_kimi.cli.common import KimiCommand, echo_json, say, warn
from amx_kimi.cli.options import database_options, json_option, profile_option, prompt_options

__all__ = ["payload"]


@click.command(cls=KimiCommand)
@database_options
@profile_option
@click.option("--all", "all_columns", is_flag=True, help="Include columns that have a comment.")
@prompt_options
@click.option("--no-input", is_flag=True, help="Never ask questions, such as for a password.")
@json_option
def payload(urls: tuple[str, ...], db_profile: str | None, as_json: bool, **options: Any) -> None:
    """Print exactly what `run` would send; send nothing.

    Each request is printed with the SHA-256 digest of its messages. A run stores the same digests
    in the journal.

    The requests are those of a first run: columns that an earlier run described are included. With
    --json, each line is one object with the whole body.
    """
    import anyio

    from amx_kimi.annotate.payload import payloads
    from amx_kimi.cli.run import job_from
    from amx_kimi.cli.target import find_target
    from amx_kimi.config import load_profile
    from amx_kimi.settings import Settings

    settings = Settings.from_environment()
    job = job_from(load_profile(options["profile"], settings), options)
    target = find_target(urls, db_profile, settings, options)

    async def go() -> None:
        number = 0
        system = ""
        notes: list[str] = []
        async for found in payloads(job, target, settings, notes):
            number += 1
            if as_json:
                echo_json({"about": found.label, "digest": found.digest, "body": found.body})
                continue
            rest = {key: value for key, value in found.body.items() if key != "messages"}
            say(f"Request {number}: {found.label}\nDigest:  {found.digest}")
            click.echo(f"Other fields: {json.dumps(rest, ensure_ascii=False)}")
            for message in found.body["messages"]:
                same = message["role"] == "system" and message["content"] == system
                click.echo(f"--- {message['role']}" + (" (as above)" if same else ""))
                if not same:
                    click.echo(message["content"])
                if message["role"] == "system":
                    system = message["content"]
            click.echo()
        if not number:
            click.echo("Nothing would be sent: every column has a comment (--all asks again).")
        for note in notes:
            warn(note, label="Note")

    anyio.run(go)
