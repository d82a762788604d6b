"""Layout of a PlatformIO library, with a self-test for the Arduino framework.

Which library of TensorFlow Lite Micro fits depends on the board, so it is named not in the
library's manifest but in the self-test's ``platformio.ini``.
"""

from __future__ import annotations

import json

from edgepack.emit.tflm.layouts.project import Layout, Project

_FOLDER = "src"
_SELF_TEST = "examples/self_test"

_PROJECT = """\
[env:self_test]
; Any board that the TensorFlow Lite Micro library below supports.
platform = espressif32
board = esp32dev
framework = arduino
; The baud rate at which that library opens the serial port.
monitor_speed = 9600

lib_deps =
  {library}=symlink://../..
  ; TensorFlow Lite Micro for boards with an ESP32 or Mbed OS; PlatformIO has no official library.
  spaziochirale/Chirale_TensorFLowLite@^2.0.0

; The models' headers are C++17, but platforms default to an older standard.
build_unflags = -std=gnu++11 -std=gnu++14
build_flags = -std=gnu++17
"""

_README = """\
This is a PlatformIO library. It requires TensorFlow Lite Micro; `lib_deps` in
`{self_test}/platformio.ini` lists a library for boards with an ESP32 or Mbed OS,
`spaziochirale/Chirale_TensorFLowLite`. Set your board in that file, build the self-test, upload it
and read its output:

    cd {self_test}
    pio run --target upload
    pio device monitor

In your own project, list both libraries in `lib_deps`, as in that file.
"""


def _files(project: Project) -> dict[str, str]:
    manifest = {
        "name": project.library,
        "version": "1.0.0",
        "description": f"{project.title}.",
        "frameworks": "*",
        "platforms": "*",
        "headers": [f"{model}/model.h" for model in project.models],
        "examples": [
            {
                "name": "self_test",
                "base": _SELF_TEST,
                "files": ["platformio.ini", "src/main.cc"],
            }
        ],
    }
    return {
        "library.json": json.dumps(manifest, indent=2) + "\n",
        f"{_SELF_TEST}/platformio.ini": _PROJECT.format(library=project.library),
        "README.md": project.readme(_README.format(self_test=_SELF_TEST)),
    }


PLATFORMIO = Layout(
    folder=_FOLDER, self_test=f"{_SELF_TEST}/src/main.cc", entry="arduino", files=_files
)
