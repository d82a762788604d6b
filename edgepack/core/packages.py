"""The packages that edgepack uses: what is lost without each, and what brings it."""

from __future__ import annotations

import platform
import sys
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import packages_distributions, version
from importlib.util import find_spec
from itertools import accumulate

from edgepack.core.errors import MissingToolError
from edgepack.core.requirements import own_requirements, wanted
from edgepack.core.system_name import system_name


@dataclass(frozen=True, kw_only=True)
class Package:
    """A package.

    ``distribution`` is its name for pip, ``module`` one of its modules that edgepack imports.
    ``lost`` is a clause that says what cannot be done, or is not checked, without it.
    ``extra`` is the extra of edgepack that brings it. ``builds`` says where it is available, if not
    everywhere; ``sources`` what pip installs it from, if not by its name. ``is_slow`` is whether
    its import takes seconds; ``is_light`` whether a light installation (requirements-light.txt) has
    it.
    """

    distribution: str
    module: str
    lost: str
    extra: str | None = None
    builds: str | None = None
    sources: str | None = None
    is_slow: bool = False
    is_light: bool = True

    def is_there(self) -> bool:
        """Whether its module is found, whichever distribution brought it.

        A folder that is left without its files, which Python takes for a namespace, is no module.
        """
        for name in accumulate(self.module.split("."), "{}.{}".format):
            spec = find_spec(name)
            if spec is None or spec.origin is not None:
                return spec is not None
        return False

    def version(self) -> str | None:
        """Return the installed version by its metadata; None without any, or damaged ones.

        They may be those of another distribution that brought its module, such as tensorflow-cpu.
        """
        if (found := _version(self.distribution)) is not None or not self.is_there():
            return found
        with suppress(UnicodeDecodeError):
            others = packages_distributions().get(self.module.partition(".")[0], ())
            return next(filter(None, map(_version, others)), None)
        return None

    @property
    def cure(self) -> str:
        """The command that brings it in a version that edgepack works with, or why none can."""
        if own_requirements().get(self.distribution, True) is None:
            python = ".".join(map(str, sys.version_info[:2]))
            here = f"Python {python} on {system_name()} {platform.machine()}"
            return f"no wheel for {here}, only for {self.builds}"
        return f"pip install {self.sources or repr(wanted(self.distribution))}"

    @property
    def repair(self) -> str:
        """The command that brings it again, for one that is installed and does not work."""
        # Which would also bring the newest numpy that it takes, even one that edgepack does not.
        names = dict.fromkeys((self.distribution, "numpy"))
        return f"pip install --force-reinstall {' '.join(repr(wanted(name)) for name in names)}"

    @property
    def lack(self) -> str:
        """A sentence that says that it is not installed, what is lost, and the cure."""
        return f"{self.distribution} is not installed: {self.lost}; {self.cure}"

    def missing(self) -> str | None:
        """Return :attr:`lack` if it is not there; None if it is."""
        return None if self.is_there() else self.lack

    def error(self, subject: str | None = None) -> MissingToolError:
        """Return the error to raise where it is missing; ``subject`` begins its message."""
        return MissingToolError(f"{subject}: {self.lack}" if subject else self.lack)

    def require(self, subject: str | None = None) -> None:
        """Raise :meth:`error` if it is not there."""
        if not self.is_there():
            raise self.error(subject)


