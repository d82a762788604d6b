"""The command ``edgepack targets``."""

from __future__ import annotations

import click

from edgepack.cli.config_file import bare_config_option
from edgepack.cli.printing import print_result
from edgepack.devices.target import Target, combine_errors, read_all_targets

_INDENT = "    "


@click.command()
@bare_config_option
@click.option("--checks", is_flag=True, help="List the checks instead of the targets.")
def targets(*, checks: bool) -> None:
    """List the target devices, including your own in ~/.config/edgepack/targets."""
    if checks:
        from edgepack.checks import documentation

        print_result(
            "\n".join(f"{name}\n{_indented(rule)}" for name, rule in documentation().items())
        )
        return
    valid, errors = read_all_targets()
    width = max(len(target.name) for target in valid)
    print_result("\n".join(f"{target.name:<{width}}  {_description(target)}" for target in valid))
    if errors:
        raise combine_errors(errors)


def _indented(rule: str) -> str:
    return click.wrap_text(rule, initial_indent=_INDENT, subsequent_indent=_INDENT)


def _description(target: Target) -> str:
    return f"{target.description}; runs {', '.join(target.interpreters)}"
