"""The pages that commands write as report.html and report.md."""
