"""A document with every kind of block, with ordinary or hostile texts."""

from __future__ import annotations

import math

import numpy as np

from edgepack.report.document.blocks import (
    Bullets,
    Card,
    Cards,
    Column,
    Details,
    Document,
    Headline,
    Picture,
    Plot,
    Row,
    Section,
    Table,
    Text,
    Tone,
)
from edgepack.report.plots.bars import bar_plot
from edgepack.report.plots.confusion_heat_map import confusion_plot
from edgepack.report.plots.layer_lines import layer_line_plot
from edgepack.report.plots.memory_over_time import memory_plot
from edgepack.report.plots.png import heat_map_colors, png_bytes
from edgepack.report.plots.scatter import Point, scatter_plot
from edgepack.report.plots.value_histogram import histogram_plot
from edgepack.report.plots.waveform import waveform_plot

HOSTILE = (
    "<script>alert(1)</script>",
    "\"><img src=x onerror='alert(1)'>",
    "]]></style></title></svg><script>alert(1)</script>",
    "nul \x00, escape \x1b[31m, half a pair \ud800",
    "\u202egnp.exe \u2066turned\u200f",
    "conv/" * 100,
    "👩‍🔬 ナイキ ✓",
    "",
    "two\nlines | a | b |\r\n---|---\n# heading",
    "@octocat #1 GH-1 octo/repo#1 https://evil.example www.evil.example a@evil.example",
    "![x](https://evil.example/x.png) [y](javascript:alert(1)) `code` **bold** ~~gone~~ $x$ :+1:",
    "<!-- no end &lt;script&gt; &amp; \\| \\",
    "1. one",
    "- item",
    "---",
    "    indented",
)
WORDS = (
    "down",
    "go",
    "left",
    "no",
    "off",
    "on",
    "right",
    "stop",
    "up",
    "yes",
    "silence",
    "unknown",
)
MANY = 22  # classes, too many for a narrow plot
LAYERS = tuple(f"functional/conv2d_{index}/Conv2D" for index in range(24))


def document(names: tuple[str, ...] = WORDS, layers: tuple[str, ...] = LAYERS) -> Document:
    """Make a document in which ``names`` are classes and other texts, ``layers`` are layers."""
    text = names[0]
    random = np.random.default_rng(7)
    stages = (
        Row(cells=("float", "91.3%", "90.1 to 92.5", "211,392", text)),
        Row(cells=(names[1], "91.2%", "90.0 to 92.4", "53,936", names[2]), tone=Tone.GOOD),
        Row(cells=("int8, per tensor", "88.0%", "86.6 to 89.4", "52,112", ""), tone=Tone.BAD),
        Row(cells=("int16x8", "91.3%", "", "61,008", names[3]), tone=Tone.UNSURE),
    )
    columns = (
        Column(title="model"),
        Column(title="accuracy", is_number=True, hint="of 1,000 samples"),
        Column(title="95%", is_number=True),
        Column(title="flash", is_number=True, hint=f"bytes of the file; {text}"),
        Column(title="note"),
    )
    ledger = Table(caption="From float to the device", columns=columns, rows=stages)
    return Document(
        title=f"kws: float against {text}",
        subtitle=f"{names[1]}: 1,000 samples, LiteRT 2.3",
        headline=Headline(
            word="No drop is shown",
            tone=Tone.GOOD,
            sentences=(
                "int8 loses 0.1 points (95%: -0.4 to 0.6); 1,000 samples show no drop below 0.8.",
                f"The class that loses most is {text}.",
            ),
        ),
        sections=(
            Section(
                id="ledger",
                title="What it costs, what it saves",
                lead="Each step of the model, on the same samples.",
                blocks=(ledger, *_texts(names), _scatter("size", names)),
            ),
            Section(
                id="classes",
                title="Classes",
                lead=None,
                blocks=_of_classes("classes", names, random),
            ),
            Section(
                id="layers", title="Layers", lead=text, blocks=_of_layers("layers", layers, random)
            ),
            Section(id="samples", title=text, lead=None, blocks=_samples(names, random)),
            Section(id="empty", title="", lead="", blocks=()),
        ),
    )


def _texts(names: tuple[str, ...]) -> tuple[Text | Bullets | Details, ...]:
    tones = tuple(
        Text(text=f"The {tone.value} news: {name}", tone=tone)
        for tone, name in zip(Tone, names, strict=False)
    )
    empty = Table(caption=names[0], columns=(Column(title=""), Column(title="x")), rows=())
    none = Table(caption=names[0], columns=(), rows=())
    inner = Details(summary=names[1], blocks=(Text(text=names[0]),))
    return *tones, Details(summary=names[0], blocks=(Bullets(items=names), empty, none, inner))


