"""A Kotlin class that runs a model on Android."""

from __future__ import annotations

from collections.abc import Mapping

from edgepack.emit.phone.app_source_text import string_literal
from edgepack.emit.phone.kotlin_preprocessing import PREPROCESSING
from edgepack.emit.phone.model_class import Language, write_class
from edgepack.emit.phone.phone_model import PhoneModel

_FILE = """\
// Runs @file@ on Android. Written by edgepack.
//
// Put @file@ into src/main/assets, and LiteRT 1 into build.gradle.kts: its 2.0 came
// without the class Interpreter.
//     implementation("com.google.ai.edge.litert:litert:1.4.1")

package models

import android.content.res.AssetManager
@image_import@
import java.io.FileInputStream
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.channels.FileChannel
import kotlin.math.*
import org.tensorflow.lite.Interpreter

/** Runs the model, from one thread at a time; [close] it at the end. */
class @name@(assets: AssetManager, file: String = @resource@) : AutoCloseable {
    private val interpreter = Interpreter(mapped(assets, file))

    /*
     @io_comment@
     */
    fun run(
        @parameters@
    ): @result@ {
        val inputs = arrayOf<Any>(
            @inputs@
        )
        @outputs@
        interpreter.runForMultipleInputsOutputs(inputs, mapOf<Int, Any>(@output_map@))
        @read@
    }

    override fun close() = interpreter.close()

    @outputs_class@
    companion object {
        @labels@
        @functions@

        private fun buffer(size: Int): ByteBuffer =
            ByteBuffer.allocateDirect(size).order(ByteOrder.nativeOrder())

        private fun mapped(assets: AssetManager, file: String): ByteBuffer =
            assets.openFd(file).use { asset ->
                FileInputStream(asset.fileDescriptor).use {
                    val mode = FileChannel.MapMode.READ_ONLY
                    it.channel.map(mode, asset.startOffset, asset.declaredLength)
                }
            }
    }
}
"""

_LABELS = """\
/** What the values along the last axis of @name@ stand for. */
val LABELS = listOf(
@items@
)
"""

_LABELS_WHOLE = """\
/** What the values along the last axis of @name@ stand for: more than one class can hold. */
val LABELS: List<String> = listOf(
@parts@
).flatten()
"""

_LABELS_PART = """
private object @part@ : List<String> by listOf(
@items@
)
"""

_LABEL_OF = """
/** The label of the largest value. */
fun labelOf(values: @array@): String =
    LABELS[values.indices.maxByOrNull { @compared@ }!!]
"""

_QUANTIZE = """\
/** Real values as the @dtype@ of the model: halves away from zero, saturating; NaN as 0. */
fun quantize@Name@(values: FloatArray): ByteBuffer {
    val bytes = buffer(@factor@values.size)
    for (value in values) {
        val scaled = if (value.isNaN()) 0.0 else (value / @scale@).toDouble()
        val rounded = truncate(scaled + 0.5.withSign(scaled)) @zero_point@
        bytes.put@access@(rounded.coerceIn(@lowest@, @highest@).toInt()@cast@)
    }
    return bytes.apply { rewind() }
}
"""

_ROUND = """\
/** Values as the @dtype@ of the model, rounded, saturating; NaN as 0. */
fun write@Name@(values: FloatArray): ByteBuffer {
    val bytes = buffer(@factor@values.size)
    for (value in values) {
        bytes.put@access@(round(value.toDouble()).coerceIn(@lowest@, @highest@).toInt()@cast@)
    }
    return bytes.apply { rewind() }
}
"""

_WRITE = """\
/** The values as the bytes of the model's @dtype@. */
fun write@Name@(values: @array@): ByteBuffer {
    val bytes = buffer(@factor@values.size)
    for (value in values) bytes.put@access@(value)
    return bytes.apply { rewind() }
}
"""

_DEQUANTIZE = """\
/** The real values that the @dtype@ of the model stand for. */
fun read@Name@(bytes: ByteBuffer): FloatArray {
    bytes.rewind()
    return FloatArray(@size@) { (@integer@ @zero_point@) * @scale@ }
}
"""

