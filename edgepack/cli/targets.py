"""``edgepack targets``."""

from __future__ import annotations

import click

from edgepack.target import load_target, target_names


@click.command()
def targets() -> None:
    """List the targets."""
    names = target_names()
    width = max(map(len, names))
    for name in names:
        target = load_target(name)
        click.echo(f"{name:<{width}}  {target.description}; runs {', '.join(target.interpreters)}")
