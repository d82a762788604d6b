"""``--config``: a file that holds what could be given on the command line, which wins.

Its keys are the options themselves: a table for each command, ``[all]`` for every command that has
the option, ``[[compress]]`` for the steps of an export. What a click option takes, and how it says
that a value does not fit, stands in the option alone.
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
from edgepack.cli.value_types import PATH, NumberRange, placed
from edgepack.compression import parse_steps
from edgepack.config.export import CompressionStep
from edgepack.config.project_file import ALL, COMPRESS, parse_tables
from edgepack.config.toml import require_known, respelled
from edgepack.core.errors import ConfigError, TableError
from edgepack.core.user_files import is_special, read_user_text

_CONFIG = "edgepack.config"

_Command = TypeVar("_Command", bound=Callable[..., Any])
_Options = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Config:
    """What files say besides options.

    ``project_file`` is the TOML file, None without one, and ``steps`` are its steps of compression;
    ``asked`` is what a manifest tells of an export.
    """

    project_file: Path | None = None
    steps: tuple[CompressionStep, ...] = ()
    asked: ManifestOptions | None = None


def config_option(
    former: str | None = None, *, exports: bool = False
) -> Callable[[_Command], _Command]:
    """Add --config, whose value the command takes as ``project_file``.

    ``former`` is a former name of the option, which it still takes. ``exports`` says in the help
    that the file may be the manifest of an export.
    """
    or_manifest = "; or the manifest.json of an export, to do the same again" if exports else ""
    return click.option(
        *("--config", *([former] if former else []), "project_file"),
        cls=RenamedOption if former else click.Option,
        metavar="FILE",
        type=PATH,
        multiple=True,
        is_eager=True,
        callback=_read,
        help=f"TOML file of options, and of how all data are prepared{or_manifest}.",
    )


def bare_config_option(command: _Command) -> _Command:
    """Add --config to a command that reads no data: it takes options of the file, and no more."""
    return click.option(
        "--config",
        metavar="FILE",
        type=PATH,
        multiple=True,
        is_eager=True,
        callback=_read,
        expose_value=False,
        help="TOML file of options.",
    )(command)


def config_of(ctx: click.Context) -> Config:
    """Tell what the files of --config say besides options."""
    found: Config = ctx.meta.get(_CONFIG, Config())
    return found


def is_given(ctx: click.Context, name: str) -> bool:
    """Whether an option stands on the command line."""
    return ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE


def is_in_file(ctx: click.Context, name: str) -> bool:
    """Whether an option has its value of a file."""
    return ctx.get_parameter_source(name) is ParameterSource.DEFAULT_MAP


def _read(ctx: click.Context, _param: click.Parameter, paths: tuple[Path, ...]) -> Path | None:
    """Take the options of files as defaults; returns the TOML file."""
    texts = {path: read_user_text(path, ConfigError, "project file") for path in paths}
    manifests = [path for path, text in texts.items() if text.lstrip().startswith("{")]
    tomls = [path for path in texts if path not in manifests]
    if len(paths) > len(texts) or max(len(manifests), len(tomls)) > 1:
        raise ConfigError(
            "--config is given twice: give one TOML file at most, and one manifest.json beside it"
        )
    options: _Options = {}
    steps: tuple[CompressionStep, ...] = ()
    asked = None
    for path in manifests:
        asked = read_manifest(path, texts[path], ctx.command.name or "")
        known = _keys(ctx.command)
        options |= {known[key].name: value for key, value in asked.options.items() if key in known}
    for path in tomls:
        own, steps = _options(ctx, path, texts[path])
        options |= own
    ctx.default_map = {**(ctx.default_map or {}), **options}
    project_file = next((_lasting(ctx, path, texts[path]) for path in tomls), None)
    ctx.meta[_CONFIG] = Config(project_file=project_file, steps=steps, asked=asked)
    return project_file


def _lasting(ctx: click.Context, path: Path, text: str) -> Path:
    """Keep what a pipe said in a file: it says it once, and more than one step reads it."""
    if not is_special(path):
        return path
    from edgepack.core.temporary_folders import temporary

    kept = ctx.with_resource(temporary()) / "edgepack.toml"
    kept.write_text(text, encoding="utf-8")
    return kept


def _options(
    ctx: click.Context, path: Path, text: str
) -> tuple[_Options, tuple[CompressionStep, ...]]:
    """Check the whole file; returns the options of the command, and the steps."""
    folder = Path() if is_special(path) else path.parent
    commands = _commands(ctx)
    try:
        tables = parse_tables(text)
        steps = parse_steps(tables[COMPRESS]) if COMPRESS in tables else ()
        for_all = respelled(tables.get(ALL, {}), "_", "-")
        _check_all(for_all, commands, folder)
        own = {}
        for name, command in commands.items():
            table = respelled(tables.get(name, {}), "_", "-")
            _require_own(name, table, commands)
            own[name] = _take(command, table, name, folder)
        mine = own[ctx.command.name or ""]
        known = _keys(ctx.command)
        shared = {k: v for k, v in for_all.items() if k in known and known[k].name not in mine}
        # What is of another kind here, such as a list of targets, is for the other commands.
        fitting = {k: v for k, v in shared.items() if _refusal(ctx.command, k, v, folder) is None}
        taken = _take(ctx.command, fitting, ALL, folder) | mine
    except (ConfigError, TableError) as error:
        raise ConfigError(f"{path}: {error}") from error
    return taken, steps


def _check_all(table: dict[str, Any], commands: Mapping[str, click.Command], folder: Path) -> None:
    """Raise :class:`TableError` for a key that no command has, and a value that fits none."""
    keys = {name: _keys(command) for name, command in commands.items()}
    require_known(table, dict.fromkeys(key for each in keys.values() for key in each), _KNOWS_ALL)
    for key, value in table.items():
        having = [commands[name] for name, known in keys.items() if key in known]
        refused = [_refusal(command, key, value, folder) for command in having]
        if (first := refused[0]) and all(refused):
            raise first


def _refusal(command: click.Command, key: str, value: Any, folder: Path) -> TableError | None:
    try:
        _take(command, {key: value}, ALL, folder)
    except TableError as error:
        return error
    return None


_KNOWS_ALL = f"[{ALL}] knows the keys"


def _take(command: click.Command, table: dict[str, Any], name: str, folder: Path) -> _Options:
    """Check the values of keys that a command has; returns them by the names of its parameters."""
    known = _keys(command)
    return {
        str(known[key].name): _checked(known[key], value, f"[{name}] {key!r}", folder)
        for key, value in table.items()
    }


def _commands(ctx: click.Context) -> Mapping[str, click.Command]:
    root = ctx.find_root().command
    return root.commands if isinstance(root, click.Group) else {ctx.command.name or "": ctx.command}


def _keys(command: click.Command) -> dict[str, click.Parameter]:
    """Name what a command takes: options as on the command line, arguments by their names."""
    return dict(_named(command))


def _named(command: click.Command) -> Iterator[tuple[str, click.Parameter]]:
    for param in command.params:
        if isinstance(param, click.Argument):
            yield str(param.name), param
        elif "--config" not in param.opts:
            yield from ((name[2:], param) for name in param.opts if name.startswith("--"))


def _require_own(name: str, table: dict[str, Any], commands: Mapping[str, click.Command]) -> None:
    """Raise :class:`TableError` for a key that the command has not, though another may."""
    keys = {each: _keys(command) for each, command in commands.items()}
    known = keys[name]
    for key in table:
        if key not in known and (others := [n for n, its in keys.items() if key in its]):
            raise TableError(f"[{name}] has no {key!r}: it is an option of {', '.join(others)}")
    require_known(table, known, f"[{name}] knows the keys")


def _checked(param: click.Parameter, value: Any, name: str, folder: Path) -> Any:
    """Take a value as the option takes it: a list where it may be given several times.

    Raises :class:`TableError` for a value that does not fit.
    """
    are_many = param.nargs == -1 or (isinstance(param, click.Option) and param.multiple)
    if not are_many:
        return _one(param, value, name, folder)
    return [
        _one(param, each, name, folder) for each in (value if isinstance(value, list) else [value])
    ]


def _one(param: click.Parameter, value: Any, name: str, folder: Path) -> Any:
    kind: click.ParamType[Any] = param.type
    is_flag = isinstance(param, click.Option) and param.is_flag
    wanted, types = _wanted(kind, is_flag=is_flag)
    if type(value) not in types:
        raise TableError(f"{name} must be {wanted}, not {value!r}")
    if is_flag:
        return value
    if "\0" in str(value):
        raise TableError(f"{name} holds a NUL character, which no path or text may")
    text = placed(kind, str(value), folder)
    try:
        kind.convert(text, param, None)
    except click.BadParameter as error:
        raise TableError(f"{name}: {error.message}") from None
    return text


def _wanted(kind: click.ParamType[Any], *, is_flag: bool) -> tuple[str, tuple[type, ...]]:
    """Say what values of an option are, and by which types TOML has them."""
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
