"""The project file ``edgepack.toml``: settings that apply to every command.

::

    [data]
    label = "species"        # a column of a CSV, a feature of TFRecords, an array of an .npz

    [preprocessing]          # of the only input; with several: [preprocessing.NAME]
    resize = [96, 96]
    scale = 0.00392156862745098

    [budgets]                # limits for the model, see edgepack.config.budgets
    max_drop = 1.0

The other tables hold command-line options, which the command line reads itself
(:mod:`edgepack.cli.config_file`): one table per command, ``[all]``, and ``[[compress]]``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from edgepack.config.budgets import Budgets, parse_budgets
from edgepack.config.preprocessing import Audio, Image, Preprocessing
from edgepack.config.tables import checked_value, checked_values, require_known, require_table
from edgepack.config.toml import parse_toml
from edgepack.core.errors import ConfigError, TableError
from edgepack.core.signature import Signature
from edgepack.core.user_files import read_user_text

TABLES = ("data", "preprocessing", "budgets")
ALL, COMPRESS = "all", "compress"
COMMANDS = (
    *("compare", "debug", "diff", "export", "firmware", "inspect", "lint", "phone", "quantize"),
    *("study", "targets", "validate"),
)
_ONLY_INPUT = ""


@dataclass(frozen=True, kw_only=True)
class ProjectFile:
    """The parsed contents of a project file.

    ``label`` is the column, feature or array that holds the labels. ``preprocessing`` is keyed by
    input name, or by the empty name for a model's only input. ``budgets`` apply to ``validate``
    and ``export``.
    """

    path: Path | None = None
    label: str | None = None
    preprocessing: Mapping[str, Preprocessing] = field(default_factory=dict)
    budgets: Budgets = field(default_factory=Budgets)

    def described(self, signature: Signature) -> dict[str, Preprocessing]:
        """Return the preprocessing of every input of a model; the default changes nothing.

        Raises :class:`ConfigError` for preprocessing of an input that the model does not have, or
        that names no input where the model has several.
        """
        names = [spec.name for spec in signature.inputs]
        by_input = dict(self.preprocessing)
        if _ONLY_INPUT in by_input:
            if len(names) > 1:
                raise ConfigError(
                    f"{self.path}: [preprocessing] does not name its input; write"
                    f" {' and '.join(f'[preprocessing.{_quoted(name)}]' for name in names)}"
                )
            by_input = {names[0]: by_input[_ONLY_INPUT]}
        if unknown := sorted(by_input.keys() - set(names)):
            raise ConfigError(
                f"{self.path}: the model has no input {unknown[0]!r}; its inputs are"
                f" {', '.join(names)}"
            )
        return {name: by_input.get(name, Preprocessing()) for name in names}


def read_project_file(path: Path | None) -> ProjectFile:
    """Read a project file; None returns the defaults.

    Raises :class:`ConfigError` for a file that cannot be read, an unknown key or an invalid value.
    """
    if path is None:
        return ProjectFile()
    text = read_user_text(path, ConfigError, "project file")
    try:
        return _parse(path, parse_tables(text))
    except (ConfigError, TableError) as error:
        raise ConfigError(f"{path}: {error}") from error


def parse_tables(text: str) -> dict[str, Any]:
    """Parse the tables of a file by name. Raises :class:`TableError` for an unknown table."""
    tables = parse_toml(text)
    require_known(tables, (*TABLES, ALL, COMPRESS, *COMMANDS), "the tables are")
    for name, table in tables.items():
        if name != COMPRESS:
            require_table(name, table)
    return tables


def _parse(path: Path, tables: dict[str, Any]) -> ProjectFile:
    data, preprocessing = tables.get("data", {}), tables.get("preprocessing", {})
    require_known(data, ("label",), "[data] knows the key")
    label = checked_value(str, data["label"], "label") if data else None
    if preprocessing and all(isinstance(table, dict) for table in preprocessing.values()):
        parsed = {name: _preprocessing(table) for name, table in preprocessing.items()}
    else:
        parsed = {_ONLY_INPUT: _preprocessing(preprocessing)} if preprocessing else {}
    budgets = parse_budgets(tables.get("budgets", {}))
    return ProjectFile(path=path, label=label, preprocessing=parsed, budgets=budgets)


def _preprocessing(table: dict[str, Any]) -> Preprocessing:
    numbers = ("scale", "offset", "mean", "std")
    kinds: dict[str, type] = {"image": Image, "audio": Audio}
    keys = {name: [each.name for each in fields(kind)] for name, kind in kinds.items()}
    require_known(table, (*keys["image"], *keys["audio"], *numbers), "the keys are")
    if table.keys() & set(keys["audio"]) and "sample_rate" not in table:
        raise TableError("audio needs a 'sample_rate', in Hz")
    parts = {
        name: kind(**checked_values(kind, table, keys[name]))
        for name, kind in kinds.items()
        if table.keys() & set(keys[name])
    }
    one_channel = {
        key: [table[key]] for key in ("mean", "std") if isinstance(table.get(key), int | float)
    }
    return Preprocessing(**parts, **checked_values(Preprocessing, table | one_channel, numbers))


def _quoted(name: str) -> str:
    """Return a name as a TOML key, quoted where necessary."""
    return name if name.replace("_", "").replace("-", "").isalnum() else f'"{name}"'
