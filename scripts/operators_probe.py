"""Print which operators this Python's interpreters support; scripts/operators runs this script.

Standard input holds files with one operator each, in hexadecimal: for every operator one file per
version, and one for TensorFlow Lite Micro, which ignores versions. The script runs under any Python
that has an interpreter, even an old one, and without edgepack.
"""

import json
import os
import sys
import tempfile
from importlib import metadata

UNKNOWN = (
    "Didn't find op for builtin opcode",
    "Op builtin_code out of range",
    "Encountered unresolved custom op",
)


def tflite_resolves(interpreter, model):
    """Whether TensorFlow Lite's interpreter resolves a file's operator in its version."""
    try:
        interpreter(model_content=model).allocate_tensors()
    except (RuntimeError, ValueError) as error:
        return not any(text in str(error) for text in UNKNOWN)
    return True


def micro_resolves(interpreter, model):
    """Whether TensorFlow Lite Micro resolves the first operator of a file.

    It never resolves the second, DELEGATE. So it prepares neither, which would abort the process,
    and reports on file descriptor 2 which one it lacks.
    """
    saved = os.dup(2)
    with tempfile.TemporaryFile() as output:
        os.dup2(output.fileno(), 2)
        try:
            interpreter(model, arena_size=1 << 16)
        except RuntimeError:
            pass
        finally:
            os.dup2(saved, 2)
            os.close(saved)
        output.seek(0)
        message = output.read().decode("utf-8", "replace")
    if "Failed to get registration from op code" not in message:
        raise RuntimeError("TensorFlow Lite Micro reports another error: " + message)
    return "op code DELEGATE" in message


def highest_by_operator(files, resolves, interpreter):
    """Return by operator the highest version that is resolved, 0 for none."""
    return {
        operator: max(
            (
                number
                for number, model in enumerate(models, start=1)
                if resolves(interpreter, bytes.fromhex(model))
            ),
            default=0,
        )
        for operator, models in files.items()
    }


def main():
    """Print the highest versions as JSON: by interpreter, its release and the operator."""
    files = json.load(sys.stdin)
    measured = {}
    for name, distribution in files["distributions"].items():
        try:
            version = metadata.version(distribution)
        except metadata.PackageNotFoundError:
            continue
        if name == "tflm":
            from tflite_micro import runtime

            highest = highest_by_operator(
                files["micro"], micro_resolves, runtime.Interpreter.from_bytes
            )
        else:
            if name == "litert":
                from ai_edge_litert import interpreter
            else:
                from tflite_runtime import interpreter
            highest = highest_by_operator(files["tflite"], tflite_resolves, interpreter.Interpreter)
        measured[name] = {version: highest}
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
