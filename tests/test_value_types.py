"""Paths on the command line that are none are refused."""

from __future__ import annotations

import re

import click
import pytest
from click.testing import CliRunner

from edgepack.cli import cli
from edgepack.cli.value_types import DATA, PATH

OPTIONS = [
    (name, option)
    for name, command in cli.commands.items()
    for option in command.params
    if isinstance(option, click.Option) and option.type in (PATH, DATA)
]


@pytest.mark.parametrize(("command", "option"), OPTIONS)
def test_an_empty_path_such_as_an_unset_shell_variable_is_refused(
    command: str, option: click.Option
) -> None:
    names = " / ".join(f"'{name}'" for name in option.opts)
    for name in option.opts:
        done = CliRunner().invoke(cli, [command, "model", name, ""])
        assert done.exit_code == 2
        assert f"Invalid value for {names}: the path is empty" in done.output


@pytest.mark.parametrize(("command", "option"), OPTIONS)
def test_a_path_with_a_nul_character_is_refused(command: str, option: click.Option) -> None:
    for name in option.opts:
        done = CliRunner().invoke(cli, [command, "model", name, "a\0b"])
        assert done.exit_code == 2
        assert "the path contains a NUL character; leave it out" in done.output
        accepted = CliRunner().invoke(cli, [command, "model", name, "ab"])
        assert "NUL" not in accepted.output


@pytest.mark.parametrize("command", sorted(cli.commands.keys() - {"doctor", "targets"}))
def test_an_empty_path_of_the_model_is_refused(command: str) -> None:
    done = CliRunner().invoke(cli, [command, "", ""])
    assert done.exit_code == 2
    assert re.search(r"Invalid value for '.*': the path is empty", done.output), done.output