EDGEPACK = Package(
    distribution="edgepack",
    module="edgepack",
    lost="what it requires is not known, so that versions are not checked",
    sources=". in a clone of edgepack",
)
LITERT = Package(
    distribution="ai-edge-litert",
    module="ai_edge_litert.interpreter",
    lost="no .tflite file can be read, and phones that run LiteRT are not checked",
    builds="Linux on x86-64 and aarch64, macOS on arm64 and Windows on x86-64",
)
TFLITE_RUNTIME = Package(
    distribution="tflite-runtime",
    module="tflite_runtime.interpreter",
    lost="phones that still run TensorFlow Lite are not checked, and nothing is compared with"
    " TensorFlow Lite's reference kernels",
    builds="Linux on x86-64, and on aarch64 with glibc 2.34 or later, and Python up to 3.11",
)
TFLITE_MICRO = Package(
    distribution="tflite-micro",
    module="tflite_micro.runtime",
    lost="microcontrollers are not checked, and the arena is not measured",
    builds="Linux on x86-64",
)
PILLOW = Package(
    distribution="pillow",
    module="PIL.Image",
    lost="folders of images cannot be read",
    extra="images",
)
SOUNDFILE = Package(
    distribution="soundfile",
    module="soundfile",
    lost="folders of WAV files cannot be read",
    extra="audio",
)
SCIKIT_IMAGE = Package(
    distribution="scikit-image",
    module="skimage.metrics",
    lost="the metric 'ssim' cannot be computed",
    extra="generators",
)
VELA = Package(
    distribution="ethos-u-vela",
    module="ethosu.vela.vela",
    lost="models are not compiled for Ethos-U, nor checked on targets with one",
    extra="ethos-u",
)
MATPLOTLIB = Package(
    distribution="matplotlib",
    module="matplotlib",
    lost="edgepack debug draws no debug.svg",
    extra="plot",
)

H5PY = Package(
    distribution="h5py",
    module="h5py",
    lost="models in .h5 and .keras files cannot be read",
    is_light=False,
)
KERAS = Package(
    distribution="keras",
    module="keras",
    lost="models of Keras 3 cannot be loaded",
    is_slow=True,
    is_light=False,
)
SCIKIT_LEARN = Package(
    distribution="scikit-learn",
    module="sklearn.metrics",
    lost="the calibration cannot be tested on folds",
    is_light=False,
)
TENSORFLOW = Package(
    distribution="tensorflow",
    module="tensorflow",
    lost="models other than .tflite files cannot be loaded, and none can be quantized",
    is_slow=True,
    is_light=False,
)
TFMOT = Package(
    distribution="tensorflow-model-optimization",
    module="tensorflow_model_optimization",
    lost="models cannot be pruned",
    is_slow=True,
    is_light=False,
)
TF_KERAS = Package(
    distribution="tf-keras",
    module="tf_keras",
    lost="models of Keras 2 cannot be loaded, and none can be pruned",
    is_slow=True,
    is_light=False,
)

REQUIRED = (
    Package(
        distribution="click",
        module="click",
        lost="there is no command line",
    ),
    Package(
        distribution="flatbuffers",
        module="flatbuffers",
        lost="no .tflite file can be read or written",
    ),
    H5PY,
    KERAS,
    Package(
        distribution="numpy",
        module="numpy",
        lost="nothing can be read or computed",
    ),
    Package(
        distribution="packaging",
        module="packaging",
        lost="versions cannot be compared",
    ),
    SCIKIT_LEARN,
    Package(
        distribution="scipy",
        module="scipy.special",
        lost="models cannot be scored by labels or probabilities",
    ),
    TENSORFLOW,
    TFMOT,
    TF_KERAS,
    *(
        ()
        if sys.version_info >= (3, 11)
        else (
            Package(
                distribution="tomli",
                module="tomli",
                lost="neither targets nor project files can be read",
            ),
        )
    ),
)
"""The packages that every installation has, but for the interpreters, or every full one."""

OPTIONAL = (SOUNDFILE, VELA, SCIKIT_IMAGE, PILLOW, MATPLOTLIB)
"""The packages of edgepack's extras."""

_KNOWN = (*REQUIRED, LITERT, TFLITE_RUNTIME, TFLITE_MICRO, *OPTIONAL)


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except Exception:  # noqa: BLE001 (there are none, or they are damaged, in any way)
        return None


def lacking_package(error: Exception) -> Package | None:
    """Return the package that an import did not find; None for another error.

    A module that an installed package does not have, or no longer, is another error.
    """
    if not isinstance(error, ModuleNotFoundError):
        return None
    top = str(error.name).partition(".")[0]
    found = next((each for each in _KNOWN if each.module.partition(".")[0] == top), None)
    return None if found is None or found.is_there() else found


def installed_versions(distributions: Collection[str]) -> dict[str, str]:
    """Return the versions of those of some packages that are installed, by name."""
    asked = [each for each in _KNOWN if each.distribution in distributions]
    return {each.distribution: found for each in asked if (found := each.version()) is not None}
