"""Differences of reports: the figures of each, and which of them became better or worse."""
