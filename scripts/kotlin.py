"""Compile and run the emitted Kotlin, and hold what it feeds the interpreter against edgepack.

Needs Java 17 and Kotlin's compiler, which a wheel on PyPI brings::

    pip install --no-deps --target build/kotlin kotlin-jupyter-kernel
    PYTHONPATH=tests .venv/bin/python scripts/kotlin.py build/kotlin/run_kotlin_kernel/jars

The classes of tests/phones.py are compiled against stubs of Android and LiteRT and run on random
data. Values and images must give the same bytes as the calibration does here, sound the same to
one step; of outputs every real value must be the same, and every label.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from phones import CASES

from edgepack.calibration.datasets.preprocess import preprocess
from edgepack.config.preprocessing import Preprocessing
from edgepack.emit.c.io_tensor import IOTensor
from edgepack.emit.phone.kotlin import kotlin_literal, kotlin_source
from edgepack.emit.phone.phone_model import PhoneModel
from edgepack.quantization.affine import dequantize, quantize

IMAGE_SIZE = (23, 31)
READERS = {
    "float32": "floats",
    "int16": "shorts",
    "int32": "ints",
    "int64": "longs",
    "bool": "booleans",
}

ANDROID = """\
package android.content.res
import java.io.Closeable
import java.io.FileDescriptor
import java.io.RandomAccessFile
class AssetFileDescriptor(private val file: RandomAccessFile) : Closeable {
    val fileDescriptor: FileDescriptor get() = file.fd
    val startOffset = 0L
    val declaredLength get() = file.length()
    override fun close() = file.close()
}
class AssetManager(private val folder: String) {
    fun openFd(file: String) = AssetFileDescriptor(RandomAccessFile("$folder/model", "r"))
}
"""
BITMAP = """\
package android.graphics
class Bitmap(val width: Int, val height: Int, private val rgb: ByteArray) {
    fun getPixels(p: IntArray, offset: Int, stride: Int, x: Int, y: Int, w: Int, h: Int) {
        for (i in p.indices) {
            fun at(channel: Int) = rgb[3 * i + channel].toInt() and 0xff
            p[i] = (0xff shl 24) or (at(0) shl 16) or (at(1) shl 8) or at(2)
        }
    }
}
"""
INTERPRETER = """\
package org.tensorflow.lite
import java.nio.ByteBuffer
import java.nio.file.Files
import java.nio.file.Path
class Interpreter(model: ByteBuffer) : AutoCloseable {
    init { check(model.isDirect && model.capacity() == 5) }
    fun runForMultipleInputsOutputs(inputs: Array<Any>, outputs: Map<Int, Any>) {
        inputs.forEachIndexed { place, given ->
            val bytes = given as ByteBuffer
            check(bytes.isDirect && bytes.position() == 0)
            val array = ByteArray(bytes.remaining()).also { bytes.get(it) }
            Files.write(Path.of("$stem-fed-$place"), array)
        }
        outputs.forEach { (place, taken) ->
            (taken as ByteBuffer).put(Files.readAllBytes(Path.of("$stem-given-$place")))
        }
    }
    override fun close() {}
    companion object { var stem = "" }
}
"""
MAIN = """\
import android.content.res.AssetManager
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.file.Files
import java.nio.file.Path
import models.*
import org.tensorflow.lite.Interpreter

var folder = ""
fun bytes(name: String): ByteArray = Files.readAllBytes(Path.of("$folder/$name"))
fun buffer(name: String): ByteBuffer = ByteBuffer.wrap(bytes(name)).order(ByteOrder.LITTLE_ENDIAN)
fun floats(name: String) = buffer(name).let { b -> FloatArray(b.capacity() / 4) { b.getFloat() } }
fun shorts(name: String) = buffer(name).let { b -> ShortArray(b.capacity() / 2) { b.getShort() } }
fun ints(name: String) = buffer(name).let { b -> IntArray(b.capacity() / 4) { b.getInt() } }
fun longs(name: String) = buffer(name).let { b -> LongArray(b.capacity() / 8) { b.getLong() } }
fun booleans(name: String) = bytes(name).let { b -> BooleanArray(b.size) { b[it] != 0.toByte() } }
fun store(name: String, size: Int, put: (ByteBuffer) -> Unit) {
    val made = ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN).also(put)
    Files.write(Path.of("$folder/$name"), made.array())
}
fun store(name: String, v: FloatArray) =
    store(name, 4 * v.size) { b -> v.forEach { b.putFloat(it) } }
