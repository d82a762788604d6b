"""Import and call the user's own code, named as ``module:NAME``."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from edgepack.core.errors import EdgepackError, UsageError, reason
from edgepack.core.tensorflow_packages import require_tensorflow_for_import


def import_named(name: str, subject: str, error_type: type[UsageError]) -> Any:
    """Import the object ``module:NAME`` from ``sys.path`` or the working folder.

    Returns None if the module has no such attribute. Raises ``error_type``, whose message begins
    with ``subject``, if the module cannot be imported, and
    :class:`~edgepack.core.errors.MissingToolError` if it lacks TensorFlow for that.
    """
    module, _, attribute = name.partition(":")
    try:
        return getattr(_import_module(module), attribute, None)
    except Exception as error:
        require_tensorflow_for_import(error, subject)
        raise error_type(f"{subject}: {module} cannot be imported: {reason(error)}") from error


def import_function(name: str, subject: str, error_type: type[UsageError]) -> Callable[..., Any]:
    """Import a function as :func:`import_named` does; raises ``error_type`` if there is none."""
    imported = import_named(name, subject, error_type)
    if not callable(imported):
        module, _, function = name.partition(":")
        raise error_type(f"{subject}: {module} has no function {function}")
    return cast("Callable[..., Any]", imported)


def _import_module(name: str) -> ModuleType:
    """Import a module; raises what the import raises, and ImportError if it calls sys.exit."""
    here = str(Path.cwd())
    sys.path.append(here)  # last: a local file must not shadow an installed module
    try:
        return importlib.import_module(name)
    except SystemExit as error:
        raise ImportError(f"it called sys.exit({error.code!r})") from error
    finally:
        sys.path.remove(here)


@contextmanager
def user_code_errors(subject: str, error_type: type[UsageError]) -> Iterator[None]:
    """Turn whatever the user's code raises into a one-line ``error_type`` about ``subject``.

    edgepack's own errors pass through unchanged. Code that imports TensorFlow raises
    :class:`~edgepack.core.errors.MissingToolError` where that is not installed.
    """
    try:
        yield
    except EdgepackError:
        raise
    except SystemExit as error:
        raise error_type(f"{subject}: called sys.exit({error.code!r})") from error
    except Exception as error:
        require_tensorflow_for_import(error, subject)
        kind = type(error).__name__
        description = f"{kind}: {reason(error)}" if str(error) else kind
        raise error_type(f"{subject}: raised {description}") from error
