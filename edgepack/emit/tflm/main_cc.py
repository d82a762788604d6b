"""``main.cc``: a self-test that runs the test vectors of all models on the device. C++17.

The text is valid C++14 as well: some Arduino cores compile as C++14, which a library cannot change.
"""

from __future__ import annotations

from collections.abc import Sequence

from edgepack.emit.c.io_tensor import IOTensor
from edgepack.emit.tflm.firmware_model import FirmwareModel
from edgepack.emit.tflm.self_test import TYPES, self_test_text

_ENTRIES = {
    "main": """\
int main() {
    tflite::InitializeTarget();
    return all_pass() ? 0 : 1;
}
""",
    "app_main": """\
extern "C" void app_main(void) {
    tflite::InitializeTarget();
    all_pass();
}
""",
    "arduino": """\
void setup() {
    tflite::InitializeTarget();  // opens the serial port
    all_pass();
}

void loop() {}
""",
}

_VARIABLE = "VAR_HANDLE"

_TEXT = """\
// Self-test: runs the test vectors of each model with TensorFlow Lite Micro and compares the
// outputs with the expected ones bit for bit. Prints PASS or FAIL per model{status}.

{includes}

namespace {{

{arena}

{self_test}
{models}

bool all_pass() {{
    bool pass = true;
{calls}
    return pass;
}}

}}  // namespace

{entry}"""

_MODEL = """\
constexpr End {name}_inputs[{macro}_INPUTS] = {{
{inputs}
}};
constexpr End {name}_outputs[{macro}_OUTPUTS] = {{
{outputs}
}};
constexpr Test {name}_test = {{
    "{name}",
    {name}_inputs,
    {macro}_INPUTS,
    {name}_outputs,
    {macro}_OUTPUTS,
    {macro}_VECTORS,
    {macro}_ARENA_BYTES,
}};

bool {name}_passes() {{
    const tflite::Model *model = tflite::GetModel({name}_model);
    if (!is_supported("{name}", model)) return false;
    // On the stack, so that both are destroyed before the next model uses the arena.
    {name}_op_resolver resolver;
    if ({name}_register_operators(resolver) != kTfLiteOk) {{
        MicroPrintf("FAIL {name}: an operator could not be registered");
        return false;
    }}
{interpreter}
    return passes({name}_test, interpreter);
}}"""

_IO = """\
    {{{macro}_NAME, {type}, {macro}_BYTES, sizeof({symbol}_t),
     {golden}}},"""

_PLAIN = """\
    tflite::MicroInterpreter interpreter(model, resolver, {arena}, {macro}_ARENA_BYTES);"""

_WITH_VARIABLES = """\
    // The model's resource variables are in the arena as well.
    tflite::MicroAllocator *allocator =
        tflite::MicroAllocator::Create({arena}, {macro}_ARENA_BYTES);
    tflite::MicroResourceVariables *variables =
        tflite::MicroResourceVariables::Create(allocator, {count});
    tflite::MicroInterpreter interpreter(model, resolver, allocator, variables);"""

_OWN_ARENA = """\
// The tensor arena, aligned as TFLM requires.
alignas(16) std::uint8_t arena[{macro}_ARENA_BYTES];"""

_SHARED_ARENA = """\
// The tensor arena, aligned as TFLM requires. The models run one after another, so they share it.
alignas(16) union {{
{members}
}} arena;"""

_TFLM = "tensorflow/lite/micro"


def main_cc(models: Sequence[FirmwareModel], entry: str) -> str:
    """Write a program that tests all models, with the headers of each in a folder of its name.

    ``entry`` is the entry point: ``main``, ``app_main``, or ``arduino`` for ``setup`` and ``loop``.
    """
    return _TEXT.format(
        status="; returns 0 if all pass" if entry == "main" else "",
        includes=_includes(models, entry),
        arena=_arena(models),
        self_test=self_test_text({io.tensor.dtype for model in models for io in model.outputs}),
        models="\n\n".join(_model(model, len(models) == 1) for model in models),
        calls="\n".join(f"    pass = {model.name}_passes() && pass;" for model in models),
        entry=_ENTRIES[entry],
    )


def _includes(models: Sequence[FirmwareModel], entry: str) -> str:
    files = ["micro_interpreter.h", "micro_log.h", "system_setup.h"]
    if any(map(_variable_count, models)):
        files += ["micro_allocator.h", "micro_resource_variable.h"]
    tflm = [f"{_TFLM}/{file}" for file in sorted(files)]
    blocks = [
        ["<Arduino.h>"] if entry == "arduino" else [],
        ["<cstddef>", "<cstdint>", "<cstring>"],
        [f'"{file}"' for file in [*tflm, "tensorflow/lite/schema/schema_generated.h"]],
        *(
            [
                f'"{model.name}/{file}.h"'
                for file in ("model", "model_settings", "op_resolver", "test_vectors")
            ]
            for model in models
        ),
    ]
    return "\n\n".join("\n".join(f"#include {file}" for file in block) for block in blocks if block)


def _arena(models: Sequence[FirmwareModel]) -> str:
    if len(models) == 1:
        return _OWN_ARENA.format(macro=models[0].macro)
    members = (
        f"    std::uint8_t {model.name}_arena[{model.macro}_ARENA_BYTES];" for model in models
    )
    return _SHARED_ARENA.format(members="\n".join(members))


def _model(model: FirmwareModel, is_only: bool) -> str:
    count = _variable_count(model)
    return _MODEL.format(
        name=model.name,
        macro=model.macro,
        inputs=_io_structs(model, model.inputs),
        outputs=_io_structs(model, model.outputs),
        interpreter=(_WITH_VARIABLES if count else _PLAIN).format(
            macro=model.macro,
            arena="arena" if is_only else f"arena.{model.name}_arena",
            count=count,
        ),
    )


def _io_structs(model: FirmwareModel, io_tensors: Sequence[IOTensor]) -> str:
    return "\n".join(
        _IO.format(
            macro=f"{model.macro}_{io.name.upper()}",
            type=TYPES[io.tensor.dtype][0],
            symbol=f"{model.name}_{io.name}",
            golden=f"{model.name}_vectors_{io.name}" if model.vectors else "nullptr",
        )
        for io in io_tensors
    )


def _variable_count(model: FirmwareModel) -> int:
    """Return an upper bound of the number of resource variables: the count of their handles."""
    operators = (operator for graph in model.model.subgraphs for operator in graph.operators)
    return sum(operator.name == _VARIABLE for operator in operators)