fun store(name: String, v: ShortArray) =
    store(name, 2 * v.size) { b -> v.forEach { b.putShort(it) } }
fun store(name: String, v: IntArray) = store(name, 4 * v.size) { b -> v.forEach { b.putInt(it) } }
fun store(name: String, v: LongArray) = store(name, 8 * v.size) { b -> v.forEach { b.putLong(it) } }
fun store(name: String, v: ByteArray) = store(name, v.size) { it.put(v) }
fun store(name: String, v: BooleanArray) =
    store(name, ByteArray(v.size) { if (v[it]) 1.toByte() else 0.toByte() })

fun main(arguments: Array<String>) {
    folder = arguments[0]
    val assets = AssetManager(folder)
@runs@
}
"""


def main() -> None:
    """Compile, run, compare."""
    jars = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        fed = {name: samples(model, name, folder) for name, model in CASES.items()}
        (folder / "model").write_bytes(b"model")
        sources = {f"{model.class_name}.kt": kotlin_source(model) for model in CASES.values()}
        sources |= {"android.kt": ANDROID, "bitmap.kt": BITMAP, "interpreter.kt": INTERPRETER}
        sources["main.kt"] = MAIN.replace("@runs@", "\n".join(map(run_text, CASES.values())))
        for name, text in sources.items():
            (folder / name).write_text(text, encoding="utf-8")
        library = next(jars.glob("kotlin-stdlib-*.jar"))
        compiler = "org.jetbrains.kotlin.cli.jvm.K2JVMCompiler"
        files = [folder / name for name in sources]
        options = ["-no-stdlib", "-no-reflect", "-cp", library, "-d", folder / "classes"]
        run("java", "-cp", f"{jars}/*", compiler, *options, *files)
        run("java", "-cp", f"{folder / 'classes'}:{library}", "MainKt", folder)
        for name, model in CASES.items():
            compare(name, model, fed[name], folder)


def run(*command: object) -> None:
    """Run a program that must pass."""
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    warnings = [line for line in done.stderr.splitlines() if "error:" in line]
    if done.returncode:
        sys.exit("\n".join(warnings) or done.stderr)


def samples(model: PhoneModel, name: str, folder: Path) -> list[NDArray[np.generic]]:
    """Write random inputs and outputs; returns what the model must be fed."""
    random = np.random.default_rng(len(name))
    fed = []
    for place, end in enumerate(model.inputs):
        given, wanted = sample(model, end, random)
        given.tofile(folder / f"{place_of(model)}-in-{place}")
        fed.append(wanted)
    for place, end in enumerate(model.outputs):
        tensor = end.tensor
        numbers = random.integers(0, 2, tensor.shape) if tensor.dtype == "bool" else None
        raw = random.normal(0, 99, tensor.shape) if numbers is None else numbers
        raw.astype(tensor.dtype).tofile(folder / f"{place_of(model)}-given-{place}")
    return fed


def place_of(model: PhoneModel) -> str:
    """Name a case's files."""
    return model.class_name


