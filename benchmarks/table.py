"""The results as Markdown."""

from collections.abc import Iterator
from textwrap import wrap
from typing import Any

__all__ = ["tables"]


def tables(results: dict[str, Any]) -> Iterator[str]:
    """The lines of README.md's measured part."""
    command = "make bench-full" if results["mode"] == "full" else "make bench"
    head = (
        f"`{command}` on {results['on']} ({results['machine']}, Python {results['python']}; "
        f"{', '.join(results['peers'])}), {results['seconds'] / 60:.0f} minutes:"
    )
    yield from wrap(head, 100, break_on_hyphens=False)
    yield ""
    yield "| work | contestant, told | seconds | × ideal | rejections | lost | rounds |"
    yield "|---|---|---|---|---|---|---|"
    work = None
    for row in results["crowd"]:
        head = f"{row['work']}: {row['prompts']:,} prompts, ideal {row['ideal_s']:.1f} s"
        yield _crowd(row, head if row["work"] != work else "")
        work = row["work"]
    yield ""
    yield "| work | measured | wanted |"
    yield "|---|---|---|"
    for what, measured, wanted in _others(results):
        yield f"| {what} | {measured} | {wanted} |"


def _crowd(row: dict[str, Any], head: str) -> str:
    if row["stopped"]:
        figures = f"stopped at {row['seconds']:.0f} | – | {row['rejections']:.0f} | –"
    else:
        bold = "**" if row["ours"] else ""
        wanted = f" (wanted: {row['wanted']})" if row["ours"] else ""
        figures = (
            f"{row['seconds']:.2f} | {bold}{row['ratio']:.2f}{bold}{wanted} | "
            f"{row['rejections']:.0f} | {row['lost']:.0f}"
        )
    return f"| {head} | {row['contestant']}, {row['told']} | {figures} | {row['rounds']} |"


def _others(results: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    tokens, cost, cap = results["tokens"], results["cost"], results["cap"]
    yield (
        "92 columns in 14 tables, answers after 2 s, thinking 1,500 + 60 a column",
        f"{_run(tokens['ours'])}; AMX alone: {_run(tokens['amx'])}; completion "
        f"× {tokens['completion_ratio']}",
        "≤ 4 requests, completion ≤ 0.4 × AMX's",
    )
    yield (
        "1,000 columns, kimi-bulk, one wording",
        f"{cost['ours']['cost']:.3f} USD ({_run(cost['ours'])}); AMX alone, same model: "
        f"{cost['amx']['cost']:.3f} USD ({_run(cost['amx'])}): × {cost['cost_ratio']}",
        "≤ 0.5 ×",
    )
    yield (
        f"1,000 columns with `--max-cost {cap['cap']}`",
        f"the service charged {cap['cost']:.4f} USD for {cap['described']} columns, exit code "
        f"{cap['code']}: {cap['past_cap']:.4f} past the cap",
        "0",
    )
    stream, start = results["streaming"], results["start_up"]
    ratio = stream["amx-kimi ms"] / stream["litellm ms"]
    yield (
        "client CPU of a streamed request of 300 chunks",
        f"{stream['amx-kimi ms']:.1f} ms; litellm {stream['litellm ms']:.1f} ms: × {ratio:.3f}",
        "≤ 0.1 ×",
    )
    ours, amx = start["amx-kimi --help"], start["amx --help"]
    yield (
        "`amx-kimi --help`",
        f"{ours:.3f} s; `amx --help` {amx:.3f} s; a bare interpreter "
        f"{start['python -c pass']:.3f} s: × {ours / amx:.3f}",
        "≤ 0.35 ×",
    )
    small, large = results["end_to_end"]
    yield (
        "`amx-kimi run` end to end, the sandbox at zero latency",
        f"{large['columns']:,} columns: {large['seconds']:.0f} s, peak {large['peak_mb']} MB; "
        f"{small['columns']:,}: {small['seconds']:.0f} s, peak {small['peak_mb']} MB",
        "memory flat",
    )


def _run(figures: dict[str, Any]) -> str:
    return (
        f"{figures['requests']} requests, {figures['seconds']:.0f} s, {figures['prompt']:,} prompt "
        f"and {figures['completion']:,} completion tokens"
    )
