"""What TensorFlow's work needs, and a light installation leaves out.

Nothing here imports TensorFlow.
"""

from __future__ import annotations

from edgepack.core.errors import MissingToolError
from edgepack.core.packages import REQUIRED

TENSORFLOW_PACKAGES = tuple(each for each in REQUIRED if not each.is_light)
"""The requirements in setup.cfg that requirements-light.txt does without."""

_MODULES = {each.module for each in TENSORFLOW_PACKAGES if each.is_slow}
"""What tells that code needs TensorFlow; others use h5py and scikit-learn on their own."""


def require_tensorflow(subject: str) -> None:
    """Raise :class:`MissingToolError` if one of :data:`TENSORFLOW_PACKAGES` is not installed.

    ``subject`` says in the message what needs them.
    """
    if missing := [each.distribution for each in TENSORFLOW_PACKAGES if each.version() is None]:
        raise MissingToolError(
            f"{subject} needs TensorFlow and its packages, and this installation lacks"
            f" {', '.join(missing)}: pip install edgepack"
        )


def require_tensorflow_for_import(error: Exception, subject: str) -> None:
    """Raise what :func:`require_tensorflow` does if an import failed for want of TensorFlow."""
    if isinstance(error, ModuleNotFoundError):
        module = str(error.name).partition(".")[0]
        if module in _MODULES:
            require_tensorflow(subject)