def sample(
    model: PhoneModel, end: IOTensor, random: np.random.Generator
) -> tuple[NDArray[np.generic], NDArray[np.generic]]:
    """Make what the app gives of an input, and what the interpreter must get."""
    described, shape, dtype = model.preprocessing_of(end), end.tensor.sample_shape, end.tensor.dtype
    if described.image:
        image = described.image
        size = IMAGE_SIZE if image.resize or image.crop else shape[:2]
        given = random.integers(0, 256, (1, *size, 3)).astype(np.uint8)
    elif described.audio:
        audio = described.audio
        length = 71 if audio.clip_samples else 4 * (audio.frame_step or 0) + 20
        given = random.uniform(-1, 1, (1, length)).astype(np.float32)
    elif described != Preprocessing() or model.is_real(end):
        given = random.normal(0, 0.7, (1, *shape)).astype(np.float32)
        flat = given.reshape(-1)
        flat[:3] = np.float32([0.00390625, -0.01171875, 1e30])  # halves, and far too large
        if dtype != "float32":
            flat[3] = np.nan
    else:
        given = random.integers(0, 2 if dtype == "bool" else 99, (1, *shape)).astype(dtype)
    real = preprocess(described, given)
    if end.tensor.quant is None and dtype != "float32" and described != Preprocessing():
        real = np.clip(np.nan_to_num(np.rint(real)), np.iinfo(dtype).min, np.iinfo(dtype).max)
    return given, quantize(real, end.tensor).reshape(-1)


def run_text(model: PhoneModel) -> str:
    """Write the lines that run a case."""
    name = place_of(model)
    arguments = []
    for place, end in enumerate(model.inputs):
        described = model.preprocessing_of(end)
        file = kotlin_literal(f"{name}-in-{place}")
        if described.image:
            image = described.image
            size = IMAGE_SIZE if image.resize or image.crop else end.tensor.sample_shape[:2]
            bitmap = f"android.graphics.Bitmap({size[1]}, {size[0]}, bytes({file}))"
            arguments.append(f"{model.class_name}.rgbOf({bitmap}), {size[1]}, {size[0]}")
        else:
            is_float = model.is_real(end) or described != Preprocessing()
            reader = READERS.get("float32" if is_float else end.tensor.dtype, "bytes")
            arguments.append(f"{reader}({file})")
    call = f"{model.class_name}(assets).use {{ it.run({', '.join(arguments)}) }}"
    stored = [
        f'    store("{name}-out-{place}", made{f".{end.name}" if len(model.outputs) > 1 else ""})'
        for place, end in enumerate(model.outputs)
    ]
    if model.labels:
        joined = f'{name}.LABELS.joinToString("\\u0000").toByteArray()'
        stored.append(f'    store("{name}-labels", {joined})')
    lines = [f'    Interpreter.stem = "$folder/{name}"', f"    run {{ val made = {call}", *stored]
    return "\n".join([*lines, "    }"])


def compare(name: str, model: PhoneModel, fed: list[NDArray[np.generic]], folder: Path) -> None:
    """Hold what the class fed and gave against what edgepack computes."""
    for place, (end, wanted) in enumerate(zip(model.inputs, fed, strict=True)):
        file = folder / f"{place_of(model)}-fed-{place}"
        got = np.fromfile(file, wanted.dtype)
        apart = np.abs(got.astype(np.float64) - wanted.astype(np.float64))
        print(f"{name:<16} {end.name:<12} {len(got):>4} values, largest difference {apart.max():g}")
        most = 1 if model.preprocessing_of(end).audio else 0
        if len(got) != len(wanted) or apart.max() > most:
            sys.exit(f"{name}: {end.name} is fed {got}, not {wanted}")
    for place, end in enumerate(model.outputs):
        raw = np.fromfile(folder / f"{place_of(model)}-given-{place}", end.tensor.dtype)
        real = dequantize(raw, end.tensor) if end.tensor.quant else raw
        got = np.fromfile(folder / f"{place_of(model)}-out-{place}", real.dtype)
        if not np.array_equal(got, real):
            sys.exit(f"{name}: {end.name} gives {got}, not {real}")
    labels = folder / f"{place_of(model)}-labels"
    if model.labels and labels.read_text(encoding="utf-8").split("\0") != list(model.labels):
        sys.exit(f"{name}: its labels are {labels.read_text(encoding='utf-8')!r}")


if __name__ == "__main__":
    main()
