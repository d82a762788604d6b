"""The part of ``main.cc`` that is the same for all models: run vectors and compare. C++17."""

from __future__ import annotations

from collections.abc import Iterable

TYPES = {
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
"""TFLM's name of each tensor type, and the C++ integer type that its bits are loaded into."""

_TEXT = """\
// An input or output of a model. `golden` has its values, `bytes` bytes for each test vector.
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
    std::size_t vectors;
    std::size_t arena_bytes;
}};

const unsigned char *golden(const End &end, std::size_t vector) {{
    return static_cast<const unsigned char *>(end.golden) + end.bytes * vector;
}}

template <typename T>
T load(const unsigned char *value) {{
    T loaded;
    std::memcpy(&loaded, value, sizeof loaded);
    return loaded;
}}
{float_steps}
// Converts a value to an integer, such that adjacent values of the type differ by 1.
std::int64_t number(TfLiteType type, const unsigned char *value) {{
    switch (type) {{
{cases}
        default:
            return 0;  // no output has another type
    }}
}}

// Clamps to int, since MicroPrintf() does not support longer types on all platforms.
int shown(std::int64_t value) {{
    if (value > INT32_MAX) return INT32_MAX;
    return value < INT32_MIN ? INT32_MIN : static_cast<int>(value);
}}

int shown_count(std::uint64_t count) {{
    return count > INT32_MAX ? INT32_MAX : static_cast<int>(count);
}}

// Returns whether an output equals the expected one bit for bit. If it does not, prints the first
// difference, the number of differences and the largest one.
//
// Floats are compared exactly as well, since a tolerance could hide a faulty kernel; they are
// printed as the integers that number() returns. Integers that differ by 1 indicate kernels that
// round differently from TFLM's reference kernels, such as those with TFLITE_SINGLE_ROUNDING.
bool is_golden(const Test &test, const End &end, std::size_t vector, const unsigned char *got) {{
    const unsigned char *want = golden(end, vector);
    if (std::memcmp(got, want, end.bytes) == 0) return true;

    std::size_t first = 0;
    std::size_t differing = 0;
    std::uint64_t largest = 0;
    const std::size_t elements = end.bytes / end.element_bytes;
    for (std::size_t i = 0; i < elements; ++i) {{
        const std::int64_t a = number(end.type, got + i * end.element_bytes);
        const std::int64_t b = number(end.type, want + i * end.element_bytes);
        if (a == b) continue;
        if (differing++ == 0) first = i;
        // Unsigned, since the difference of two 64-bit values may overflow a signed integer.
        const auto high = static_cast<std::uint64_t>(a > b ? a : b);
        const auto low = static_cast<std::uint64_t>(a > b ? b : a);
        if (high - low > largest) largest = high - low;
    }}
    MicroPrintf("%s: vector %d, %s: element %d is %d and should be %d; %d of %d elements differ, "
                "by at most %d",
                test.name, shown_count(vector), end.name, shown_count(first),
                shown(number(end.type, got + first * end.element_bytes)),
                shown(number(end.type, want + first * end.element_bytes)),
                shown_count(differing), shown_count(elements), shown_count(largest));
    return false;
}}

bool is_supported(const char *name, const tflite::Model *model) {{
    if (model->version() == TFLITE_SCHEMA_VERSION) return true;
    MicroPrintf("FAIL %s: its schema version is %d, but this TFLM supports %d", name,
                shown_count(model->version()), TFLITE_SCHEMA_VERSION);
    return false;
}}

// Returns whether a tensor has the type and size that model_settings.h states.
bool is_described(const Test &test, const End &end, const TfLiteTensor *tensor) {{
    if (tensor != nullptr && tensor->type == end.type && tensor->bytes == end.bytes) return true;
    MicroPrintf("FAIL %s: type or size of %s does not match model_settings.h (%d bytes)",
                test.name, end.name, shown_count(end.bytes));
    return false;
}}

bool passes(const Test &test, tflite::MicroInterpreter &interpreter) {{
    if (interpreter.AllocateTensors() != kTfLiteOk) {{
        MicroPrintf("FAIL %s: AllocateTensors() failed, with an arena of %d bytes", test.name,
                    shown_count(test.arena_bytes));
        return false;
    }}
    MicroPrintf("%s: uses %d of %d bytes of the arena", test.name,
                shown_count(interpreter.arena_used_bytes()), shown_count(test.arena_bytes));
    if (interpreter.inputs_size() != test.input_count ||
        interpreter.outputs_size() != test.output_count) {{
        MicroPrintf("FAIL %s: inputs or outputs do not match model_settings.h", test.name);
        return false;
    }}
    for (std::size_t i = 0; i < test.input_count; ++i) {{
        if (!is_described(test, test.inputs[i], interpreter.input(i))) return false;
    }}
    for (std::size_t i = 0; i < test.output_count; ++i) {{
        if (!is_described(test, test.outputs[i], interpreter.output(i))) return false;
    }}
    std::size_t failures = 0;
    for (std::size_t vector = 0; vector < test.vectors; ++vector) {{
        // Write the inputs before each run, since TFLM may reuse their memory for other tensors.
        for (std::size_t i = 0; i < test.input_count; ++i) {{
            const End &end = test.inputs[i];
            std::memcpy(interpreter.input(i)->data.raw, golden(end, vector), end.bytes);
        }}
        if (interpreter.Invoke() != kTfLiteOk) {{
            MicroPrintf("FAIL %s: vector %d: Invoke() failed", test.name, shown_count(vector));
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
        MicroPrintf("FAIL %s: %d of %d vectors", test.name, shown_count(failures),
                    shown_count(test.vectors));
        return false;
    }}
    MicroPrintf("PASS %s: %d %s", test.name, shown_count(test.vectors),
                test.vectors == 1 ? "vector" : "vectors");
    return true;
}}
"""

_FLOAT_STEPS = """
// Maps the bits of a float to an integer such that adjacent floats differ by 1, in order.
std::int64_t steps(std::int{bits}_t value) {{
    return value < 0 ? INT{bits}_MIN - value - 1 : value;
}}
"""


def self_test_text(dtypes: Iterable[str]) -> str:
    """Write the C++ that runs the test vectors of models whose outputs have types ``dtypes``."""
    used = sorted(dtypes)
    widths = [dtype.removeprefix("float") for dtype in used if dtype.startswith("float")]
    return _TEXT.format(
        float_steps="".join(_FLOAT_STEPS.format(bits=bits) for bits in widths),
        cases="\n".join(map(_switch_case, used)),
    )


def _switch_case(dtype: str) -> str:
    tflm_type, loaded_type = TYPES[dtype]
    value = f"load<{loaded_type}>(value)"
    if dtype.startswith("float"):
        value = f"steps({value})"
    if dtype == "uint64":
        value = f"static_cast<std::int64_t>({value})"
    return f"        case {tflm_type}:\n            return {value};"
