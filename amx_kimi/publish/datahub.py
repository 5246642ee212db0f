"""DataHub: streams a file of metadata change proposals, for DataHub's file source and REST sink.

- Editable descriptions are created only if a dataset has none yet (`CREATE` with `If-None-Match`,
  which the server ignores if the aspect exists). What people wrote in DataHub is never replaced.
- Provenance goes into the dataset's custom properties, as a patch.
- The file is plain JSON, so DataHub's package is not needed (format of acryl-datahub 1.7, November
  2026).
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from pathlib import PurePath
from typing import IO, Any

from amx_kimi.databases.registry import kind_of
from amx_kimi.journal import Described, Run
from amx_kimi.publish.choose import Choice
from amx_kimi.publish.export import written_by

__all__ = ["ENVIRONMENTS", "Home", "home_of", "write_datahub"]

ENVIRONMENTS = (
    *("PROD", "DEV", "TEST", "QA", "UAT", "EI", "PRE", "STG", "NON_PROD", "CORP", "RVW", "PRD"),
    *("TST", "SIT", "SBX", "SANDBOX", "CERT"),
)
_ACTOR = "urn:li:corpuser:amx-kimi"
_RESERVED = str.maketrans({",": "%2C", "(": "%28", ")": "%29", "\u241f": "%E2%90%9F"})


@dataclass(frozen=True)
class Home:
    """Where the tables are in DataHub: `platform` (postgres, snowflake …), the `database` part of
    their names, a platform `instance`, and the environment."""

    platform: str
    database: str = ""
    instance: str = ""
    env: str = "PROD"

    def urn(self, schema: str, table: str) -> str:
        """A dataset's URN."""
        parts = (self.instance, self.database, schema, table)
        name = ".".join(part for part in parts if part).translate(_RESERVED)
        return f"urn:li:dataset:(urn:li:dataPlatform:{self.platform},{name},{self.env})"


def home_of(run: Run) -> Home:
    """The platform and database of a run, from the database that it described."""
    name, _, rest = run.database.partition(":")
    kind = kind_of(run.database)
    if kind is None or kind.name == "files":
        return Home(name)
    database = PurePath(rest).stem if kind.file else rest.rpartition("/")[2]
    return Home(kind.platform or kind.name, database)


def write_datahub(
    file: IO[str], run: Run, rows: Iterable[Described], choice: Choice, home: Home
) -> int:
    """Write a JSON array of proposals, up to three per table; returns how many descriptions."""
    count = 0
    file.write("[")
    separator = "\n"
    tables = groupby(rows, key=lambda row: (row.item.schema, row.item.table))
    for (schema, table), group in tables:
        chosen = [(row, text) for row in group if (text := choice.text(row)) is not None]
        for proposal in _proposals(run, chosen, home.urn(schema, table)) if chosen else ():
            file.write(separator + json.dumps(proposal, ensure_ascii=False))
            separator = ",\n"
        count += len(chosen)
    file.write("\n]\n")
    return count


def _proposals(run: Run, chosen: list[tuple[Described, str]], urn: str) -> Iterator[dict[str, Any]]:
    stamp = {"time": _milliseconds(run.started_at), "actor": _ACTOR}
    audit = {"created": stamp, "lastModified": stamp}
    fields = [
        {"fieldPath": row.item.column, "description": text}
        for row, text in chosen
        if row.item.column
    ]
    own = next((text for row, text in chosen if not row.item.column), None)
    if own is not None:
        yield _create(urn, "editableDatasetProperties", {**audit, "description": own})
    if fields:
        yield _create(urn, "editableSchemaMetadata", {**audit, "editableSchemaFieldInfo": fields})
    properties = _provenance(run, [row for row, _ in chosen])
    yield {
        "entityType": "dataset",
        "entityUrn": urn,
        "changeType": "PATCH",
        "aspectName": "datasetProperties",
        "aspect": {
            "contentType": "application/json-patch+json",
            "value": json.dumps(
                [
                    {"op": "add", "path": f"/customProperties/amx_kimi.{key}", "value": value}
                    for key, value in properties.items()
                ],
                ensure_ascii=False,
            ),
        },
    }


def _create(urn: str, aspect: str, value: dict[str, Any]) -> dict[str, Any]:
    return {
        "entityType": "dataset",
        "entityUrn": urn,
        "changeType": "CREATE",
        "aspectName": aspect,
        "aspect": {"json": value},
        "headers": {"If-None-Match": "*"},
    }


def _provenance(run: Run, rows: list[Described]) -> dict[str, str]:
    """Custom properties: texts only. `columns` is JSON, by column ("" is the table itself)."""
    columns = {
        row.item.column: [
            row.suggestion.confidence if row.suggestion else "",
            written_by(row) or "",
            row.decision.by if row.decision else "",
        ]
        for row in rows
    }
    return {
        "generated_by": "AI-generated",
        "model": ", ".join(sorted({row.model or run.model for row in rows})),
        "run": run.id,
        "reviewers": ", ".join(sorted({row.decision.by for row in rows if row.decision})),
        "columns": json.dumps(columns, ensure_ascii=False),
    }


def _milliseconds(when: str) -> int:
    return round(datetime.fromisoformat(when).timestamp() * 1000)
