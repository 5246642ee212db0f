"""A run as one HTML file: no network, no framework; light and dark, printable, for keyboard and
screen reader."""

from amx_kimi.publish.report.page import write_report

__all__ = ["write_report"]
