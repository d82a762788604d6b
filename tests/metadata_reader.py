"""Read TFLite metadata with TensorFlow Lite Support, in a separate process.

Arguments: a library in place of libusb, which the reader links but does not use for reading, and
.tflite files. Prints one JSON line per file, with its metadata and its associated files.
"""

from __future__ import annotations

import ctypes
import json
import sys

ctypes.CDLL(sys.argv[1])
sys.modules["tensorflow"] = None  # type: ignore[assignment]  # otherwise imported to open files
# The package's top level imports the Task Library, which needs an old protobuf.
from tensorflow_lite_support.metadata.python import metadata  # noqa: E402

for path in sys.argv[2:]:
    displayer = metadata.MetadataDisplayer.with_model_file(path)
    files = {
        name: displayer.get_associated_file_buffer(name).decode()
        for name in displayer.get_packed_associated_file_list()
    }
    line = {"metadata": json.loads(displayer.get_metadata_json()), "files": files}
    sys.stdout.write(json.dumps(line) + "\n")
