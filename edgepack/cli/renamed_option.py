"""Options that were renamed, and still work by their former names."""

from __future__ import annotations

import click


class RenamedOption(click.Option):
    """An option whose last declared name is a former one: it works, but is not in the help."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Return the help of the option without its former name."""
        record = super().get_help_record(ctx)
        return record and (record[0].replace(f", {self.opts[-1]}", ""), record[1])
