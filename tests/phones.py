"""Models for phone apps: each kind of input, preprocessing and output once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod

from tiny import Tiny, Value

from edgepack.config.preprocessing import Audio, Image, Preprocessing
from edgepack.emit.phone.phone_model import PhoneModel, app_io_tensors, require_preprocessing_fits
from edgepack.tflite.parser import read_tflite

INT8 = ("int8", 0.0078125, -3)
PIXELS = Preprocessing(image=Image(), scale=1 / 127.5, offset=-1.0)
HOSTILE = ('say "no"', "$x ${y} \\(z)", "two\nlines", "back\\slash */ /*", "ünï\u2028☃😀", "")
SOUND = {"sample_rate": 8000, "frame_length": 40, "frame_step": 20}
PER_CHANNEL = {"scale": 1 / 255, "mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}


def tflite(inputs: Sequence[Value], outputs: Sequence[Value]) -> bytes:
    """Write a .tflite file whose outputs are its inputs, reshaped."""
    tiny = Tiny()
    input_indices = [tiny.tensor(f"in{i}", value) for i, value in enumerate(inputs)]
    output_indices = [tiny.tensor(f"out{i}", value) for i, value in enumerate(outputs)]
    for source, destination in zip(input_indices, output_indices, strict=False):
        shape = tiny.tensor("shape", Value((2,), "int32", values=[1, -1]))
        tiny.operator("RESHAPE", [source, shape], [destination])
    return tiny.to_bytes(input_indices, output_indices)


def value(
    shape: Sequence[int], dtype: str, scale: float | None = None, zero_point: int = 0
) -> Value:
    """Return a tensor of a sample shape, with a batch axis of 1."""
    return Value((1, *shape), dtype, scale, zero_point)


def phone_model(
    name: str,
    inputs: Sequence[Value],
    outputs: Sequence[Value] = (),
    preprocessing: Sequence[Preprocessing] = (),
    labels: Sequence[str] = (),
    labelled: int = 0,
) -> PhoneModel:
    """Return a model; its default outputs are its inputs, flattened."""
    outputs = outputs or [
        Value((1, prod(each.shape)), each.dtype, each.scale, each.zero_point) for each in inputs
    ]
    data = tflite(inputs, outputs)
    model = read_tflite(data)
    titles = [tensor.name for tensor in model.main.input_tensors]
    phone = PhoneModel(
        name=name,
        data=data,
        model=model,
        inputs=app_io_tensors("input", titles, model.main.input_tensors),
        outputs=app_io_tensors(
            "output",
            [tensor.name for tensor in model.main.output_tensors],
            model.main.output_tensors,
        ),
        preprocessing=dict(zip(titles, preprocessing, strict=False)),
        labels=tuple(labels),
        labelled=labelled,
    )
    for io in phone.inputs:
        require_preprocessing_fits(io, phone.preprocessing.get(io.title, Preprocessing()))
    return phone


def image(**settings: object) -> Preprocessing:
    """Return an image's preprocessing with settings of Image and Preprocessing."""
    keys = {key: settings.pop(key) for key in ("resize", "crop", "colors") if key in settings}
    return Preprocessing(image=Image(**keys), **settings)  # type: ignore[arg-type]


def sound(**settings: object) -> Preprocessing:
    """Return the preprocessing of 8 kHz audio with settings of Audio and Preprocessing."""
    keys = ("scale", "offset", "mean", "std")
    values = {key: settings.pop(key) for key in keys if key in settings}
    return Preprocessing(audio=Audio(**(SOUND | settings)), **values)  # type: ignore[arg-type]


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
            preprocessing=[Preprocessing(scale=-0.3, offset=0.1, mean=(0.1, 0.2, 0.3), std=(2.0,))],
        ),
        phone_model(
            "rounded", [value((5,), "int32")], preprocessing=[Preprocessing(scale=0.5, offset=1.0)]
        ),
        phone_model("sized", [value((6, 5, 3), *INT8)], preprocessing=[PIXELS]),
        phone_model("pixels", [value((6, 5, 3), "uint8")], preprocessing=[image()]),
        phone_model(
            "resized",
            [value((9, 7, 3), *INT8)],
            preprocessing=[image(resize=(9, 7), **PER_CHANNEL)],
        ),
        phone_model(
            "cropped",
            [value((4, 3, 3), *INT8)],
            preprocessing=[image(crop=(4, 3), colors="bgr", scale=1 / 128)],
        ),
        phone_model(
            "both",
            [value((6, 8, 1), *INT8)],
            preprocessing=[image(resize=(11, 13), crop=(6, 8), colors="gray", scale=1 / 255)],
        ),
        phone_model("gray", [value((6, 5, 1), "float32")], preprocessing=[image(resize=(6, 5))]),
        phone_model(
            "wave",
            [value((50,), *INT8)],
            preprocessing=[sound(clip_samples=50, frame_length=None, frame_step=None)],
        ),
        phone_model(
            "logs",
            [value((4, 6, 1), *INT8)],
            preprocessing=[
                sound(clip_samples=105, features="log-mel", mel_bins=6, offset=6.0, std=(9.0,))
            ],
        ),
        phone_model(
            "mfccs",
            [value((4, 5), "int16", 1e-3)],
            preprocessing=[sound(features="mfcc", mel_bins=8, coefficients=5, fft_length=48)],
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


def image_classifier() -> PhoneModel:
    """Return an image classifier with 189 labels and a description."""
    labels = tuple(f"class {i}" for i in range(189))
    description = "Classifies \u201cpictures\u201d."
    return replace(CASES["resized"], name="pictures", labels=labels, description=description)
