"""Read TFLite metadata as TensorFlow Lite Support does, in a process of its own.

Takes a library that stands in for libusb, which the reader links and does not use to read, and
.tflite files; prints their metadata and their associated files, JSON, a line each.
"""

from __future__ import annotations

import ctypes
import json
import sys

ctypes.CDLL(sys.argv[1])
sys.modules["tensorflow"] = None  # type: ignore[assignment]  # it would be imported to open files
# The package's own top brings the Task Library, which needs an old protobuf.
from tensorflow_lite_support.metadata.python import metadata  # noqa: E402

for path in sys.argv[2:]:
    found = metadata.MetadataDisplayer.with_model_file(path)
    files = {
        name: found.get_associated_file_buffer(name).decode()
        for name in found.get_packed_associated_file_list()
    }
    told = {"metadata": json.loads(found.get_metadata_json()), "files": files}
    sys.stdout.write(json.dumps(told) + "\n")