_READ = """\
/** The values in the bytes of the model's @dtype@. */
fun read@Name@(bytes: ByteBuffer): @array@ {
    bytes.rewind()
    return @array@(@size@) { bytes.get@access@() }
}
"""

_VALUES = """\
/*
 * What becomes of each value x:
@steps@
 */
fun preprocess@Name@(values: FloatArray): FloatArray {
    require(values.size == @size@) { "${values.size} values; give @size@" }
    return FloatArray(@size@) { @normalized@ }
}
"""

_OUTPUTS = """\
/** What the model gives. */
class Outputs(
    @fields@
)
"""

_ARRAY_TYPES = {
    "float32": "FloatArray",
    "bool": "BooleanArray",
    "int8": "ByteArray",
    "uint8": "ByteArray",
    "int16": "ShortArray",
    "int32": "IntArray",
    "int64": "LongArray",
}
_ACCESS_SUFFIXES = {"float32": "Float", "int16": "Short", "int32": "Int", "int64": "Long"}
"""Suffix of ByteBuffer's ``put`` and ``get`` methods by dtype; none for bytes."""

_CASTS = {"int8": ".toByte()", "uint8": ".toByte()", "int16": ".toShort()"}


def kotlin_source(model: PhoneModel) -> str:
    """Write the Kotlin source file of a model's class.

    It uses LiteRT's Interpreter class, which releases up to 1.4 have and 2.0.3 lacks
    (github.com/google-ai-edge/LiteRT/issues/4775).
    """
    return write_class(model, _KOTLIN)


def kotlin_literal(text: str) -> str:
    r"""Write a Kotlin string literal.

    >>> print(kotlin_literal('$x "y"'))
    "\$x \"y\""
    """
    return string_literal(text, "\\u%04x").replace("$", "\\$")


def _dtype_values(dtype: str) -> Mapping[str, str]:
    """Return the values of the placeholders that depend on a dtype."""
    access = _ACCESS_SUFFIXES.get(dtype, "")
    size = {"Float": 4, "Short": 2, "Int": 4, "Long": 8}.get(access, 1)
    read = f"bytes.get{access}()"
    return {
        "access": access,
        "factor": f"{size} * " if size > 1 else "",
        "cast": _CASTS.get(dtype, ""),
        # Kotlin's Byte is signed, uint8 is not.
        "compared": f"values[it]{'.toUByte()' if dtype == 'uint8' else ''}",
        "integer": f"({read}.toInt() and 0xff)" if dtype == "uint8" else read,
    }


_KOTLIN = Language(
    templates={
        **PREPROCESSING,
        "file": _FILE,
        "image_import": "import android.graphics.Bitmap",
        "resource": "@name@.tflite",
        "labels": _LABELS,
        "labels_whole": _LABELS_WHOLE,
        "labels_part": _LABELS_PART,
        "label_of": _LABEL_OF,
        "quantize": _QUANTIZE,
        "round": _ROUND,
        "write": _WRITE,
        "write_bool": _WRITE.replace("(value)\n", "(if (value) 1 else 0)\n"),
        "dequantize": _DEQUANTIZE,
        "read": _READ,
        "read_bool": _READ.replace("bytes.get@access@()", "bytes.get() != 0.toByte()"),
        "values": _VALUES,
        "outputs": _OUTPUTS,
        "output": "val @name@ = buffer(@bytes@)",
        "field": "val @name@: @array@,",
        "argument": "@value@",
        "channels": "private val @name@ = floatArrayOf(@values@)",
        "call": "@function@(@argument@)",
        "call_image": "@function@(@argument@, @argument@Width, @argument@Height)",
        "convert_call": "@function@(@argument@)",
        "prepare": "@value@,",
        "parameter": "@name@: @type@",
        "range": "@first@ until @end@",
        "comment": " *     ",
        "element": "values[it]",
        "element_index": "it",
    },
    types=dict.fromkeys(_ARRAY_TYPES, "") | {"int": "Int"},
    array=_ARRAY_TYPES.__getitem__,
    literal=kotlin_literal,
    suffix="f",
    dtype_values=_dtype_values,
)
