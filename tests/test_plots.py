"""Plots of any figures, and PNG files that other programs read."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable
from xml.etree.ElementTree import Element, tostring

import numpy as np
import pytest

from edgepack.report.plots.bars import bar_plot
from edgepack.report.plots.confusion_heat_map import confusion_plot
from edgepack.report.plots.layer_lines import layer_line_plot
from edgepack.report.plots.memory_over_time import memory_plot
from edgepack.report.plots.png import heat_map_colors, png_bytes
from edgepack.report.plots.scatter import Point, scatter_plot
from edgepack.report.plots.svg import text_width
from edgepack.report.plots.value_histogram import histogram_plot
from edgepack.report.plots.waveform import waveform_plot

NAN, INF, HUGE = math.nan, math.inf, 1e308
ODD = {
    "no bars": lambda: bar_plot("x", [], [], unit="%"),
    "odd bars": lambda: bar_plot(
        "x", [("a", [NAN, None]), ("", [-HUGE, HUGE]), ("c", [0.0, INF])], ["s", "t"], unit="dB"
    ),
    "no points": lambda: scatter_plot("x", [], x="a", y="b"),
    "odd points": lambda: scatter_plot(
        "x",
        [
            Point("a", 0, 0, None, None, 0),
            Point("a", 0, 0, NAN, INF, 9),
            Point("b", HUGE, -HUGE, -HUGE, HUGE, 1),
        ],
        x="a",
        y="b",
    ),
    "no classes": lambda: confusion_plot("x", [], []),
    "empty classes": lambda: confusion_plot("x", ["a", ""], [[0, 0], [10**9, 1]]),
    "no counts": lambda: histogram_plot("x", [], (0.0, 0.0), None),
    "odd counts": lambda: histogram_plot("x", [0, 10**12], (NAN, INF), (-HUGE, HUGE)),
    "tiny span": lambda: histogram_plot("x", [1, 2], (0.0, 5e-324), (1.0, 1.0)),
    "no layers": lambda: layer_line_plot("x", [], [], unit=""),
    "odd layers": lambda: layer_line_plot(
        "x", ["a", "b"], [("y", [None, NAN]), ("z", [HUGE, -HUGE])], unit=""
    ),
    "one layer": lambda: layer_line_plot("x", ["a"], [("y", [3.0])], unit="dB"),
    "no signal": lambda: waveform_plot("x", []),
    "odd signal": lambda: waveform_plot("x", [NAN, 1.0, INF]),
    "silence": lambda: waveform_plot("x", [0.0] * 640),
    "no memory": lambda: memory_plot("x", []),
    "empty memory": lambda: memory_plot("x", [("a", 0, 0)]),
    "long memory": lambda: memory_plot("x", [("a" * 500, 10**12, 10**11)] * 900),
}


def numbers(drawn: Element) -> list[float]:
    """Return every position and length in a plot."""
    names = ("x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "width", "height", "points", "viewBox")
    written = " ".join(each.get(name, "") for each in drawn.iter() for name in names)
    return [float(number) for number in re.split(r"[ ,]+", written) if number]


@pytest.mark.parametrize("draw", ODD.values(), ids=ODD.keys())
def test_any_figures_can_be_drawn(draw: Callable[[], Element]) -> None:
    drawn = draw()
    assert drawn.get("id") == "x"
    assert all(-1000 < number < 3000 for number in numbers(drawn))
    assert tostring(drawn) == tostring(draw())


def texts(drawn: Element) -> list[str]:
    return [each.text or "" for each in drawn.iter("text")]


def titles(drawn: Element) -> list[str]:
    return [each.text or "" for each in drawn.iter("title")]


def test_bars_have_labels() -> None:
    drawn = bar_plot("x", [("yes", [91.25, None])], ["float", "int8"], unit="%", most=100)
    assert texts(drawn) == ["float", "int8", "yes", "91.2%", "-"]
    assert titles(drawn) == ["yes, float: 91.2%"]


@pytest.mark.parametrize("count", [2, 12, 40])
def test_names_of_points_never_overlap(count: int) -> None:
    random = np.random.default_rng(count)
    points = [
        Point(f"model {index}", *random.normal([50_000, 90], [2000, 1]), 89.0, 91.0, index)
        for index in range(count)
    ]
    labels = [
        each
        for each in scatter_plot("x", points, x="bytes", y="%").iter("text")
        if (each.text or "").startswith("model")
    ]
    assert len(labels) >= min(count, 4)
    boxes = [
        (float(each.get("x", "")), float(each.get("y", "")), text_width(each.text or ""))
        for each in labels
    ]
    for index, (x, y, width) in enumerate(boxes):
        for other_x, other_y, other_width in boxes[:index]:
            is_apart = x + width <= other_x or other_x + other_width <= x
            assert is_apart or abs(y - other_y) >= 12


def test_a_confusion_matrix_has_its_counts_where_there_is_room() -> None:
    drawn = confusion_plot("x", ["no", "yes"], [[9, 1], [0, 12]])
    assert {"9", "1", "12"} <= set(texts(drawn))
    assert "no, predicted as yes: 1" in titles(drawn)
    names = [f"class {index}" for index in range(40)]
    many = confusion_plot("x", names, [[12_345] * 40] * 40)
    assert set(texts(many)[1:]) == set(names)
    assert len(titles(many)) == 1600


def test_a_signal_keeps_its_peaks() -> None:
    values = [0.0] * 16_000
    values[8_001], values[8_002] = 1.0, -1.0
    line = next(waveform_plot("x", values).iter("polyline")).get("points", "")
    heights = [float(place.split(",")[1]) for place in line.split()]
    assert (min(heights), max(heights)) == (2.0, 62.0)
    assert len(heights) <= 480


def test_the_peak_is_named() -> None:
    words = texts(memory_plot("x", [("a", 10, 0), ("b", 2000, 500), ("c", 30, 30)]))
    assert "peak 2,000 bytes: b" in words


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 1), (5, 7, 3), (5, 7, 4), (1, 1)])
def test_a_picture_is_read_as_it_was_written(shape: tuple[int, ...]) -> None:
    image = pytest.importorskip("PIL.Image")
    pixels = np.random.default_rng(3).integers(0, 256, shape, dtype=np.uint8)
    read = np.asarray(image.open(io.BytesIO(png_bytes(pixels))))
    np.testing.assert_array_equal(read.reshape(shape), pixels)
    reals = pixels / 255 - 0.5
    assert png_bytes(reals, (-0.5, 0.5)) == png_bytes(pixels)


def test_a_picture_is_scaled_by_its_finite_values() -> None:
    image = pytest.importorskip("PIL.Image")
    values = np.array([[-3.0, 1.0], [np.nan, np.inf]])
    read = np.asarray(image.open(io.BytesIO(png_bytes(values))))
    assert read.tolist() == [[0, 255], [0, 255]]
    assert png_bytes(np.full((2, 2), 7)) == png_bytes(np.zeros((2, 2)))
    assert png_bytes(np.full((2, 2), np.nan)) == png_bytes(np.zeros((2, 2)))


def test_colors_of_heat_grow_lighter() -> None:
    colors = heat_map_colors(np.arange(256.0).reshape(1, 256))[0] / 255
    linear = np.where(colors <= 0.04045, colors / 12.92, ((colors + 0.055) / 1.055) ** 2.4)
    luminance = linear @ [0.2126, 0.7152, 0.0722]
    assert luminance[0] < 0.03
    assert luminance[-1] > 0.6
    assert (np.diff(luminance) > -0.002).all()
