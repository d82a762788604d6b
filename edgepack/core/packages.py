"""The packages that edgepack uses: what is lost without each, and what brings it."""

from __future__ import annotations

import platform
import sys
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from edgepack.core.requirements import own_requirements, wanted
from edgepack.core.system_name import system_name

_OF_KERAS = ("debug", "export", "lint", "quantize", "study")
_OF_FILES = ("compare", "diff", "firmware", "inspect", "phone", "validate")
_EVERYTHING = tuple(sorted((*_OF_KERAS, *_OF_FILES)))
_OF_TARGETS = ("compare", "debug", "export", "firmware", "quantize", "targets", "validate")
_SCORING = ("compare", "debug", "export", "lint", "quantize", "study", "validate")

STARTING_PROCESSES = tuple(sorted((*_OF_KERAS, "compare", "firmware", "validate")))
"""The commands that run something in processes of their own."""

RUNNING_MODELS = ("compare", "export", "quantize", "validate")
"""The commands that run models on every interpreter that is installed."""


@dataclass(frozen=True, kw_only=True)
class Package:
    """A package.

    ``distribution`` is its name for pip, ``module`` one of its modules that edgepack imports.
    ``lost`` is a clause that says what cannot be done, or is not checked, without it;
    ``commands`` cannot work at all without it, and ``in_part`` not with every model or option.
    ``extra`` is the extra of edgepack that brings it.
    ``builds`` says where it is available, if not everywhere; ``is_slow`` whether its import takes
    seconds; ``is_light`` whether a light installation (requirements-light.txt) has it.
    """

    distribution: str
    module: str
    lost: str
    commands: tuple[str, ...] = ()
    in_part: tuple[str, ...] = ()
    extra: str | None = None
    builds: str | None = None
    is_slow: bool = False
    is_light: bool = True

    def version(self) -> str | None:
        """Return the installed version by its metadata; None without any, or damaged ones."""
        try:
            return version(self.distribution)
        except (PackageNotFoundError, UnicodeDecodeError):
            return None

    def is_there(self) -> bool:
        """Whether its module is found, even if another distribution brought it."""
        return find_spec(self.module.partition(".")[0]) is not None

    @property
    def is_built_here(self) -> bool:
        """Whether there is a build of it for this Python and system."""
        return own_requirements().get(self.distribution, True) is not None

    @property
    def cure(self) -> str:
        """The command that brings it in a version that edgepack works with, or why none can."""
        if not self.is_built_here:
            python = ".".join(map(str, sys.version_info[:2]))
            here = f"Python {python} on {system_name()} {platform.machine()}"
            return f"no wheel for {here}, only for {self.builds}"
        if not self.is_light:  # which brings the others of its kind, too
            return "pip install edgepack"
        return f"pip install '{wanted(self.distribution)}'"

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


EDGEPACK = Package(
    distribution="edgepack",
    module="edgepack",
    lost="what edgepack requires is not known, and no manifest can be written",
    commands=tuple(sorted({*_OF_KERAS, "compare", "firmware", "phone"} - {"lint"})),
)
LITERT = Package(
    distribution="ai-edge-litert",
    module="ai_edge_litert.interpreter",
    lost="no .tflite file can be read, and phones that run LiteRT are not checked",
    commands=_EVERYTHING,
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
    commands=("firmware",),
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

_OF_TENSORFLOW = partial(Package, commands=_OF_KERAS, in_part=("compare",), is_light=False)

REQUIRED = (
    Package(
        distribution="click",
        module="click",
        lost="there is no command line",
        commands=(*_EVERYTHING, "targets"),
    ),
    Package(
        distribution="flatbuffers",
        module="flatbuffers",
        lost="no .tflite file can be read or written",
        commands=_EVERYTHING,
    ),
    _OF_TENSORFLOW(
        distribution="h5py",
        module="h5py",
        lost="models in .h5 and .keras files cannot be read",
    ),
    _OF_TENSORFLOW(
        distribution="keras",
        module="keras",
        lost="models of Keras 3 cannot be loaded",
        is_slow=True,
    ),
    Package(
        distribution="numpy",
        module="numpy",
        lost="nothing can be read or computed",
        commands=_EVERYTHING,
    ),
    Package(
        distribution="packaging",
        module="packaging",
        lost="versions cannot be compared",
        commands=_OF_TARGETS,
    ),
    _OF_TENSORFLOW(
        distribution="scikit-learn",
        module="sklearn.metrics",
        lost="the calibration cannot be tested on folds",
    ),
    Package(
        distribution="scipy",
        module="scipy.special",
        lost="models cannot be scored by labels or probabilities",
        in_part=_SCORING,
    ),
    _OF_TENSORFLOW(
        distribution="tensorflow",
        module="tensorflow",
        lost="models other than .tflite files cannot be loaded, and none can be quantized",
        is_slow=True,
    ),
    _OF_TENSORFLOW(
        distribution="tensorflow-model-optimization",
        module="tensorflow_model_optimization",
        lost="models cannot be pruned",
        is_slow=True,
    ),
    _OF_TENSORFLOW(
        distribution="tf-keras",
        module="tf_keras",
        lost="models of Keras 2 cannot be loaded, and none can be pruned",
        is_slow=True,
    ),
    *(
        ()
        if sys.version_info >= (3, 11)
        else (
            Package(
                distribution="tomli",
                module="tomli",
                lost="neither targets nor project files can be read",
                commands=(*_EVERYTHING, "targets"),
            ),
        )
    ),
)
"""Packages without which commands cannot work, but for the interpreters."""

OPTIONAL = (SOUNDFILE, VELA, SCIKIT_IMAGE, PILLOW, MATPLOTLIB)
"""The packages of edgepack's extras."""


def package_of(module: str) -> Package | None:
    """Return the package that has a module; None if edgepack uses none that has it."""
    top = module.partition(".")[0]
    known = (*REQUIRED, LITERT, TFLITE_RUNTIME, TFLITE_MICRO, *OPTIONAL)
    return next((each for each in known if each.module.partition(".")[0] == top), None)
