"""Layout of a Zephyr module that uses Zephyr's own TensorFlow Lite Micro (Zephyr 3.4 and later)."""

from __future__ import annotations

from edgepack.emit.tflm.layouts.project import Layout, Project

_FOLDER = "models"
_SELF_TEST = "samples/self_test"

_MODULE = """\
name: {library}
build:
  cmake: zephyr
  kconfig: zephyr/Kconfig
samples:
  - {self_test}
"""

_CMAKE = """\
if(CONFIG_{option})
  set(models ${{CMAKE_CURRENT_LIST_DIR}}/../models)
  zephyr_include_directories(${{models}})
  zephyr_library_named({library})
  zephyr_library_sources(
{sources}
  )
endif()
"""

_KCONFIG = """\
config {option}
	bool "{title}"
	depends on TENSORFLOW_LITE_MICRO
"""

_SAMPLE = """\
cmake_minimum_required(VERSION 3.20.0)

# The module with the models is the parent of the folder samples.
list(APPEND EXTRA_ZEPHYR_MODULES ${{CMAKE_CURRENT_SOURCE_DIR}}/../..)

find_package(Zephyr REQUIRED HINTS $ENV{{ZEPHYR_BASE}})
project({name}_self_test)

# Zephyr lacks guards for the initialization of local statics, which TensorFlow Lite Micro has.
zephyr_compile_options($<$<COMPILE_LANGUAGE:CXX>:-fno-threadsafe-statics>)

target_sources(app PRIVATE src/main.cc)
"""

_CONFIG = """\
CONFIG_CPP=y
CONFIG_STD_CPP17=y
CONFIG_TENSORFLOW_LITE_MICRO=y
CONFIG_{option}=y

# For the interpreter and printf.
CONFIG_MAIN_STACK_SIZE=4096
"""

_CMSIS_NN = """\
# For any Cortex-M: CMSIS-NN kernels instead of the reference kernels.
CONFIG_TENSORFLOW_LITE_MICRO_CMSIS_NN_KERNELS=y
"""

_README = """\
This is a module for Zephyr 3.4 or later; TensorFlow Lite Micro is an optional module of Zephyr.
Fetch it, build the self-test for your board, flash it and read its output. The command builds with
CMSIS-NN; if your board has no Cortex-M, omit `--` and what follows it:

    west config manifest.project-filter -- +tflite-micro
    west update
    west build -b nrf5340dk/nrf5340/cpuapp {self_test} -- -DEXTRA_CONF_FILE=cmsis_nn.conf
    west flash

In your own application, list this folder in `EXTRA_ZEPHYR_MODULES` and set
`CONFIG_{option}=y`.
"""


def _files(project: Project) -> dict[str, str]:
    names = {
        "name": project.name,
        "library": project.library,
        "option": project.library.upper(),
        "self_test": _SELF_TEST,
        "title": project.title,
        "sources": "\n".join(f"    ${{models}}/{path}" for path in project.sources),
    }
    return {
        "zephyr/module.yml": _MODULE.format(**names),
        "zephyr/CMakeLists.txt": _CMAKE.format(**names),
        "zephyr/Kconfig": _KCONFIG.format(**names),
        f"{_SELF_TEST}/CMakeLists.txt": _SAMPLE.format(**names),
        f"{_SELF_TEST}/prj.conf": _CONFIG.format(**names),
        f"{_SELF_TEST}/cmsis_nn.conf": _CMSIS_NN,
        "README.md": project.readme(_README.format(**names)),
    }


ZEPHYR = Layout(folder=_FOLDER, self_test=f"{_SELF_TEST}/src/main.cc", entry="main", files=_files)
