"""``edgepack targets``."""

from __future__ import annotations

import click

from edgepack.cli.printing import print_result
from edgepack.target import Target, load_target, target_names

_INDENT = "    "


@click.command()
@click.option("--checks", is_flag=True, help="List what is checked on a target instead.")
def targets(*, checks: bool) -> None:
    """List the devices to validate for, your own in ~/.config/edgepack/targets among them."""
    if checks:
        from edgepack.checks import documentation

        print_result(
            "\n".join(f"{name}\n{_indented(rule)}" for name, rule in documentation().items())
        )
        return
    names = target_names()
    width = max(map(len, names))
    print_result("\n".join(f"{name:<{width}}  {_told(load_target(name))}" for name in names))


def _indented(rule: str) -> str:
    return click.wrap_text(rule, initial_indent=_INDENT, subsequent_indent=_INDENT)


def _told(target: Target) -> str:
    return f"{target.description}; runs {', '.join(target.interpreters)}"
