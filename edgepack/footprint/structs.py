"""Sizes of the structs that TensorFlow Lite Micro keeps in the arena, on any machine.

A struct is a string with one letter per field: ``p`` a pointer or a size_t, ``i`` 32 bits,
``e`` an enumeration, ``b`` one byte, ``d`` a double. Taken from TFLM's and CMSIS-NN's headers as of
August 2026; names with ``HOST`` are for the host build in the tflite-micro package.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Abi:
    """How a compiler lays out structs: the bytes of a pointer and of a small enumeration."""

    pointer: int
    enum: int


HOST = Abi(pointer=8, enum=4)
ARM = Abi(pointer=4, enum=1)
"""The bare-metal Arm ABI: enumerations take as few bytes as possible (AAPCS, section 8.1.3)."""
OTHER = Abi(pointer=4, enum=4)
"""Xtensa and RISC-V."""


def sizeof(fields: str, abi: Abi) -> int:
    """Return the size in bytes of a struct, laid out as by a C compiler.

    >>> sizeof("ppe", HOST), sizeof("ppe", ARM)
    (24, 12)
    """
    widths = {"p": abi.pointer, "i": 4, "e": abi.enum, "b": 1, "d": 8}
    size = 0
    for field in fields:
        size = align(size, widths[field]) + widths[field]
    return align(size, alignof(fields, abi))


def alignof(fields: str, abi: Abi) -> int:
    """Return the alignment of a struct in bytes: that of its widest field."""
    widths = {"p": abi.pointer, "i": 4, "e": abi.enum, "b": 1, "d": 8}
    return max((widths[field] for field in fields), default=1)


def align(size: int, alignment: int) -> int:
    """Round up to a multiple of ``alignment``."""
    return -(-size // alignment) * alignment


ALLOCATOR = "ppppppppi"  # SingleArenaBufferAllocator: two tables of virtual functions
PLANNER = "piippppiipb"  # GreedyMemoryPlanner
MICRO_ALLOCATOR = "pppppbppp"
BUILTIN_ALLOCATOR = "pp"  # MicroBuiltinDataAllocator
SUBGRAPH = "pp"  # SubgraphAllocations
EVAL_TENSOR = "ppe"
NODE = "ppppppip"  # NodeAndRegistration
TENSOR = "epiipppeeb"  # TfLiteTensor: quantization, params, data, dims, bytes, types, is_variable
QUANTIZATION = "ppi"  # TfLiteAffineQuantization
SCRATCH_REQUEST = "pii"
ALLOCATION_INFO = "ppiiib"

HOST_ALLOCATOR = f"{ALLOCATOR}pppp"  # RecordingSingleArenaBufferAllocator
HOST_MICRO_ALLOCATOR = f"{MICRO_ALLOCATOR}p{'ppp' * 8}"  # RecordingMicroAllocator, eight records
HOST_SUBGRAPH = f"{SUBGRAPH}p"  # built with support for compressed tensors

_POOL = "eiiiieiiii"
_SQUEEZE = "iiiiiiiii"

PARAMS = {
    "ADD": "eb",
    "ARG_MAX": "e",
    "ARG_MIN": "e",
    "AVERAGE_POOL_2D": _POOL,
    "BATCH_MATMUL": "bbb",
    "CALL_ONCE": "i",
    "CAST": "ee",
    "CONCATENATION": "ie",
    "CONV_2D": "eiieiie",
    "CUMSUM": "bb",
    "DEPTHWISE_CONV_2D": "eiiieii",
    "DEPTH_TO_SPACE": "i",
    "DIV": "e",
    "FULLY_CONNECTED": "eebbe",
    "GATHER": "ii",
    "IF": "ii",
    "L2_NORMALIZATION": "e",
    "L2_POOL_2D": _POOL,
    "LEAKY_RELU": "i",
    "MAX_POOL_2D": _POOL,
    "MEAN": "b",
    "MIRROR_PAD": "e",
    "MUL": "e",
    "PACK": "ii",
    "REDUCE_ALL": "b",
    "REDUCE_MAX": "b",
    "REDUCE_MIN": "b",
    "RESHAPE": _SQUEEZE,
    "RESIZE_BILINEAR": "bb",
    "RESIZE_NEAREST_NEIGHBOR": "bb",
    "SHAPE": "e",
    "SOFTMAX": "i",
    "SPACE_TO_DEPTH": "i",
    "SPLIT": "i",
    "SPLIT_V": "i",
    "SQUEEZE": _SQUEEZE,
    "STRIDED_SLICE": "iiiiib",
    "SUB": "eb",
    "SUM": "b",
    "SVDF": "ieb",
    "TRANSPOSE_CONV": "eiiee",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "eiibbb",
    "UNPACK": "ii",
    "VAR_HANDLE": "pp",
    "WHILE": "ii",
}
"""By operator, the struct of its options (tensorflow/lite/micro/builtin_op_data.h)."""

HOST_PARAMS = {"FULLY_CONNECTED": f"{PARAMS['FULLY_CONNECTED']}pi"}
"""TFLM later than August 2026 also keeps a list in the file, and its length."""

_CONV = "i" * 9 + "ppiii"
_COMPRESSED = "ii"

OP_DATA = {
    "ABS": "i" * 7,
    "ADD": "b" + "i" * 14,
    "AVERAGE_POOL_2D": "i" * 8,
    "BATCH_MATMUL": "pppbbb",
    "CONCATENATION": "bppiii",
    "CONV_2D": _CONV,
    "DEPTHWISE_CONV_2D": _CONV,
    "DEQUANTIZE": "i" * 8,
    "DIV": "i" * 7,
    "ELU": "i" * 64,
    "FULLY_CONNECTED": "i" * 9 + "ppb",
    "HARD_SWISH": "i" * 5,
    "L2_NORMALIZATION": "i",
    "LEAKY_RELU": "i" * 6,
    "LOGISTIC": "i" * 4,
    "MAX_POOL_2D": "i" * 8,
    "MEAN": "i" * 11,
    "MUL": "i" * 9,
    "PAD": "i" * 14,
    "PADV2": "i" * 14,
    "PRELU": "i" * 7,
    "QUANTIZE": "i" * 8,
    "REDUCE_MAX": "i" * 11,
    "REDUCE_MIN": "i" * 11,
    "RELU": "i" * 7,
    "RELU6": "i" * 2,
    "RSQRT": "i" * 7,
    "SOFTMAX": "diiiiiiippppp",
    "STRIDED_SLICE": "i" * 21,
    "SUB": "i" * 13,
    "SUM": "i" * 11,
    "SVDF": "i" * 9,
    "TANH": "i" * 4,
    "TRANSPOSE_CONV": "i" * 17 + "pp",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "i" * 172,
}
"""By operator, the struct that its reference kernel keeps. If all fields are 32-bit numbers, their
order does not matter."""

HOST_OP_DATA = OP_DATA | {
    "CONCATENATION": f"{OP_DATA['CONCATENATION']}{'i' * 10}",
    "CONV_2D": f"{_CONV}{_COMPRESSED}",
    "DEPTHWISE_CONV_2D": f"{_CONV}{_COMPRESSED}",
    "FULLY_CONNECTED": f"{OP_DATA['FULLY_CONNECTED']}{_COMPRESSED}",
}

_WITH_BUFFER = {
    name: f"{OP_DATA[name]}i"
    for name in ("AVERAGE_POOL_2D", "CONV_2D", "DEPTHWISE_CONV_2D", "MAX_POOL_2D")
}

CMSIS_NN_OP_DATA = (
    OP_DATA
    | _WITH_BUFFER
    | {
        "BATCH_MATMUL": f"{OP_DATA['BATCH_MATMUL']}iiiii",
        "FULLY_CONNECTED": f"{OP_DATA['FULLY_CONNECTED']}iipiii",
        "SOFTMAX": f"{OP_DATA['SOFTMAX']}ii",
        "SVDF": f"{OP_DATA['SVDF']}p",
        "UNIDIRECTIONAL_SEQUENCE_LSTM": f"{OP_DATA['UNIDIRECTIONAL_SEQUENCE_LSTM']}{'i' * 55}",
    }
)
ESP_NN_OP_DATA = OP_DATA | _WITH_BUFFER | {"SOFTMAX": f"{OP_DATA['SOFTMAX']}i"}
