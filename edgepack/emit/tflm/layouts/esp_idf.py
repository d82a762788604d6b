"""Layout of an ESP-IDF component that uses Espressif's component of TensorFlow Lite Micro.

A component is named after its folder, whatever its manifest says, so the self-test finds it through
``EXTRA_COMPONENT_DIRS`` and not by name.
"""

from __future__ import annotations

from edgepack.emit.tflm.layouts.project import Layout, Project

_FOLDER = "models"
_SELF_TEST = "examples/self_test"

_COMPONENT = """\
idf_component_register(
  SRCS
{sources}
  INCLUDE_DIRS "models")
"""

# Public, because op_resolver.h includes the dependency's headers. 1.3.7 builds with ESP-IDF 5, 6.
_MANIFEST = """\
version: "1.0.0"
description: "{title}"
dependencies:
  idf:
    version: ">=5.0"
  espressif/esp-tflite-micro:
    version: "^1.3.7"
    require: public
"""

_PROJECT = """\
cmake_minimum_required(VERSION 3.16)

# The component with the models is the parent of the folder examples.
set(EXTRA_COMPONENT_DIRS "${{CMAKE_CURRENT_LIST_DIR}}/../..")

include($ENV{{IDF_PATH}}/tools/cmake/project.cmake)
project({name}_self_test)
"""

_MAIN = """\
# Without REQUIRES, main depends on all components of the project.
idf_component_register(SRCS "main.cc")
"""

# The default of 3584 bytes leaves little room for printf in addition to the interpreter.
_DEFAULTS = """\
CONFIG_ESP_MAIN_TASK_STACK_SIZE=8192
"""

_README = """\
This is a component for ESP-IDF 5.0 or later; the component manager downloads TensorFlow Lite Micro
(`espressif/esp-tflite-micro`). Build the self-test for your chip, flash it and read its output:

    cd {self_test}
    idf.py set-target esp32s3
    idf.py build flash monitor

In your own project, put this folder into `components`.
"""


def _files(project: Project) -> dict[str, str]:
    sources = "\n".join(f'    "{_FOLDER}/{path}"' for path in project.sources)
    return {
        "CMakeLists.txt": _COMPONENT.format(sources=sources),
        "idf_component.yml": _MANIFEST.format(title=project.title),
        f"{_SELF_TEST}/CMakeLists.txt": _PROJECT.format(name=project.name),
        f"{_SELF_TEST}/sdkconfig.defaults": _DEFAULTS,
        f"{_SELF_TEST}/main/CMakeLists.txt": _MAIN,
        "README.md": project.readme(_README.format(self_test=_SELF_TEST)),
    }


ESP_IDF = Layout(
    folder=_FOLDER, self_test=f"{_SELF_TEST}/main/main.cc", entry="app_main", files=_files
)
