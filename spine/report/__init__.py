"""The report of a run: one page of figures and numbers, and a page that shows events."""

from __future__ import annotations

from spine.report.display import detector_options, write_display
from spine.report.options import ReportOptions, ReportOutputs
from spine.report.page import write_report

__all__ = ["ReportOptions", "ReportOutputs", "detector_options", "write_display", "write_report"]
