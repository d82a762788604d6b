"""A Swift class that runs a model on iOS."""

from __future__ import annotations

from collections.abc import Mapping

from edgepack.emit.phone.app_source_text import string_literal
from edgepack.emit.phone.model_class import Language, write_class
from edgepack.emit.phone.phone_model import PhoneModel
from edgepack.emit.phone.swift_preprocessing import PREPROCESSING

_FILE = """\
// Runs @file@ on iOS. Written by edgepack.
//
// Add @file@ to the app's resources, and to its Podfile:
//     pod 'TensorFlowLiteSwift'
// That brings TensorFlowLiteC, which is taken here: the Swift interface knows no int8 tensors.

@image_import@
import Foundation
import TensorFlowLiteC

/// Runs the model, from one thread at a time.
public final class @name@ {
    public enum Failure: Error { case notLoaded, wrongSize, notRun }

    private let model: OpaquePointer
    private let interpreter: OpaquePointer

    /// Loads the model from the app's resources.
    public convenience init() throws {
        let found = Bundle.main.path(forResource: @resource@, ofType: "tflite")
        guard let path = found else { throw Failure.notLoaded }
        try self.init(path: path)
    }

    /// Loads the model from a file.
    public init(path: String) throws {
        let options = TfLiteInterpreterOptionsCreate()
        defer { TfLiteInterpreterOptionsDelete(options) }
        guard let model = TfLiteModelCreateFromFile(path) else { throw Failure.notLoaded }
        guard let interpreter = TfLiteInterpreterCreate(model, options) else {
            TfLiteModelDelete(model)
            throw Failure.notLoaded
        }
        self.model = model
        self.interpreter = interpreter
        guard TfLiteInterpreterAllocateTensors(interpreter) == kTfLiteOk else {
            throw Failure.notLoaded
        }
    }

    deinit {
        TfLiteInterpreterDelete(interpreter)
        TfLiteModelDelete(model)
    }

    /*
     @io_comment@
     */
    public func run(
        @parameters@
    ) throws -> @result@ {
        @inputs@
        guard TfLiteInterpreterInvoke(interpreter) == kTfLiteOk else { throw Failure.notRun }
        @outputs@
        @read@
    }

    @outputs_class@
    @labels@
    @functions@

    /// Copies values into an input of the model.
    private func give<T>(_ values: [T], to place: Int32) throws {
        let tensor = TfLiteInterpreterGetInputTensor(interpreter, place)
        let status = values.withUnsafeBytes {
            TfLiteTensorCopyFromBuffer(tensor, $0.baseAddress, $0.count)
        }
        guard status == kTfLiteOk else { throw Failure.wrongSize }
    }

    /// Copies an output of the model over values.
    private func take<T>(_ values: inout [T], from place: Int32) throws {
        let tensor = TfLiteInterpreterGetOutputTensor(interpreter, place)
        let status = values.withUnsafeMutableBytes {
            TfLiteTensorCopyToBuffer(tensor, $0.baseAddress, $0.count)
        }
        guard status == kTfLiteOk else { throw Failure.notRun }
    }
}
"""

_LABELS = """\
/// What the values along the last axis of @name@ stand for.
public static let labels: [String] = [
@items@
]
"""

_LABEL_OF = """
/// The label of the largest value.
public static func label(of values: @array@) -> String {
    let best = values.indices.max { values[$0] < values[$1] }
    return labels[best ?? 0]
}
"""

_QUANTIZE = """\
/// Real values as the @dtype@ of the model: halves away from zero, saturating; NaN as 0.
public static func quantize@Name@(_ values: [Float]) -> [@type@] {
    return values.map { value in
        let scaled: Float = value.isNaN ? 0 : value / @scale@
        let rounded = Double(scaled).rounded(.toNearestOrAwayFromZero) @zero_point@
        return @type@(max(@lowest@, min(@highest@, rounded)))
    }
}
"""

_ROUND = """\
/// Values as the @dtype@ of the model, rounded, saturating; NaN as 0.
public static func write@Name@(_ values: [Float]) -> [@type@] {
    return values.map { value in
        let rounded = value.isNaN ? 0 : Double(value).rounded(.toNearestOrEven)
        return @type@(max(@lowest@, min(@highest@, rounded)))
    }
}
"""

_DEQUANTIZE = """\
/// The real values that the @dtype@ of the model stand for.
public static func read@Name@(_ values: [@type@]) -> [Float] {
    return values.map { Float(Int32($0) @zero_point@) * @scale@ }
}
"""

_VALUES = """\
/*
 * What becomes of each value x:
@steps@
 */
public static func preprocess@Name@(_ values: [Float]) throws -> [Float] {
    guard values.count == @size@ else { throw Failure.wrongSize }
    return values.indices.map { @normalized@ }
}
"""

_OUTPUTS = """\
/// What the model gives.
public struct Outputs {
    @fields@
}
"""

_OUTPUT = """\
var @name@ = [@type@](repeating: @empty@, count: @size@)
try take(&@name@, from: @index@)"""

_TYPES = {
    "float32": "Float",
    "bool": "Bool",
    "int8": "Int8",
    "uint8": "UInt8",
    "int16": "Int16",
    "int32": "Int32",
    "int64": "Int64",
}


def swift_source(model: PhoneModel) -> str:
    """Write the Swift source file of a model's class.

    It uses TensorFlow Lite's C API: ``Tensor.DataType`` of the Swift API has no case for int8, so
    that its ``Interpreter`` refuses to copy int8 inputs and outputs
    (tensorflow/lite/swift/Sources/Tensor.swift).
    """
    return write_class(model, _SWIFT)


def swift_literal(text: str) -> str:
    r"""Write a Swift string literal.

    >>> print(swift_literal('\\(x) "y"'))
    "\\(x) \"y\""
    """
    return string_literal(text, "\\u{%x}")


def _dtype_values(dtype: str) -> Mapping[str, str]:
    """Return the values of the placeholders that depend on a dtype."""
    return {"empty": "false" if dtype == "bool" else "0"}


_SWIFT = Language(
    templates={
        **PREPROCESSING,
        "file": _FILE,
        "image_import": "import CoreGraphics",
        "resource": "@name@",
        "labels": _LABELS,
        "label_of": _LABEL_OF,
        "quantize": _QUANTIZE,
        "round": _ROUND,
        "write": "",
        "write_bool": "",
        "dequantize": _DEQUANTIZE,
        "read": "",
        "read_bool": "",
        "values": _VALUES,
        "outputs": _OUTPUTS,
        "output": _OUTPUT,
        "field": "public let @name@: @array@",
        "argument": "@name@: @value@",
        "channels": "private static let @name@: [Float] = [@values@]",
        "call": "try Self.@function@(@argument@)",
        "call_image": "try Self.@function@(\n    @argument@, @argument@Width, @argument@Height)",
        "convert_call": "Self.@function@(@argument@)",
        "prepare": "let taken@index@ = @value@\ntry give(taken@index@, to: @index@)",
        "parameter": "@name@: @type@",
        "range": "@first@..<@end@",
        "comment": " *     ",
        "element": "values[$0]",
        "element_index": "$0",
    },
    types=_TYPES | {"int": "Int"},
    array=lambda dtype: f"[{_TYPES[dtype]}]",
    literal=swift_literal,
    suffix="",
    dtype_values=_dtype_values,
)
