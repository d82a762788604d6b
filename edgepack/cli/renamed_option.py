"""Options that have a new name, and are still taken by their former one."""

from __future__ import annotations

import click


class RenamedOption(click.Option):
    """An option whose last declared name is a former one: taken, but left out of the help."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Describe the option by its new name alone."""
        record = super().get_help_record(ctx)
        return record and (record[0].replace(f", {self.opts[-1]}", ""), record[1])
