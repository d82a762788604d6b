"""``--config``: a file with values of options; the command line takes precedence over it.

Its keys are the options themselves: a table for each command, ``[all]`` for every command that has
the option, and ``[[compress]]`` for the compression steps of an export. Types and error messages
of values are those of the click options.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from edgepack.cli.manifest_config import ManifestOptions, read_manifest
from edgepack.cli.renamed_option import RenamedOption
from edgepack.cli.value_types import PATH, NumberRange, resolve_paths
from edgepack.compression import parse_steps
from edgepack.config.compression_step import CompressionStep
from edgepack.config.project_file import ALL, COMPRESS, parse_tables
from edgepack.config.tables import require_known, respell_keys
from edgepack.core.errors import ConfigError, TableError
from edgepack.core.user_files import is_special, read_user_text

_CONFIG = "edgepack.config"

_Command = TypeVar("_Command", bound=Callable[..., Any])
_Options = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Config:
    """What the files of ``--config`` contain besides options.

    ``project_file`` is the path of the TOML file, None without one; ``steps`` are its compression
    steps; ``manifest`` has the settings of an export.
    """

    project_file: Path | None = None
    steps: tuple[CompressionStep, ...] = ()
    manifest: ManifestOptions | None = None


def config_option(
    former: str | None = None, *, exports: bool = False
) -> Callable[[_Command], _Command]:
    """Add --config, which is passed to the command as ``project_file``.

    ``former`` is a former name of the option, which still works. With ``exports``, the help says
    that the file may be the manifest of an export.
    """
    or_manifest = "; or the manifest.json of an export, to repeat it" if exports else ""
    return click.option(
        *("--config", *([former] if former else []), "project_file"),
        cls=RenamedOption if former else click.Option,
        metavar="FILE",
        type=PATH,
        multiple=True,
        is_eager=True,
        callback=_read,
        help=f"Project file (TOML): options, and preprocessing of the data{or_manifest}.",
    )


def bare_config_option(command: _Command) -> _Command:
    """Add --config to a command that reads no data: only the options in the file are used."""
    return click.option(
        "--config",
        metavar="FILE",
        type=PATH,
        multiple=True,
        is_eager=True,
        callback=_read,
        expose_value=False,
        help="TOML file with options.",
    )(command)


def config_from(ctx: click.Context) -> Config:
    """Return what the files of --config contain besides options."""
    config: Config = ctx.meta.get(_CONFIG, Config())
    return config


def is_on_command_line(ctx: click.Context, name: str) -> bool:
    """Whether an option was specified on the command line."""
    return ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE


def is_in_file(ctx: click.Context, name: str) -> bool:
    """Whether the value of an option is from a file."""
    return ctx.get_parameter_source(name) is ParameterSource.DEFAULT_MAP


def _read(ctx: click.Context, _param: click.Parameter, paths: tuple[Path, ...]) -> Path | None:
    """Use the options in the files as defaults; returns the path of the TOML file."""
    texts = {path: read_user_text(path, ConfigError, "project file") for path in paths}
    manifests = [path for path, text in texts.items() if text.lstrip().startswith("{")]
    tomls = [path for path in texts if path not in manifests]
    if len(paths) > len(texts) or max(len(manifests), len(tomls)) > 1:
        raise ConfigError(
            "--config was given too often: give at most one TOML file and one manifest.json"
        )
    options: _Options = {}
    steps: tuple[CompressionStep, ...] = ()
    manifest = None
    for path in manifests:
        manifest = read_manifest(path, texts[path], ctx.command.name or "")
        known = _parameters_by_key(ctx.command)
        options |= {
            known[key].name: value for key, value in manifest.options.items() if key in known
        }
    for path in tomls:
        from_toml, steps = _options(ctx, path, texts[path])
        options |= from_toml
    ctx.default_map = {**(ctx.default_map or {}), **options}
    project_file = next((_rereadable(ctx, path, texts[path]) for path in tomls), None)
    ctx.meta[_CONFIG] = Config(project_file=project_file, steps=steps, manifest=manifest)
    return project_file


def _rereadable(ctx: click.Context, path: Path, text: str) -> Path:
    """Return a path that later steps can read again: that of a copy if the file is a pipe."""
    if not is_special(path):
        return path
    from edgepack.core.temporary_folders import temporary_folder

    copy = ctx.with_resource(temporary_folder()) / "edgepack.toml"
    copy.write_text(text, encoding="utf-8", newline="\n")
    return copy


def _options(
    ctx: click.Context, path: Path, text: str
) -> tuple[_Options, tuple[CompressionStep, ...]]:
    """Check the whole file; returns the options of the command, and the compression steps."""
    folder = Path() if is_special(path) else path.parent
    commands = _commands(ctx)
    try:
        tables = parse_tables(text)
        steps = parse_steps(tables[COMPRESS]) if COMPRESS in tables else ()
        for_all = respell_keys(tables.get(ALL, {}), "_", "-")
        _check_all(for_all, commands, folder)
        by_command = {}
        for name, command in commands.items():
            table = respell_keys(tables.get(name, {}), "_", "-")
            _require_known_keys(name, table, commands)
            by_command[name] = _values(command, table, name, folder)
        own = by_command[ctx.command.name or ""]
        known = _parameters_by_key(ctx.command)
        shared = {k: v for k, v in for_all.items() if k in known and known[k].name not in own}
        # A value of another type, such as a list of targets, is meant for the other commands.
        fitting = {k: v for k, v in shared.items() if _error(ctx.command, k, v, folder) is None}
        options = _values(ctx.command, fitting, ALL, folder) | own
    except (ConfigError, TableError) as error:
        raise ConfigError(f"{path}: {error}") from error
    return options, steps


def _check_all(table: dict[str, Any], commands: Mapping[str, click.Command], folder: Path) -> None:
    """Raise :class:`TableError` for a key of [all] that no command has, or an invalid value.

    A value is invalid if it fits none of the commands that have the key.
    """
    keys = {name: _parameters_by_key(command) for name, command in commands.items()}
    accepted = {key for each in keys.values() for key in each}
    unknown = {key: value for key, value in table.items() if key not in accepted}
    current = (key for command in commands.values() for key in _current_keys(command))
    require_known(unknown, dict.fromkeys(current), _ALL_KEYS)
    for key, value in table.items():
        having = [commands[name] for name, known in keys.items() if key in known]
        errors = [_error(command, key, value, folder) for command in having]
        if (first := errors[0]) and all(errors):
            raise first


def _error(command: click.Command, key: str, value: Any, folder: Path) -> TableError | None:
    """Return the error for a value of [all]; None if it fits the option of the command."""
    try:
        _values(command, {key: value}, ALL, folder)
    except TableError as error:
        return error
    return None


_ALL_KEYS = f"[{ALL}] knows the keys"


def _values(command: click.Command, table: dict[str, Any], name: str, folder: Path) -> _Options:
    """Check the values in a table of a command; returns them by the names of its parameters."""
    known = _parameters_by_key(command)
    keys: dict[str, str] = {}
    for key in table:
        first = keys.setdefault(str(known[key].name), key)
        if first != key:
            raise TableError(f"[{name}] {first!r} and {key!r} are the same option; keep one")
    return {
        parameter: _checked(known[key], table[key], f"[{name}] {key!r}", folder)
        for parameter, key in keys.items()
    }


def _commands(ctx: click.Context) -> Mapping[str, click.Command]:
    root = ctx.find_root().command
    return root.commands if isinstance(root, click.Group) else {ctx.command.name or "": ctx.command}


def _parameters_by_key(command: click.Command) -> dict[str, click.Parameter]:
    """Return the options of a command by their names without dashes, and arguments by name."""
    return dict(_parameters(command))


def _parameters(command: click.Command) -> Iterator[tuple[str, click.Parameter]]:
    for param in command.params:
        if isinstance(param, click.Argument):
            yield str(param.name), param
        elif "--config" not in param.opts:
            yield from ((name[2:], param) for name in param.opts if name.startswith("--"))


def _current_keys(command: click.Command) -> list[str]:
    """Return the keys of a command, without former names, which are accepted but not listed."""
    return [
        key
        for key, param in _parameters(command)
        if not (isinstance(param, RenamedOption) and param.opts[-1] == f"--{key}")
    ]


def _require_known_keys(
    name: str, table: dict[str, Any], commands: Mapping[str, click.Command]
) -> None:
    """Raise :class:`TableError` for a key that the command does not have, though another may."""
    keys = {each: _parameters_by_key(command) for each, command in commands.items()}
    known = keys[name]
    for key in table:
        if key not in known and (others := [n for n, each in keys.items() if key in each]):
            raise TableError(f"[{name}] has no {key!r}: it is an option of {', '.join(others)}")
    unknown = {key: value for key, value in table.items() if key not in known}
    require_known(unknown, _current_keys(commands[name]), f"[{name}] knows the keys")


def _checked(param: click.Parameter, value: Any, name: str, folder: Path) -> Any:
    """Return a value in the form of the option: a list if the option is repeatable.

    Raises :class:`TableError` for a value that does not fit.
    """
    is_list = param.nargs == -1 or (isinstance(param, click.Option) and param.multiple)
    if not is_list:
        return _one(param, value, name, folder)
    return [
        _one(param, each, name, folder) for each in (value if isinstance(value, list) else [value])
    ]


def _one(param: click.Parameter, value: Any, name: str, folder: Path) -> Any:
    kind: click.ParamType[Any] = param.type
    is_flag = isinstance(param, click.Option) and param.is_flag
    expected, types = _expected(kind, is_flag=is_flag)
    if type(value) not in types:
        raise TableError(f"{name} must be {expected}, not {value!r}")
    if is_flag:
        return value
    if "\0" in str(value):
        raise TableError(f"{name} contains a NUL character, which is not allowed in paths and text")
    text = resolve_paths(kind, str(value), folder)
    try:
        kind.convert(text, param, None)
    except click.BadParameter as error:
        raise TableError(f"{name}: {error.message}") from None
    return text


def _expected(kind: click.ParamType[Any], *, is_flag: bool) -> tuple[str, tuple[type, ...]]:
    """Return what the values of an option are, in words and as types of TOML values."""
    if is_flag:
        return "true or false", (bool,)
    if isinstance(kind, click.types.IntParamType):
        return "a whole number", (int,)
    if isinstance(kind, click.types.FloatParamType):
        return "a number", (int, float)
    return (
        ("text or a whole number", (str, int))
        if isinstance(kind, NumberRange)
        else ("text", (str,))
    )
