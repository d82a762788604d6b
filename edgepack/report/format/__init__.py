"""Formatting of reports: numbers, text tables and markup."""
