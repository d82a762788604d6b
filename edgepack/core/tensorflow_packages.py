"""What TensorFlow's work needs, and a light installation leaves out.

Nothing here imports TensorFlow.
"""

from __future__ import annotations

from edgepack.core.errors import MissingToolError
from edgepack.core.packages import (
    KERAS,
    REQUIRED,
    TENSORFLOW,
    TF_KERAS,
    TFMOT,
    lacking_package,
)
from edgepack.core.requirements import wanted

TENSORFLOW_PACKAGES = tuple(each for each in REQUIRED if not each.is_light)
"""The requirements in setup.cfg that requirements-light.txt does without."""


def require_tensorflow(subject: str) -> None:
    """Raise :class:`MissingToolError` without TensorFlow; the cure brings all that goes with it.

    ``subject`` says in the message what needs it.
    """
    if not TENSORFLOW.is_there():
        raise MissingToolError(
            f"{subject} needs TensorFlow, which is not installed; {full_installation()}"
        )


def full_installation() -> str:
    """Return the command that brings those of :data:`TENSORFLOW_PACKAGES` that are missing."""
    missing = [each.distribution for each in TENSORFLOW_PACKAGES if not each.is_there()]
    return f"pip install {' '.join(repr(wanted(name)) for name in missing)}"


def require_tensorflow_for_import(error: Exception, subject: str) -> None:
    """Raise :class:`MissingToolError` if an import failed for want of TensorFlow, Keras or TFMOT.

    ``subject`` begins the message. Code of a user's own may use h5py or scikit-learn without them.
    """
    package = lacking_package(error)
    if package in (TENSORFLOW, KERAS, TF_KERAS, TFMOT):
        require_tensorflow(f"{subject}:")
        raise package.error(subject)