def _scatter(id_: str, names: tuple[str, ...]) -> Plot:
    points = [
        Point("float", 211_392, 91.3, 90.1, 92.5, 0),
        Point(names[0], 53_936, 91.2, 90.0, 92.4, 1),
        Point(names[1], 52_112, 88.0, 86.6, 89.4, 1),
        Point("int8, per tensor", 52_900, 91.0, None, None, 2),
        Point("pruned by half", 160_000, 90.8, 89.5, 92.0, 3),
        Point("nothing", math.nan, 1, None, None, 0),
    ]
    drawn = scatter_plot(id_, points, x="flash (bytes)", y="accuracy (%)")
    return Plot(title="Size against accuracy", description=names[0], svg=drawn)


def _of_classes(id_: str, names: tuple[str, ...], random: np.random.Generator) -> tuple[Plot, ...]:
    counts = random.integers(0, 4, (len(names), len(names))) + np.diag([95] * len(names))
    found = [
        (name, [100 * row[index] / row.sum(), None if index == 1 else 90.0 - index])
        for index, (name, row) in enumerate(zip(names, counts, strict=True))
    ]
    table = Table(
        caption="Accuracy by class",
        columns=(Column(title="class"), Column(title="float", is_number=True)),
        rows=tuple(Row(cells=(name, f"{values[0]:.1f}")) for name, values in found),
    )
    many = [names[index % len(names)] for index in range(MANY)]
    more = random.integers(0, 2, (MANY, MANY)) + np.diag(random.integers(10, 99, MANY))
    return (
        Plot(
            title="Accuracy by class",
            description="int8 is as good as float.",
            svg=bar_plot(f"{id_}-bars", found, ["float", names[0]], unit="%", most=100),
            table=table,
        ),
        Plot(
            title="Confusion",
            description=names[0],
            svg=confusion_plot(f"{id_}-confusion", names, counts.tolist()),
        ),
        Plot(
            title="Confusion",
            description="of more classes",
            svg=confusion_plot(f"{id_}-many", many, more.tolist()),
        ),
    )


def _of_layers(id_: str, layers: tuple[str, ...], random: np.random.Generator) -> tuple[Plot, ...]:
    noise: list[float | None] = [*(40 - 25 * random.random(len(layers))), None]
    lines = [("whole model", [30.0 - index for index in range(len(layers))]), ("alone", noise[:-1])]
    alive = [
        (name, int(9000 * (1.2 + math.sin(index / 3))), 900 * (index % 4))
        for index, name in enumerate(layers)
    ]
    values, _ = np.histogram(random.normal(size=20_000), bins=64, range=(-4.5, 4.5))
    return (
        Plot(
            title="Signal to noise",
            description="It falls.",
            svg=layer_line_plot(f"{id_}-along", layers, lines, unit="dB"),
        ),
        Plot(
            title="Memory",
            description="The peak is early.",
            svg=memory_plot(f"{id_}-memory", alive),
        ),
        Plot(
            title=layers[0],
            description="Its values.",
            svg=histogram_plot(f"{id_}-values", values.tolist(), (-4.5, 4.5), (-2.1, 3.9)),
        ),
        Plot(
            title="Sparsity",
            description="Half of most.",
            svg=bar_plot(
                f"{id_}-sparsity", [(name, [50.0]) for name in layers[:9]], ["zeros"], unit="%"
            ),
        ),
    )


def _samples(names: tuple[str, ...], random: np.random.Generator) -> tuple[Cards]:
    sound = np.sin(np.arange(16_000) / 40) * np.exp(-np.arange(16_000) / 9000)
    photo = random.integers(0, 255, (32, 32, 3), dtype=np.uint8)
    spectrum = np.add.outer(np.arange(49.0), np.sin(np.arange(10)) * 20)
    spoken = Plot(
        title=f"sound of {names[0]}",
        description="It fades.",
        svg=waveform_plot("sound", sound.tolist()),
    )
    pictures = (
        Picture(description=f"picture of {names[0]}", png=png_bytes(photo), width=32, height=32),
        Picture(
            description=names[1], png=png_bytes(heat_map_colors(spectrum)), width=10, height=49
        ),
    )
    cards = (
        Card(title=f"sample 17: {names[0]}", media=(spoken,), lines=("float: on (0.51)", names[1])),
        Card(title="sample 18", media=pictures[:1], lines=(f"float: {names[0]}",)),
        Card(title="sample 19", media=pictures, lines=(names[2], "int8: go (0.62)")),
        Card(title=names[0], media=(), lines=("x = 0.1", "y = 3.4")),
    )
    return (Cards(label=names[0], cards=cards),)
