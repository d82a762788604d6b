"""Code of the user's own: modules that are named, and the functions in them."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from edgepack.core.errors import EdgepackError, UsageError, reason


def import_named(name: str, told: str, refused: type[UsageError]) -> Any:
    """Import what ``module:NAME`` names, from the path or the working folder.

    None if the module has nothing of that name. Raises ``refused``, whose message begins with what
    is ``told``, for a module that cannot be imported.
    """
    module, _, attribute = name.partition(":")
    try:
        return getattr(_import_module(module), attribute, None)
    except Exception as error:
        raise refused(f"{told}: {module} cannot be imported: {reason(error)}") from error


def import_function(name: str, told: str, refused: type[UsageError]) -> Callable[..., Any]:
    """Import a function as :func:`import_named` does; ``refused`` if there is none, too."""
    found = import_named(name, told, refused)
    if not callable(found):
        module, _, function = name.partition(":")
        raise refused(f"{told}: {module} has no function {function}")
    return cast("Callable[..., Any]", found)


def _import_module(name: str) -> ModuleType:
    """Import a module; raises what that raises, and ImportError where it ends the process."""
    here = str(Path.cwd())
    sys.path.append(here)  # last: a file here must not stand in for an installed module
    try:
        return importlib.import_module(name)
    except SystemExit as error:
        raise ImportError(f"it called sys.exit({error.code!r})") from error
    finally:
        sys.path.remove(here)


@contextmanager
def calling(told: str, refused: type[UsageError]) -> Iterator[None]:
    """Tell what the user's code raises in one line, as ``refused``; ``told`` is what it is called.

    What edgepack raises itself passes.
    """
    try:
        yield
    except EdgepackError:
        raise
    except SystemExit as error:
        raise refused(f"{told}: called sys.exit({error.code!r})") from error
    except Exception as error:
        kind = type(error).__name__
        said = f"{kind}: {reason(error)}" if str(error) else kind
        raise refused(f"{told}: raised {said}") from error
