"""The pages that commands write: report.html and report.md."""
