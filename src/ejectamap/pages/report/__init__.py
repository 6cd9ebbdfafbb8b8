"""The report: one HTML file that shows and says everything of a map, and needs nothing else."""

from ejectamap.pages.report.page import write_report

__all__ = ["write_report"]
