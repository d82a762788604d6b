"""``edgepack.toml``: what is known of the data, for every command, beside their options.

::

    [data]
    label = "species"        # a column of CSV, a feature of TFRecords, an array of .npz

    [preprocessing]          # of the lone input; of several: [preprocessing.NAME]
    resize = [96, 96]
    scale = 0.00392156862745098

    [budgets]                # what the model may cost, see edgepack.config.budgets
    max_drop = 1.0

The other tables hold what could be given on the command line, which reads them itself
(:mod:`edgepack.cli.config_file`): one for each command, ``[all]``, and ``[[compress]]``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from edgepack.config.budgets import Budgets, parse_budgets
from edgepack.config.preprocessing import Audio, Image, Preprocessing
from edgepack.config.toml import (
    checked_value,
    checked_values,
    parse_toml,
    require_known,
    require_table,
)
from edgepack.core.errors import ConfigError, TableError
from edgepack.core.signature import Signature
from edgepack.core.user_files import read_user_text

TABLES = ("data", "preprocessing", "budgets")
ALL, COMPRESS = "all", "compress"
COMMANDS = (
    *("compare", "debug", "diff", "export", "firmware", "inspect", "lint", "phone", "quantize"),
    *("study", "targets", "validate"),
)
_LONE = ""


@dataclass(frozen=True, kw_only=True)
class ProjectFile:
    """What a file says.

    ``label`` is the column, feature or array that holds the labels. ``preprocessing`` is by the
    input's name, or under the empty name for a lone input. ``budgets`` are for ``validate`` and
    ``export``.
    """

    path: Path | None = None
    label: str | None = None
    preprocessing: Mapping[str, Preprocessing] = field(default_factory=dict)
    budgets: Budgets = field(default_factory=Budgets)

    def described(self, signature: Signature) -> dict[str, Preprocessing]:
        """Find the preprocessing of each input of a model; what is not described is left as it is.

        Raises :class:`ConfigError` for a description of no input of the model.
        """
        names = [spec.name for spec in signature.inputs]
        found = dict(self.preprocessing)
        if _LONE in found:
            if len(names) > 1:
                raise ConfigError(
                    f"{self.path}: [preprocessing] does not say of which input; write"
                    f" {' and '.join(f'[preprocessing.{_quoted(name)}]' for name in names)}"
                )
            found = {names[0]: found[_LONE]}
        if unknown := sorted(found.keys() - set(names)):
            raise ConfigError(
                f"{self.path}: the model has no input {unknown[0]!r}; its inputs are"
                f" {', '.join(names)}"
            )
        return {name: found.get(name, Preprocessing()) for name in names}


def read_project_file(path: Path | None) -> ProjectFile:
    """Read the file; without one nothing is described.

    Raises :class:`ConfigError` for one that cannot be read, for an unknown key and an unfit value.
    """
    if path is None:
        return ProjectFile()
    text = read_user_text(path, ConfigError, "project file")
    try:
        return _parse(path, parse_tables(text))
    except (ConfigError, TableError) as error:
        raise ConfigError(f"{path}: {error}") from error


def parse_tables(text: str) -> dict[str, Any]:
    """Parse the tables of a file, by their names. Raises :class:`TableError` for unknown ones."""
    tables = parse_toml(text)
    require_known(tables, (*TABLES, ALL, COMPRESS, *COMMANDS), "the tables are")
    for name, table in tables.items():
        if name != COMPRESS:
            require_table(name, table)
    return tables


def _parse(path: Path, tables: dict[str, Any]) -> ProjectFile:
    data, described = tables.get("data", {}), tables.get("preprocessing", {})
    require_known(data, ("label",), "[data] knows the key")
    label = checked_value("label", data["label"], "str") if data else None
    if described and all(isinstance(table, dict) for table in described.values()):
        parsed = {name: _preprocessing(table) for name, table in described.items()}
    else:
        parsed = {_LONE: _preprocessing(described)} if described else {}
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
    return Preprocessing(**parts, **checked_values(Preprocessing, table, numbers))


def _quoted(name: str) -> str:
    """Write a name as a key of TOML."""
    return name if name.replace("_", "").replace("-", "").isalnum() else f'"{name}"'
