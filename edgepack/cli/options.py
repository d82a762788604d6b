"""Values and groups of options of the command line."""

from __future__ import annotations

from typing import Any

import click


class Pair(click.ParamType[Any]):
    """``NAME=NUMBER``."""

    name = "pair"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, float]:
        """Split at the last equals sign."""
        name, _, number = str(value).rpartition("=")
        try:
            if not name:
                raise ValueError
            return name, float(number)
        except ValueError:
            self.fail(f"{value!r}: write NAME=NUMBER, such as 'conv*=0.8'", param, ctx)


class TwoNumbers(click.ParamType[Any]):
    """Two whole numbers with a sign between them, such as ``2:4`` or ``4x1``."""

    name = "numbers"

    def __init__(self, sign: str, example: str) -> None:
        self._sign = sign
        self._example = example

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        """Split at the sign."""
        first, _, second = str(value).partition(self._sign)
        try:
            return int(first), int(second)
        except ValueError:
            self.fail(f"{value!r}: write two whole numbers, such as {self._example}", param, ctx)


class GroupedCommand(click.Command):
    """A command whose help lists its options in groups, by their place."""

    groups: dict[str, str] = {}  # noqa: RUF012 (the title of a group by its first option)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, each group under its title."""
        sections: list[tuple[str, list[tuple[str, str]]]] = [("Options", [])]
        for param in self.get_params(ctx):
            if (title := self.groups.get(param.name or "")) is not None:
                sections.append((title, []))
            record = param.get_help_record(ctx) if isinstance(param, click.Option) else None
            if record is not None:
                sections[-1][1].append(record)
        for title, records in sections:
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)
