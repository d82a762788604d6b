"""Tell which operators the interpreters of this Python know; scripts/operators runs it.

Standard input holds files that use one operator, in hexadecimal: by operator one for each version,
and one for TensorFlow Lite Micro, which looks at no versions. It runs under the Python of any
interpreter, also of an old one, and without edgepack.
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


def tflite_knows(interpreter, model):
    """Tell whether TensorFlow Lite's interpreter resolves a file's operator in its version."""
    try:
        interpreter(model_content=model).allocate_tensors()
    except (RuntimeError, ValueError) as error:
        return not any(words in str(error) for words in UNKNOWN)
    return True


def micro_knows(interpreter, model):
    """Tell whether TensorFlow Lite Micro resolves the first operator of a file.

    None resolves the second, DELEGATE: so it prepares neither, which would end the process. It
    says on file descriptor 2 which one it lacks.
    """
    saved = os.dup(2)
    with tempfile.TemporaryFile() as words:
        os.dup2(words.fileno(), 2)
        try:
            interpreter(model, arena_size=1 << 16)
        except RuntimeError:
            pass
        finally:
            os.dup2(saved, 2)
            os.close(saved)
        words.seek(0)
        told = words.read().decode("utf-8", "replace")
    if "Failed to get registration from op code" not in told:
        raise RuntimeError("TensorFlow Lite Micro says something else: " + told)
    return "op code DELEGATE" in told


def highest_by_operator(files, knows, interpreter):
    """Find by operator the highest version of which a file is resolved, 0 for none."""
    return {
        operator: max(
            (
                number
                for number, model in enumerate(models, start=1)
                if knows(interpreter, bytes.fromhex(model))
            ),
            default=0,
        )
        for operator, models in files.items()
    }


def main():
    """Print what each interpreter knows: its name, then its version, then operators."""
    asked = json.load(sys.stdin)
    found = {}
    for name, distribution in asked["distributions"].items():
        try:
            version = metadata.version(distribution)
        except metadata.PackageNotFoundError:
            continue
        if name == "tflm":
            from tflite_micro import runtime

            highest = highest_by_operator(
                asked["micro"], micro_knows, runtime.Interpreter.from_bytes
            )
        else:
            if name == "litert":
                from ai_edge_litert import interpreter
            else:
                from tflite_runtime import interpreter
            highest = highest_by_operator(asked["tflite"], tflite_knows, interpreter.Interpreter)
        found[name] = {version: highest}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
