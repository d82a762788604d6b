"""``edgepack.toml``: what is known of the data, for every command.

::

    [data]
    label = "species"        # a column of CSV, a feature of TFRecords, an array of .npz

    [preprocessing]          # of the lone input; of several: [preprocessing.NAME]
    resize = [96, 96]
    scale = 0.00392156862745098
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from edgepack.errors import RecipeError
from edgepack.preprocessing import Audio, Image, Preprocessing
from edgepack.types import Signature

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_LONE = ""


@dataclass(frozen=True, kw_only=True)
class RecipeFile:
    """What a file says.

    ``label`` is the column, feature or array that holds the labels. ``preprocessing`` is by the
    input's name, or under the empty name for a lone input.
    """

    path: Path | None = None
    label: str | None = None
    preprocessing: Mapping[str, Preprocessing] = field(default_factory=dict)

    def described(self, signature: Signature) -> dict[str, Preprocessing]:
        """Find the preprocessing of each input of a model; what is not described is left as it is.

        Raises :class:`RecipeError` for a description of no input of the model.
        """
        names = [spec.name for spec in signature.inputs]
        found = dict(self.preprocessing)
        if _LONE in found:
            if len(names) > 1:
                raise RecipeError(
                    f"{self.path}: [preprocessing] does not say of which input; write"
                    f" {' and '.join(f'[preprocessing.{_quoted(name)}]' for name in names)}"
                )
            found = {names[0]: found[_LONE]}
        if unknown := sorted(found.keys() - set(names)):
            raise RecipeError(
                f"{self.path}: the model has no input {unknown[0]!r}; its inputs are"
                f" {', '.join(names)}"
            )
        return {name: found.get(name, Preprocessing()) for name in names}


def read_recipe_file(path: Path | None) -> RecipeFile:
    """Read the file; without one nothing is described.

    Raises :class:`RecipeError` for one that cannot be read, for an unknown key and an unfit value.
    """
    if path is None:
        return RecipeFile()
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RecipeError(f"{path}: no such recipe file; check the path") from None
    except OSError as error:
        raise RecipeError(f"{path}: cannot be read: {error.strerror or error}") from error
    except ValueError as error:  # of TOML and of UTF-8
        raise RecipeError(f"{path}: not valid TOML: {error}") from error
    try:
        return _parse(path, tables)
    except RecipeError as error:
        raise RecipeError(f"{path}: {error}") from error


def _parse(path: Path, tables: dict[str, Any]) -> RecipeFile:
    _require_known(tables, ("data", "preprocessing"), "the tables are")
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise RecipeError(f"{name!r} must be a table: write [{name}]")
    data, described = tables.get("data", {}), tables.get("preprocessing", {})
    _require_known(data, ("label",), "[data] knows the key")
    label = _value("label", data["label"], "str") if data else None
    if described and all(isinstance(value, dict) for value in described.values()):
        parsed = {name: _preprocessing(table) for name, table in described.items()}
    else:
        parsed = {_LONE: _preprocessing(described)} if described else {}
    return RecipeFile(path=path, label=label, preprocessing=parsed)


def _preprocessing(table: dict[str, Any]) -> Preprocessing:
    values = ("scale", "offset", "mean", "std")
    kinds: dict[str, type] = {"image": Image, "audio": Audio}
    keys = {name: [each.name for each in fields(kind)] for name, kind in kinds.items()}
    _require_known(table, (*keys["image"], *keys["audio"], *values), "the keys are")
    parts = {
        name: kind(**_of(kind, table, keys[name]))
        for name, kind in kinds.items()
        if table.keys() & set(keys[name])
    }
    return Preprocessing(**parts, **_of(Preprocessing, table, values))


def _of(kind: type, table: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Take the fields of a dataclass out of a table."""
    types = {each.name: str(each.type).removesuffix(" | None") for each in fields(kind)}
    if kind is Audio and "sample_rate" not in table:
        raise RecipeError("audio needs a 'sample_rate', in Hz")
    return {name: _value(name, table[name], types[name]) for name in names if name in table}


def _value(name: str, value: Any, kind: str) -> Any:
    wanted, convert = _KINDS_OF_VALUE[kind]
    converted = convert(value)
    if converted is None:
        raise RecipeError(f"{name!r} must be {wanted}, not {value!r}")
    return converted


def _require_known(table: dict[str, Any], known: Iterable[str], said: str) -> None:
    if unknown := sorted(table.keys() - set(known)):
        raise RecipeError(f"unknown key {unknown[0]!r}; {said} {', '.join(known)}")


def _quoted(name: str) -> str:
    """Write a name as a key of TOML."""
    return name if name.replace("_", "").replace("-", "").isalnum() else f'"{name}"'


def _text(value: Any) -> Any:
    return value if isinstance(value, str) else None


def _whole(value: Any) -> Any:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _number(value: Any) -> Any:
    try:
        return float(value) if isinstance(value, float) or _whole(value) is not None else None
    except OverflowError:  # TOML has whole numbers of any length
        return float("inf")


def _two(value: Any) -> Any:
    is_two = isinstance(value, list) and len(value) == 2  # noqa: PLR2004 (height and width)
    return tuple(value) if is_two and all(_whole(each) is not None for each in value) else None


def _numbers(value: Any) -> Any:
    found = tuple(map(_number, value if isinstance(value, list) else [value]))
    return None if None in found else found


_KINDS_OF_VALUE: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "str": ("text", _text),
    "int": ("a whole number", _whole),
    "float": ("a number", _number),
    "tuple[int, int]": ("height and width, such as [96, 96]", _two),
    "tuple[float, ...]": ("a number, or a list of one for each channel", _numbers),
}
