"""Layout of an Arduino library (Arduino library specification, 1.5 format, rev. 2.2).

Arduino finds a library by a header directly in its ``src`` folder. The library therefore has one
header for all models, which also includes the header of the TensorFlow Lite Micro library. The
self-test is a ``.cpp`` file, because Arduino CLI before 0.34 ignores ``.cc``, next to a sketch
named after its folder.
"""

from __future__ import annotations

from edgepack.emit.tflm.layouts.project import Layout, Project

_FOLDER = "src"
_SELF_TEST = "examples/self_test"
_TEST_VECTORS = "/test_vectors.h"

# The library is spelled TensorFLowLite, its header TensorFlowLite.
_PROPERTIES = """\
name={library}
version=1.0.0
author=edgepack
maintainer=edgepack
sentence={title}.
paragraph=Each model has its settings, operators, quantization, preprocessing and test vectors.
category=Data Processing
url=https://github.com/tensorflow/tflite-micro
architectures=*
includes={library}.h
depends=Chirale_TensorFLowLite
"""

_HEADER = """\
/* Includes the models of this library, and TensorFlow Lite Micro, which runs them. */
#ifndef {guard}
#define {guard}

#include <Chirale_TensorFlowLite.h>

{includes}

#endif /* {guard} */
"""

_SKETCH = """\
// setup() and loop() are in main.cpp; this line is for Arduino to find the libraries.
#include <{library}.h>
"""

_README = """\
This library requires `Chirale_TensorFLowLite`: TensorFlow Lite Micro for boards with Mbed OS or an
ESP32. To use another port, include its header in `src/{library}.h` instead. Build the self-test
for your board, upload it and read its output:

    arduino-cli lib install Chirale_TensorFLowLite
    arduino-cli compile --library . --fqbn arduino:mbed_nano:nano33ble {self_test}
    arduino-cli upload --port PORT --fqbn arduino:mbed_nano:nano33ble {self_test}
    arduino-cli monitor --port PORT --config baudrate=9600

For the Arduino IDE, copy this folder into `libraries` in your sketchbook folder; the self-test is
then listed among the examples. In your own sketch, include `<{library}.h>`.
"""


def _files(project: Project) -> dict[str, str]:
    includes = "\n".join(
        f'#include "{path}"' for path in project.headers if not path.endswith(_TEST_VECTORS)
    )
    names = {"library": project.library, "self_test": _SELF_TEST}
    guard = f"{project.library.upper()}_H"
    return {
        "library.properties": _PROPERTIES.format(title=project.title, **names),
        f"{_FOLDER}/{project.library}.h": _HEADER.format(guard=guard, includes=includes),
        f"{_SELF_TEST}/self_test.ino": _SKETCH.format(**names),
        "README.md": project.readme(_README.format(**names)),
    }


ARDUINO = Layout(folder=_FOLDER, self_test=f"{_SELF_TEST}/main.cpp", entry="arduino", files=_files)
