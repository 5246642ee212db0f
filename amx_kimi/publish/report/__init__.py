"""Writes a run as one HTML file, without network or framework. It is light or dark, printable, and
usable with keyboard and screen reader."""

from amx_kimi.publish.report.page import write_report

__all__ = ["write_report"]
