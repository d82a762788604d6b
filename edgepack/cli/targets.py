"""``edgepack targets``."""

from __future__ import annotations

import click

from edgepack.target import load_target, target_names

_INDENT = "    "


@click.command()
@click.option("--checks", is_flag=True, help="List what is checked on a target instead.")
def targets(*, checks: bool) -> None:
    """List the devices to validate for, your own in ~/.config/edgepack/targets among them."""
    if checks:
        from edgepack.checks import documentation

        for name, rule in documentation().items():
            told = click.wrap_text(rule, initial_indent=_INDENT, subsequent_indent=_INDENT)
            click.echo(f"{name}\n{told}")
        return
    names = target_names()
    width = max(map(len, names))
    for name in names:
        target = load_target(name)
        click.echo(f"{name:<{width}}  {target.description}; runs {', '.join(target.interpreters)}")
