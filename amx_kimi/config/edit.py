"""Changes a YAML file that people and AMX also write: comments, order and all else stay."""

import io
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from amx_kimi.config.files import rewrite
from amx_kimi.errors import ConfigFileError
from amx_kimi.plain_yaml import UNREADABLE, YAMLTextError, load_yaml

__all__ = ["edit_yaml", "put_entry", "quoted", "rename_entry"]

Document = dict[str, Any]
_COMMENTS_AT_END = re.compile(r"\n([ \t]*(#[^\n]*)?\n)+\Z")


def edit_yaml(
    path: Path, change: Callable[[Document], None], *, cut: tuple[str, str] | None = None
) -> None:
    """Remove the entry `cut` (section, name) from a YAML document, then `change` it in place.

    Raises:
        ConfigFileError: the file is broken or cannot be written; it is unchanged.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.constructor import DuplicateKeyError
    from ruamel.yaml.error import YAMLError

    round_trip = YAML()
    round_trip.preserve_quotes = True
    round_trip.width = 4096

    def rewritten(text: str) -> str:
        try:
            load_yaml(text)
            document = round_trip.load(_without(text, *cut) if cut else text)
        except YAMLTextError as error:
            line = f", line {error.line}" if error.line else ""
            raise ConfigFileError(
                f"{path}{line}: not valid YAML: {error}; it is unchanged"
            ) from None
        except YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            line = f", line {mark.line + 1}" if mark else ""
            # AMX reads the last of two equal keys; amx-kimi would have to choose which to change.
            double = isinstance(error, DuplicateKeyError)
            what = "this key occurs twice" if double else "not valid YAML"
            raise ConfigFileError(f"{path}{line}: {what}; it is unchanged") from None
        except RecursionError:
            raise ConfigFileError(f"{path}: it is nested too deeply; it is unchanged") from None
        except UNREADABLE as error:  # ruamel.yaml reads a plain `-_` as a number, and fails
            raise ConfigFileError(f"{path}: {error}; it is unchanged") from None
        document = {} if document is None else document
        if not isinstance(document, dict):
            raise ConfigFileError(f"{path}: expected a mapping at the top; it is unchanged")
        if cut:  # an entry in flow style is still there
            section = document.get(cut[0])
            key = _key(section, cut[1])
            if isinstance(section, dict) and key in section:
                del section[key]
                if not section:  # else its comments would be written before the braces
                    document[cut[0]] = {}
        change(document)
        stream = io.StringIO()
        round_trip.dump(document, stream)
        try:
            load_yaml(stream.getvalue())
        except YAMLTextError:
            raise ConfigFileError(
                f"{path} has a form that amx-kimi cannot change; it is unchanged",
                remedy="Edit it by hand, or remove its comments.",
            ) from None
        return stream.getvalue()

    rewrite(path, rewritten)


def put_entry(document: Document, section: str, name: str, fields: Mapping[str, Any]) -> None:
    """Set fields of one entry of a section; None removes a field.

    The mapping is changed in place, because a new one would lose its comments.
    """
    if not document.get(section):
        document[section] = {}
    entries = document[section]
    key = _key(entries, name)
    if not isinstance(entries.get(key), dict):
        entries[key] = {}
    for field, value in fields.items():
        if value is None:
            entries[key].pop(field, None)
        else:
            entries[key][quoted(field)] = quoted(value)


def rename_entry(document: Document, section: str, old: str, new: str) -> None:
    """Give an entry of a section another name; its place and comments stay."""
    entries = document.get(section)
    key = _key(entries, old)
    if not isinstance(entries, dict) or key not in entries:
        return
    place = list(entries).index(key)
    comments = getattr(entries, "ca", None)
    comment = comments.items.pop(key, None) if comments else None
    entries.insert(place, quoted(new), entries.pop(key))  # type: ignore[attr-defined]
    if comment and comments:
        comments.items[new] = comment


def _key(entries: Any, name: str) -> Any:
    """The key that AMX reads as `name`: YAML may hold a number or a boolean there."""
    return next((key for key in entries or () if str(key) == name), quoted(name))


def _without(text: str, section: str, name: str) -> str:
    """`text` without the lines of one entry, if they can be determined; the rest stays.

    Needed because ruamel.yaml treats the comment above the next entry as part of this one.
    """
    try:
        entries = _child(yaml.compose(text), section)
    except yaml.YAMLError:
        return text
    if not isinstance(entries, yaml.MappingNode) or entries.flow_style or len(entries.value) < 2:
        return text
    names = [key.value for key, _ in entries.value]
    if name not in names:
        return text
    place = names.index(name)
    starts = [key.start_mark.index - key.start_mark.column for key, _ in entries.value]
    _, last = entries.value[-1]
    ends = [*starts[1:], last.end_mark.index]
    start, end = starts[place], ends[place]
    entry = text[start:end]
    end -= len(entry) - len(_COMMENTS_AT_END.sub("\n", entry))
    shorter = text[:start] + text[end:]
    return shorter if _differ_by_entry(text, shorter, section, name) else text


def _differ_by_entry(text: str, shorter: str, section: str, name: str) -> bool:
    try:
        before, after = load_yaml(text), load_yaml(shorter)
    except YAMLTextError:
        return False
    entries = before[section].items()
    before[section] = {key: entry for key, entry in entries if str(key) != name}
    return bool(before == after)


def _child(node: Any, name: str) -> Any:
    if not isinstance(node, yaml.MappingNode):
        return None
    return next((value for key, value in node.value if key.value == name), None)


def quoted(value: Any) -> Any:
    """`value`, quoted if AMX's YAML 1.1 would not read it as text: `off`, `1e3`, `null` …

    Only for added values: those in the file are already as AMX reads them.
    """
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString

    if isinstance(value, Mapping):
        return {quoted(key): quoted(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [quoted(entry) for entry in value]
    if isinstance(value, str) and not _reads_same(value):
        return DoubleQuotedScalarString(value)
    return value


def _reads_same(text: str) -> bool:
    try:
        return bool(yaml.safe_load(text) == text)
    except (yaml.YAMLError, ValueError):
        return False
