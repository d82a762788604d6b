"""The sections of pages, one per file: functions from a report to a section.

They return None if the report has nothing for the section.
"""
