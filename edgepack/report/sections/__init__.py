"""The sections of the page, one a file: from a report to blocks. None where nothing is known."""
