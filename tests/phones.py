"""Models as apps take them: each kind of input, preprocessing and output once."""

from __future__ import annotations

from collections.abc import Sequence

from tiny import Tiny, Value

from edgepack.config.preprocessing import Audio, Image, Preprocessing
from edgepack.emit.phone.phone_model import PhoneModel, model_ends, require_prepared
from edgepack.tflite.parser import read_tflite

INT8 = ("int8", 0.0078125, -3)
PIXELS = Preprocessing(image=Image(), scale=1 / 127.5, offset=-1.0)
HOSTILE = ('say "no"', "$x ${y} \\(z)", "two\nlines", "back\\slash */ /*", "ünï\u2028☃😀", "")
SOUND = {"sample_rate": 8000, "frame_length": 40, "frame_step": 20}
PER_CHANNEL = {"scale": 1 / 255, "mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}


def tflite(inputs: Sequence[Value], outputs: Sequence[Value]) -> bytes:
    """Write a file whose outputs are its inputs, in other shapes."""
    tiny = Tiny()
    taken = [tiny.tensor(f"in{i}", value) for i, value in enumerate(inputs)]
    given = [tiny.tensor(f"out{i}", value) for i, value in enumerate(outputs)]
    for source, made in zip(taken, given, strict=False):
        shape = tiny.tensor("shape", Value((2,), "int32", values=[1, -1]))
        tiny.operator("RESHAPE", [source, shape], [made])
    return tiny.to_bytes(taken, given)


def value(shape: Sequence[int], dtype: str, scale: float | None = None, zero: int = 0) -> Value:
    return Value((1, *shape), dtype, scale, zero)


def phone_model(
    name: str,
    inputs: Sequence[Value],
    outputs: Sequence[Value] = (),
    described: Sequence[Preprocessing] = (),
    labels: Sequence[str] = (),
    labelled: int = 0,
) -> PhoneModel:
    """Make a model; without outputs they are the inputs, flat."""
    made = outputs or [
        Value((1, size(each)), each.dtype, each.scale, each.zero_point) for each in inputs
    ]
    data = tflite(inputs, made)
    model = read_tflite(data)
    titles = [tensor.name for tensor in model.main.input_tensors]
    phone = PhoneModel(
        name=name,
        data=data,
        model=model,
        inputs=model_ends("input", titles, model.main.input_tensors),
        outputs=model_ends(
            "output",
            [tensor.name for tensor in model.main.output_tensors],
            model.main.output_tensors,
        ),
        preprocessing=dict(zip(titles, described, strict=False)),
        labels=tuple(labels),
        labelled=labelled,
    )
    for io in phone.inputs:
        require_prepared(io, phone.preprocessing.get(io.title, Preprocessing()))
    return phone


def size(value: Value) -> int:
    count = 1
    for each in value.shape:
        count *= each
    return count


def image(**words: object) -> Preprocessing:
    keys = {key: words.pop(key) for key in ("resize", "crop", "colors") if key in words}
    return Preprocessing(image=Image(**keys), **words)  # type: ignore[arg-type]


def sound(**words: object) -> Preprocessing:
    values = {key: words.pop(key) for key in ("scale", "offset", "mean", "std") if key in words}
    return Preprocessing(audio=Audio(**(SOUND | words)), **values)  # type: ignore[arg-type]


CASES: dict[str, PhoneModel] = {
    model.name: model
    for model in (
        phone_model("plain", [value((7,), *INT8)], labels=[f"l{i}" for i in range(7)]),
        phone_model("float", [value((7,), "float32")]),
        phone_model("uint8", [value((7,), "uint8", 1 / 255, 3)]),
        phone_model("int16", [value((7,), "int16", 1e-4)]),
        phone_model("tokens", [value((7,), "int32")]),
        phone_model("long", [value((7,), "int64")]),
        phone_model("flags", [value((7,), "bool")]),
        phone_model("bytes", [value((7,), "uint8")]),
        phone_model(
            "values",
            [value((4, 3), *INT8)],
            described=[Preprocessing(scale=-0.3, offset=0.1, mean=(0.1, 0.2, 0.3), std=(2.0,))],
        ),
        phone_model(
            "rounded", [value((5,), "int32")], described=[Preprocessing(scale=0.5, offset=1.0)]
        ),
        phone_model("sized", [value((6, 5, 3), *INT8)], described=[PIXELS]),
        phone_model("pixels", [value((6, 5, 3), "uint8")], described=[image()]),
        phone_model(
            "resized", [value((9, 7, 3), *INT8)], described=[image(resize=(9, 7), **PER_CHANNEL)]
        ),
        phone_model(
            "cropped",
            [value((4, 3, 3), *INT8)],
            described=[image(crop=(4, 3), colors="bgr", scale=1 / 128)],
        ),
        phone_model(
            "both",
            [value((6, 8, 1), *INT8)],
            described=[image(resize=(11, 13), crop=(6, 8), colors="gray", scale=1 / 255)],
        ),
        phone_model("gray", [value((6, 5, 1), "float32")], described=[image(resize=(6, 5))]),
        phone_model(
            "wave",
            [value((50,), *INT8)],
            described=[sound(clip_samples=50, frame_length=None, frame_step=None)],
        ),
        phone_model(
            "logs",
            [value((4, 6, 1), *INT8)],
            described=[
                sound(clip_samples=105, features="log-mel", mel_bins=6, offset=6.0, std=(9.0,))
            ],
        ),
        phone_model(
            "mfccs",
            [value((4, 5), "int16", 1e-3)],
            described=[sound(features="mfcc", mel_bins=8, coefficients=5, fft_length=48)],
        ),
        phone_model(
            "my-model \u2028 3",
            [value((4, 3, 3), *INT8), value((6,), "float32"), value((2,), "int32")],
            [value((36,), *INT8), value((6,), "float32"), value((2,), "int32")],
            [image(resize=(4, 3), scale=1 / 255)],
            labels=HOSTILE,
            labelled=1,
        ),
    )
}
