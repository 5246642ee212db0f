"""A run's task, and what a run works with once it is open."""

from dataclasses import dataclass, field
from typing import Literal

from amx_kimi.annotate.context import Context
from amx_kimi.annotate.prompt import Wanted
from amx_kimi.annotate.reader import Reader
from amx_kimi.conceal import shown
from amx_kimi.config import Profile
from amx_kimi.databases.base import Csv, Selection
from amx_kimi.errors import ConfigError
from amx_kimi.journal import Journal
from amx_kimi.redact import Redactor

__all__ = ["Job", "OpenRun", "wanted_by"]


@dataclass(frozen=True)
class Job:
    """A run's task.

    - `all_columns`: include columns that have a comment
    - `limit`: describe at most so many columns
    - `batch_size`: columns per request
    - `samples`: False sends no values; `names_only`: send only names, types and keys
    - `profile_data`: read rows of tables for which the database has no statistics
    - `only_changed`: only columns that are new or with a changed type since earlier runs; with
      `data`, also those whose statistics changed
    - `share`: ask once about a technical column that many tables have
    - `again_of`: ask again about the low-confidence results of this run, and nothing else
    - `keep_known`: reuse descriptions from other models or styles
    - `context`: what people wrote; `csv`: how CSV and TSV files are read
    """

    profile: Profile
    selection: Selection = field(default_factory=Selection)
    wanted: Wanted = field(default_factory=Wanted)
    all_columns: bool = False
    limit: int | None = None
    batch_size: int | None = None
    samples: bool = True
    names_only: bool = False
    profile_data: bool = False
    only_changed: Literal["", "schema", "data"] = ""
    share: bool = True
    again_of: str = ""
    keep_known: bool = False
    context: Context = field(default_factory=Context)
    csv: Csv = field(default_factory=Csv)

    @property
    def redactor(self) -> Redactor:
        """Decides what this run may send."""
        return Redactor(self.profile.masking, samples=self.samples, names_only=self.names_only)

    @property
    def fixed_size(self) -> int | None:
        """Columns per request if fixed, by the caller or by `batch: fixed` in kimi.yml."""
        if self.batch_size is None and self.profile.overlay.batch == "fixed":
            return self.profile.column_batch_size
        return self.batch_size


_LANGUAGES = {"english": "en", "german": "de", "deutsch": "de", "turkish": "tr", "chinese": "zh"}
_LONGEST_LANGUAGE = 40


def wanted_by(profile: Profile, language: str = "", *, markup: bool = False) -> Wanted:
    """What a profile asks of each description, in its own language or another one.

    Raises:
        ConfigError: that is not the name of a language.
    """
    value = language or profile.language
    letters = value.replace("-", "").replace(" ", "")
    if not letters.isalpha() or len(value) > _LONGEST_LANGUAGE:
        raise ConfigError(
            f"{shown(value)} is not a language",
            remedy="Set `language` (or --language) to a name or a code, such as en or de.",
        )
    return Wanted(
        # AMX writes `english` into every profile, and the contract says `en`: use one word.
        language=_LANGUAGES.get(value.lower(), value.lower()),
        alternatives=profile.n_alternatives,
        style=profile.description_verbosity,
        markup=markup,
    )


@dataclass(frozen=True)
class OpenRun:
    """A running run: its id in the journal, its job, and its open database."""

    id: str
    job: Job
    journal: Journal
    reader: Reader
