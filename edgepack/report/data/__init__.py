"""Reports as dataclasses, one for each command, and the JSON Schemas of report.json."""
