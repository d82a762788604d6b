"""``main.cc``: a self-test that runs the test vectors of all models on the device. C++17."""

from __future__ import annotations

from collections.abc import Sequence

from edgepack.emit.firmware import End, FirmwareModel

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
// Self-test: feeds golden inputs to each model with TensorFlow Lite Micro and holds what comes out
// against golden outputs, bit for bit. Prints PASS or FAIL for each model{status}.

{includes}

namespace {{

{arena}

// An input or output of a model, and its golden values: `bytes` for each test vector.
struct End {{
    const char *name;
    TfLiteType type;
    std::size_t bytes;
    std::size_t element_bytes;
    const void *golden;
}};

struct Test {{
    const char *name;
    const End *inputs;
    std::size_t input_count;
    const End *outputs;
    std::size_t output_count;
    int vectors;
    int arena_bytes;
}};

const unsigned char *golden(const End &end, int vector) {{
    return static_cast<const unsigned char *>(end.golden) + end.bytes * vector;
}}

template <typename T>
T load(const unsigned char *value) {{
    T loaded;
    std::memcpy(&loaded, value, sizeof loaded);
    return loaded;
}}
{float_steps}
// A value as a number; neighbouring values are 1 apart.
std::int64_t number(TfLiteType type, const unsigned char *value) {{
    switch (type) {{
{cases}
        default:
            return 0;  // no output is of another type
    }}
}}

// MicroPrintf() prints an int everywhere, and longer types not everywhere.
int printable(std::uint64_t value) {{
    return value < INT32_MAX ? static_cast<int>(value) : INT32_MAX;
}}

// Whether an output is the golden one; prints where it first differs, and how far at most.
//
// A tolerance would hide a wrong kernel, so floats must be equal to the last bit as well; they
// are printed as the integer that their bits make. Integers that are 1 off come from kernels that
// round in another way than TFLM's reference kernels, such as those with TFLITE_SINGLE_ROUNDING.
bool is_golden(const Test &test, const End &end, int vector, const unsigned char *got) {{
    const unsigned char *want = golden(end, vector);
    if (std::memcmp(got, want, end.bytes) == 0) return true;

    int first = -1;
    int differing = 0;
    std::uint64_t largest = 0;
    const int elements = static_cast<int>(end.bytes / end.element_bytes);
    for (int i = 0; i < elements; ++i) {{
        const std::int64_t a = number(end.type, got + i * end.element_bytes);
        const std::int64_t b = number(end.type, want + i * end.element_bytes);
        if (a == b) continue;
        if (first < 0) first = i;
        ++differing;
        const std::uint64_t high = a > b ? a : b;
        const std::uint64_t low = a > b ? b : a;
        if (high - low > largest) largest = high - low;
    }}
    MicroPrintf("%s: vector %d, %s: element %d is %d and should be %d; %d of %d elements differ, "
                "by at most %d",
                test.name, vector, end.name, first,
                static_cast<int>(number(end.type, got + first * end.element_bytes)),
                static_cast<int>(number(end.type, want + first * end.element_bytes)), differing,
                elements, printable(largest));
    return false;
}}

bool is_supported(const char *name, const tflite::Model *model) {{
    if (model->version() == TFLITE_SCHEMA_VERSION) return true;
    MicroPrintf("FAIL %s: its schema has version %d, that of this TFLM %d", name,
                static_cast<int>(model->version()), TFLITE_SCHEMA_VERSION);
    return false;
}}

// Whether the interpreter has what model_settings.h says.
bool is_described(const Test &test, const End &end, const TfLiteTensor *tensor) {{
    if (tensor != nullptr && tensor->type == end.type && tensor->bytes == end.bytes) return true;
    MicroPrintf("FAIL %s: %s is not of the type and %d bytes of model_settings.h", test.name,
                end.name, static_cast<int>(end.bytes));
    return false;
}}

bool passes(const Test &test, tflite::MicroInterpreter &interpreter) {{
    if (interpreter.AllocateTensors() != kTfLiteOk) {{
        MicroPrintf("FAIL %s: AllocateTensors() failed, with an arena of %d bytes", test.name,
                    test.arena_bytes);
        return false;
    }}
    MicroPrintf("%s: %d of %d bytes of the arena are used", test.name,
                static_cast<int>(interpreter.arena_used_bytes()), test.arena_bytes);
    if (interpreter.inputs_size() != test.input_count ||
        interpreter.outputs_size() != test.output_count) {{
        MicroPrintf("FAIL %s: it has other inputs or outputs than model_settings.h", test.name);
        return false;
    }}
    for (std::size_t i = 0; i < test.input_count; ++i) {{
        if (!is_described(test, test.inputs[i], interpreter.input(i))) return false;
    }}
    for (std::size_t i = 0; i < test.output_count; ++i) {{
        if (!is_described(test, test.outputs[i], interpreter.output(i))) return false;
    }}
    int failures = 0;
    for (int vector = 0; vector < test.vectors; ++vector) {{
        // Inputs are written anew for each run: their memory may have been used for other tensors.
        for (std::size_t i = 0; i < test.input_count; ++i) {{
            const End &end = test.inputs[i];
            std::memcpy(interpreter.input(i)->data.raw, golden(end, vector), end.bytes);
        }}
        if (interpreter.Invoke() != kTfLiteOk) {{
            MicroPrintf("FAIL %s: vector %d: Invoke() failed", test.name, vector);
            return false;
        }}
        bool is_right = true;
        for (std::size_t i = 0; i < test.output_count; ++i) {{
            const void *got = interpreter.output(i)->data.raw;
            is_right = is_golden(test, test.outputs[i], vector,
                                 static_cast<const unsigned char *>(got)) && is_right;
        }}
        if (!is_right) ++failures;
    }}
    if (failures > 0) {{
        MicroPrintf("FAIL %s: %d of %d vectors", test.name, failures, test.vectors);
        return false;
    }}
    MicroPrintf("PASS %s: %d vectors", test.name, test.vectors);
    return true;
}}

{models}

bool all_pass() {{
    bool pass = true;
{calls}
    return pass;
}}

}}  // namespace

