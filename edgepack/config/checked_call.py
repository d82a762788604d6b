"""The check of the arguments of a public function, before it does any work."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from edgepack.config.checked_settings import Settings
from edgepack.config.type_hints import describe_settings, shown
from edgepack.core.errors import ConfigError

_Parameters = ParamSpec("_Parameters")
_Report = TypeVar("_Report")


def takes(
    kind: type[Settings] | None,
) -> Callable[[Callable[_Parameters, _Report]], Callable[_Parameters, _Report]]:
    """Let a function raise :class:`ConfigError` for a ``config`` that is not of a ``kind``.

    Also for a ``progress`` that is not one, see :class:`edgepack.core.progress.Progress`, and for a
    ``verbose`` that is no bool. None is for a function without a ``config``.
    """

    def decorate(function: Callable[_Parameters, _Report]) -> Callable[_Parameters, _Report]:
        name = f"edgepack.{function.__name__}"
        parameters = [*inspect.signature(function).parameters]

        @functools.wraps(function)
        def checked(*arguments: _Parameters.args, **keywords: _Parameters.kwargs) -> _Report:
            given = dict(zip(parameters, arguments, strict=False)) | keywords
            if kind and "config" in given and not isinstance(given["config"], kind):
                raise ConfigError(
                    f"{name} takes an {describe_settings(kind)}, not {shown(given['config'])}"
                )
            progress = given.get("progress") if "progress" in parameters else None
            has_step = not isinstance(progress, type) and callable(getattr(progress, "step", None))
            if progress is not None and not has_step:
                raise ConfigError(
                    f"{name}: progress must have a method step(label), not be {shown(progress)};"
                    " leave it out, or see edgepack.Progress"
                )
            if not isinstance(verbose := given.get("verbose", False), bool):
                raise ConfigError(f"{name}: verbose must be True or False, not {shown(verbose)}")
            return function(*arguments, **keywords)

        return checked

    return decorate