{entry}"""

_FLOAT_STEPS = """
// The bits of a float as an integer that grows with it.
std::int64_t steps(std::int{bits}_t value) {{
    return value < 0 ? INT{bits}_MIN - value - 1 : value;
}}
"""

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
    // On the stack: resolver and interpreter are gone when the next model needs the arena.
    {name}_op_resolver resolver;
    if ({name}_register_operators(resolver) != kTfLiteOk) {{
        MicroPrintf("FAIL {name}: an operator could not be registered");
        return false;
    }}
{interpreter}
    return passes({name}_test, interpreter);
}}"""

_END = """\
    {{{macro}_NAME, {type}, {macro}_BYTES, sizeof({symbol}_t),
     {golden}}},"""

_PLAIN = """\
    tflite::MicroInterpreter interpreter(model, resolver, {arena}, {macro}_ARENA_BYTES);"""

_WITH_VARIABLES = """\
    // What the model reads and assigns as variables lives in the arena, too.
    tflite::MicroAllocator *allocator =
        tflite::MicroAllocator::Create({arena}, {macro}_ARENA_BYTES);
    tflite::MicroResourceVariables *variables =
        tflite::MicroResourceVariables::Create(allocator, {count});
    tflite::MicroInterpreter interpreter(model, resolver, allocator, variables);"""

_OWN_ARENA = """\
// The interpreter's memory, aligned as TFLM needs it.
alignas(16) std::uint8_t arena[{macro}_ARENA_BYTES];"""

_SHARED_ARENA = """\
// The interpreter's memory, aligned as TFLM needs it. The models run one after the other, so that
// they share it.
alignas(16) union {{
{members}
}} arena;"""

_TFLM = "tensorflow/lite/micro"
_TYPES = {
    "bool": ("kTfLiteBool", "std::uint8_t"),
    "float32": ("kTfLiteFloat32", "std::int32_t"),
    "float64": ("kTfLiteFloat64", "std::int64_t"),
    "int8": ("kTfLiteInt8", "std::int8_t"),
    "int16": ("kTfLiteInt16", "std::int16_t"),
    "int32": ("kTfLiteInt32", "std::int32_t"),
    "int64": ("kTfLiteInt64", "std::int64_t"),
    "uint8": ("kTfLiteUInt8", "std::uint8_t"),
    "uint16": ("kTfLiteUInt16", "std::uint16_t"),
    "uint32": ("kTfLiteUInt32", "std::uint32_t"),
    "uint64": ("kTfLiteUInt64", "std::uint64_t"),
}
"""TFLM's name of a type, and the integer that its bits are loaded into."""


def main_cc(models: Sequence[FirmwareModel], entry: str) -> str:
    """Write a program that tests all models, begun by ``main``, ``app_main`` or as ``arduino``.

    It includes the files of each model from the folder of its name.
    """
    dtypes = sorted({end.tensor.dtype for model in models for end in model.outputs})
    widths = sorted({dtype[-2:] for dtype in dtypes if dtype.startswith("float")})
    return _TEXT.format(
        status="; returns 0 if all pass" if entry == "main" else "",
        includes=_includes(models, entry),
        arena=_arena(models),
        float_steps="".join(_FLOAT_STEPS.format(bits=bits) for bits in widths),
        cases="\n".join(map(_case, dtypes)),
        models="\n\n".join(_model(model, len(models) == 1) for model in models),
        calls="\n".join(f"    pass = {model.name}_passes() && pass;" for model in models),
        entry=_ENTRIES[entry],
    )


def _includes(models: Sequence[FirmwareModel], entry: str) -> str:
    files = ["micro_interpreter.h", "micro_log.h", "system_setup.h"]
    if any(map(_variables, models)):
        files += ["micro_allocator.h", "micro_resource_variable.h"]
    tflm = [f"{_TFLM}/{file}" for file in sorted(files)]
    blocks = [
        ["<TensorFlowLite.h>  // by which Arduino finds the library"] if entry == "arduino" else [],
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


def _case(dtype: str) -> str:
    kind, loaded = _TYPES[dtype]
    value = f"load<{loaded}>(value)"
    return f"        case {kind}:\n            return " + (
        f"steps({value});" if dtype.startswith("float") else f"{value};"
    )


def _model(model: FirmwareModel, is_only: bool) -> str:
    count = _variables(model)
    return _MODEL.format(
        name=model.name,
        macro=model.macro,
        inputs=_ends(model, model.inputs),
        outputs=_ends(model, model.outputs),
        interpreter=(_WITH_VARIABLES if count else _PLAIN).format(
            macro=model.macro,
            arena="arena" if is_only else f"arena.{model.name}_arena",
            count=count,
        ),
    )


def _ends(model: FirmwareModel, ends: Sequence[End]) -> str:
    return "\n".join(
        _END.format(
            macro=f"{model.macro}_{end.name.upper()}",
            type=_TYPES[end.tensor.dtype][0],
            symbol=f"{model.name}_{end.name}",
            golden=f"{model.name}_vectors_{end.name}" if model.vectors else "nullptr",
        )
        for end in ends
    )


def _variables(model: FirmwareModel) -> int:
    """Bound the number of the variables that operators read and assign."""
    operators = (operator for graph in model.model.subgraphs for operator in graph.operators)
    return sum(operator.name == _VARIABLE for operator in operators)
