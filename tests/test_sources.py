"""Data are known by what they hold, read as streams, and refused in one line."""

from __future__ import annotations

import itertools
import json
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from conftest import ROOT, Edgepack, python
from PIL import Image as Picture

from edgepack.calibration.datasets.read import StoredDataset, read_dataset
from edgepack.calibration.datasets.sources import find_source
from edgepack.calibration.datasets.sources.source import Context
from edgepack.calibration.datasets.sources.tfrecord import _require_whole
from edgepack.compression.pruning.settings import Prune
from edgepack.config.export import FineTune, Recipe
from edgepack.config.project_file import read_project_file
from edgepack.core.errors import ConfigError, DatasetError, MissingToolError
from edgepack.core.signature import Signature, TensorSpec
from edgepack.metrics import choose_measures
from edgepack.storage.dataset import Dataset, require_same_classes
from edgepack.storage.provenance import describe_inputs


def spec(name: str, *shape: int | None, dtype: str = "float32") -> TensorSpec:
    return TensorSpec(name=name, shape=shape, dtype=dtype)


def model(*inputs: TensorSpec, outputs: tuple[str, ...] = ("scores",)) -> Signature:
    return Signature(inputs=inputs, outputs=tuple(spec(name, 3) for name in outputs))


PAIR = model(spec("x", 2))
TWO = model(spec("left", 2), spec("right", 1))


class Folder:
    """A folder for a test's data, and a way to read them."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def spooled(
        self, data: Any, signature: Signature, recipe: str = "", samples: int | None = None
    ) -> StoredDataset:
        (self.path / "edgepack.toml").write_text(recipe)
        file = read_project_file(self.path / "edgepack.toml")
        (self.path / "spool").mkdir(exist_ok=True)
        context = Context(signature=signature, project_file=file, samples=samples)
        return read_dataset(data, context, self.path / "spool" / "data")

    def read(self, data: Any, signature: Signature, *rest: Any) -> Dataset:
        return self.spooled(data, signature, *rest).dataset()

    def refused(self, said: str, data: Any, signature: Signature, *rest: Any) -> None:
        with pytest.raises(DatasetError, match=said) as error:
            self.read(data, signature, *rest)
        assert "\n" not in str(error.value)

    def image(self, name: str, size: tuple[int, int] = (4, 3), mode: str = "RGB") -> Path:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Picture.new(mode, size, 40 if mode == "L" else (10, 20, 30)).save(path)
        return path

    def sound(self, name: str, rate: int = 8000, samples: int = 4, channels: int = 1) -> Path:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with wave.open(str(path), "wb") as file:
            file.setparams((channels, 2, rate, samples, "NONE", ""))
            values = np.tile([16384, 0][:channels], samples)
            file.writeframes(values.astype("<i2").tobytes())
        return path

    def text(self, name: str, text: str) -> Path:
        (self.path / name).write_text(text)
        return self.path / name


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


IMAGE = model(spec("image", 3, 4, 3))


def test_a_file_is_written_that_numpy_maps(folder: Folder) -> None:
    x = np.random.default_rng(0).normal(size=(5000, 300))
    np.savez(
        folder.path / "d.npz", x=np.asfortranarray(x), y=np.arange(5000), other=np.array(["a"])
    )
    read = folder.read(folder.path / "d.npz", model(spec("v", 300)))
    assert isinstance(read.inputs["v"], np.memmap)
    assert read.files == {"v": str(folder.path / "spool" / "data-0.npy")}
    np.testing.assert_array_equal(np.load(read.files["v"]), x.astype(np.float32))
    np.testing.assert_array_equal(read.labels["scores"], np.arange(5000))


def test_an_npy_is_the_lone_input(folder: Folder) -> None:
    np.save(folder.path / "data", np.ones((3, 2)))
    assert len(folder.read(folder.path / "data.npy", PAIR)) == 3
    folder.refused("no array 'left'; it holds x; an .npy holds one", folder.path / "data.npy", TWO)
    whole = (folder.path / "data.npy").read_bytes()
    (folder.path / "cut.npy").write_bytes(whole[:-1])
    folder.refused("cut.npy: damaged: the array, of shape", folder.path / "cut.npy", PAIR)


def test_images_are_read_with_their_classes(folder: Folder) -> None:
    folder.image("data/dog/b.png")
    folder.image("data/cat/a.jpg")
    folder.image("data/cat/gray.png", mode="L")
    folder.text("data/notes.txt", "no image")
    folder.text("data/.hidden.png", "no image")
    found = folder.read(folder.path / "data", IMAGE)
    assert found.classes == ("cat", "dog")
    assert found.labels["scores"].tolist() == [0, 0, 1]
    np.testing.assert_array_equal(found.inputs["image"][1], np.full((3, 4, 3), 40))
    np.testing.assert_array_equal(found.inputs["image"][2, 0, 0], [10, 20, 30])


def test_images_are_preprocessed_as_described(folder: Folder) -> None:
    folder.image("data/a.png", (6, 8))
    folder.image("data/b.bmp", (8, 6)).rename(folder.path / "data" / "b")
    recipe = "[preprocessing]\nresize = [4, 4]\ncrop = [2, 3]\ncolors = 'bgr'\nscale = 0.1"
    found = folder.read(folder.path / "data", model(spec("i", 2, 3, 3)), recipe)
    np.testing.assert_allclose(found.inputs["i"][1, 0, 0], [3, 2, 1], rtol=1e-6)
    assert found.labels == {}
    gray = folder.read(
        folder.path / "data",
        model(spec("i", 4, 4, 1, dtype="uint8")),
        "[preprocessing]\nresize = [4, 4]",
    )
    assert gray.inputs["i"].dtype == np.uint8
    assert (gray.inputs["i"] == round(10 * 0.299 + 20 * 0.587 + 30 * 0.114)).all()


def test_images_that_do_not_fit(folder: Folder) -> None:
    data = folder.path / "data"
    first = folder.image("data/a.png")
    folder.refused(
        r"'x' has shape \(1, 3, 4, 3\); the model's input 'image' takes"
        r" \(samples, 9, 9, 3\) float32; say resize = \[9, 9\] under",
        data,
        model(spec("image", 9, 9, 3)),
    )
    gray = "[preprocessing]\ncolors = 'gray'"
    folder.refused(r"takes \(samples, 3, 4, 3\) float32; say colors = \"rgb\"", data, IMAGE, gray)
    folder.refused("no array 'left'; it holds x; a folder is one input", data, TWO)
    folder.refused(
        r"a.png: an image of 3 x 4 pixels holds no crop of 5 x 5",
        data,
        IMAGE,
        "[preprocessing]\ncrop = [5, 5]",
    )
    folder.image("data/b.png", (5, 7))
    folder.refused(
        r"a.png is of shape \(3, 4, 3\), b.png of shape \(7, 5, 3\); say resize", data, IMAGE
    )
    (data / "b.png").write_bytes(first.read_bytes()[:45])
    folder.refused("b.png: no image that can be decoded: .*; remove or repair it", data, IMAGE)
    (data / "b.png").write_bytes(b"hello")
    folder.refused("b.png: no image that can be decoded: none of BMP, GIF", data, IMAGE)
    Picture.new("I;16", (4, 3)).save(data / "b.png")
    folder.refused("b.png: an image of mode I;16; save it with 8 bits", data, IMAGE)


def test_folders_that_are_no_data(folder: Folder) -> None:
    data = folder.path / "data"
    data.mkdir()
    folder.refused("data: a folder without images and without WAV files: it is empty", data, IMAGE)
    folder.text("data/notes.txt", "hello")
    folder.refused("without WAV files: none of its 1 files is one", data, IMAGE)
    folder.image("data/a.png")
    folder.image("data/cat/b.png")
    folder.refused("data: a.png lies beside the subfolders, which are the classes", data, IMAGE)
    (data / "dog").symlink_to(data / "cat")
    folder.refused("data: dog is a link; put the folder itself there", data, IMAGE)
    (data / "dog").unlink()
    (data / "cat" / "inside.png").symlink_to("b.png")
    (data / "cat" / "out.png").symlink_to(folder.image("secret.png"))
    folder.refused("data: cat/out.png is a link that leads out of the folder", data, IMAGE)
    (data / "cat" / "out.png").unlink()
    folder.sound("data/c.wav")
    folder.refused("data: holds images and WAV files, such as a.png and c.wav", data, IMAGE)
    folder.refused("gone: no such dataset; check the path", folder.path / "gone", IMAGE)
    folder.refused("a pipe, a socket or a device", Path("/dev/null"), IMAGE)


def test_a_decoder_that_is_not_installed_is_named(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.image("data/a.png")
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(
        MissingToolError, match=r"Pillow is needed.*pip install 'edgepack\[images\]"
    ):
        find_source(folder.path / "data")


def test_sounds_are_read_and_described(folder: Folder) -> None:
    folder.sound("data/no/a.wav", channels=2)
    folder.sound("data/yes/b.wav", samples=8)
    data = folder.path / "data"
    recipe = "[preprocessing]\nsample_rate = 8000\nclip_samples = 6\n"
    found = folder.read(data, model(spec("wave", 6, 1)), recipe)
    assert found.inputs["wave"][0, :, 0].tolist() == [0.25] * 4 + [0, 0]
    assert found.inputs["wave"][1, :, 0].tolist() == [0.5] * 6
    assert found.labels["scores"].tolist() == [0, 1]
    recipe += "features = 'mfcc'\nframe_length = 4\nframe_step = 2\ncoefficients = 5"
    assert folder.read(data, model(spec("m", 2, 5)), recipe).inputs["m"].shape == (2, 2, 5)
    for shape, said in (((2, 4, 1), "coefficients = 4"), ((3, 5), "clip_samples and frame_step")):
        folder.refused(
            f"takes .* float32; say {said} under", data, model(spec("m", *shape)), recipe
        )
    folder.refused(
        r"no/a.wav is of shape \(4,\), yes/b.wav of shape \(8,\); say clip_samples",
        data,
        model(spec("wave", 4)),
    )
    folder.refused(
        r"'x' has shape \(2, 6\) after preprocessing; .* say clip_samples and features",
        data,
        model(spec("wave", 9)),
        "[preprocessing]\nsample_rate = 8000\nclip_samples = 6\n",
    )


def test_sounds_of_another_rate_or_kind_are_named(folder: Folder) -> None:
    data, wanted = folder.path / "data", model(spec("wave", 4))
    folder.sound("data/a.wav")
    recipe = "[preprocessing]\nsample_rate = 16000"
    folder.refused(
        "a.wav: has a sample rate of 8000 Hz, and the project file says 16000", data, wanted, recipe
    )
    folder.sound("data/b.wav", rate=16000)
    folder.refused("b.wav: has a sample rate of 16000 Hz, and a.wav has 8000", data, wanted)
    folder.text("data/b.wav", "hello")
    folder.refused("b.wav: no WAV file that can be decoded", data, wanted)
    whole = folder.sound("data/b.wav").read_bytes()
    (data / "b.wav").write_bytes(whole[:-2])
    folder.refused("b.wav: cut off: its head announces 44 bytes, and it has 42", data, wanted)
    soundfile.write(data / "b.wav", np.full(4, np.nan), 8000, "FLOAT")
    folder.refused(r"'x' is nan at \[1, 0\] of b.wav, one of 4 values", data, wanted)
    loud = "[preprocessing]\nscale = 1e38\noffset = 3e38"
    folder.refused("inf at .* of a.wav after .*, or describe smaller numbers", data, wanted, loud)
    folder.sound("data/b.wav", samples=0)
    folder.refused("b.wav: holds no sound", data, wanted, "[preprocessing]\nsample_rate = 8000")


def test_a_table_gives_its_columns_in_order(folder: Folder) -> None:
    table = folder.text("d.csv", "a,species,b\n1,2,3.5\n\n4,0,6\n")
    found = folder.read(table, PAIR, "[data]\nlabel = 'species'")
    assert found.inputs["x"].tolist() == [[1, 3.5], [4, 6]]
    assert found.labels["scores"].tolist() == [2, 0]
    pixels = folder.text("noname", "y,p,q\n1,2,3\n")
    found = folder.read(pixels, model(spec("image", 2, 1, dtype="int32")))
    assert found.inputs["image"].tolist() == [[[2], [3]]]
    assert found.labels["scores"].tolist() == [1]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n1,2\n3,red\n", "column 'b' holds no number in row 2 after the header: 'red'"),
        ("a,b\n1,\n", "column 'b' holds no number in row 1 after the header: ''"),
        ("a,b\n1,2\n3\n", "row 2 after the header has 1 columns, the header 2"),
        ("1,2\n3,4\n", "the first row must name the columns"),
        ("a;b\n1;2\n", "separate the columns by commas"),
        ("a,b\n", "'x' is empty"),
        ("a,b\n1,nan\n", r"'x' is nan at \[0, 1\]"),
        ("a,b,c,d\n1,2,3,4\n", r"'x' has shape \(samples, 4\)"),
        ("a,b,c\n1,2,3\n", "name the one of the labels by .*--config.*; the columns are a, b, c"),
        ("", "d.csv: is empty; give a header row"),
        ("a,\N{LATIN SMALL LETTER E WITH ACUTE}\n1,2\n", "d.csv: not UTF-8; save it"),
        ("a,b\n" + "1,2\n" * 2000 + "\N{DEGREE SIGN}", "d.csv: not UTF-8; save it"),
    ],
)
def test_a_table_that_is_none(folder: Folder, text: str, said: str) -> None:
    folder.text("d.csv", "").write_bytes(text.encode("latin-1"))
    folder.refused(said, folder.path / "d.csv", PAIR)


def test_a_table_is_one_input_and_has_the_column_that_is_named(folder: Folder) -> None:
    table = folder.text("d.csv", "a,b\n1,2\n")
    folder.refused("no array 'left'; it holds x; a CSV is one input", table, TWO)
    said = "no column 'c' for the labels; its columns are a, b"
    folder.refused(said, table, PAIR, "[data]\nlabel = 'c'")


def test_objects_are_taken_as_they_are(folder: Folder) -> None:
    x, y = np.ones((4, 2)), np.arange(4)
    assert folder.read(x, PAIR).labels == {}
    assert folder.read((x, y), PAIR).labels["scores"].tolist() == [0, 1, 2, 3]
    both = folder.read(({"left": x, "right": x[:, :1]}, y), TWO)
    assert list(both.inputs) == ["left", "right"]
    assert len(folder.read([x[0], x[1]], PAIR)) == 2
    folder.refused("no array 'left'; it holds x; give each input its array: dict", x, TWO)
    folder.refused("int: gives a int; give arrays", 3, PAIR)


def samples(count: int, **more: Any) -> Iterator[Any]:
    for index in range(count):
        yield {"x": np.full(2, index), "y": index} | more


@pytest.mark.parametrize(
    "stream",
    [
        lambda: samples(4),
        lambda: ((np.full(2, i), i) for i in range(4)),
        lambda: ((np.full((2, 2), i), [i, i]) for i in (0, 1)),
        lambda: ([np.full((1, 2), i)] for i in range(4)),
        lambda: (np.full(2, i).tolist() for i in range(4)),
    ],
)
def test_a_stream_gives_samples_or_batches(folder: Folder, stream: Any) -> None:
    found = folder.read(stream(), PAIR)
    assert found.inputs["x"].shape == (4, 2)
    assert found.inputs["x"].dtype == np.float32
    if found.labels:
        assert found.inputs["x"][:, 0].tolist() == found.labels["scores"].tolist()


def test_of_a_stream_the_first_are_taken(folder: Folder) -> None:
    endless = (np.full((3, 2), i) for i in itertools.count())
    assert folder.read(endless, PAIR, "", 4).inputs["x"][:, 0].tolist() == [0, 0, 0, 1]
    notes = folder.spooled(samples(4), PAIR, "", 2).notes
    assert notes == ("generator: the first 2 of a stream are taken; shuffle it if it is sorted",)
    folder.refused("ends after 3 samples, and 4 are wanted", samples(3), PAIR, "", 4)


class Batches:
    """What a Keras Sequence is: a length, and batches."""

    def __init__(self, batches: int) -> None:
        self.batches = batches

    def __len__(self) -> int:
        return 3

    def __getitem__(self, index: int) -> Any:
        if index >= self.batches:
            raise RuntimeError("no more\nbatches")
        return np.full((2, 2), index), np.full(2, index)


def test_a_sequence_gives_as_many_batches_as_it_is_long(folder: Folder) -> None:
    assert folder.read(Batches(3), PAIR).labels["scores"].tolist() == [0, 0, 1, 1, 2, 2]
    folder.refused("Batches: raised RuntimeError: no more", Batches(2), PAIR)


def broken() -> Iterator[Any]:
    yield np.ones(2)
    raise KeyError("gone")


@pytest.mark.parametrize(
    ("stream", "said"),
    [
        (lambda: samples(0), "generator: gives no samples"),
        (broken, "generator: raised KeyError: 'gone'"),
        (
            lambda: iter([np.ones(2), np.ones(3)]),
            r"sample 0 is of shape \(2,\), sample 1 of shape \(3,\); give all samples one shape",
        ),
        (lambda: iter([{"x": np.ones(2), "y": 1}, {"x": np.ones(2)}]), "sample 1 has no 'y', as"),
        (lambda: iter([np.ones(3)]), r"'x' has shape \(samples, 3\)"),
        (lambda: iter([(np.ones((3, 2)), 1)]), "from sample 0 on has 3 of 'x', and 'y' of shape"),
        (lambda: iter([np.array([1, np.nan])]), r"'x' is nan at \[0, 1\]"),
        (lambda: iter(["hello"]), "'x' has dtype <U5; give numbers"),
        (lambda: iter([(np.ones(2), 1), (np.ones(2), 1.5)]), "'y' changes its dtype at sample 1"),
        (lambda: iter([(1, 2, 3, 4)]), r"gives a tuple of 4; give x or \(x, y\)"),
    ],
)
def test_a_stream_that_fails_is_told_in_one_line(folder: Folder, stream: Any, said: str) -> None:
    folder.refused(said, stream(), PAIR)


def test_a_function_is_called(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"data_of_{folder.path.name}"[:40].rstrip("0123456789")
    folder.text(
        f"{name}.py",
        "import numpy as np\n"
        "def samples():\n    return (np.full(2, i) for i in range(3))\n"
        "def nothing():\n    pass\n"
        "def broken():\n    raise ValueError('no disk\\nat all')\n"
        "def bare():\n    raise RuntimeError\n"
        "def exits():\n    yield np.ones(2)\n    raise SystemExit(3)\n",
    )
    folder.text(f"{name}_exits.py", "raise SystemExit(3)")
    monkeypatch.chdir(folder.path)
    assert find_source(f"{name}:samples").is_isolated
    assert len(folder.read(f"{name}:samples", PAIR)) == 3
    folder.refused(f"{name}:nothing: gives a NoneType; give arrays", f"{name}:nothing", PAIR)
    folder.refused(f"{name}:broken: raised ValueError: no disk", f"{name}:broken", PAIR)
    folder.refused(f"{name}:bare: raised RuntimeError$", f"{name}:bare", PAIR)
    folder.refused(rf"{name}:exits: called sys.exit\(3\)", f"{name}:exits", PAIR)
    said = rf"{name}_exits cannot be imported: it called sys.exit\(3\)"
    folder.refused(said, f"{name}_exits:f", PAIR)
    folder.refused(f"{name}:gone: {name} has no function gone", f"{name}:gone", PAIR)
    folder.refused("no_such:f: no_such cannot be imported: No module", "no_such:f", PAIR)


def test_samples_are_chosen_by_label_before_files_are_decoded(folder: Folder) -> None:
    for index in range(8):
        folder.image(f"data/{'ab'[index % 4 == 0]}/{index}.png")
    folder.text("data/a/broken.png", "never decoded")
    chosen = folder.spooled(folder.path / "data", IMAGE, "", 4)
    assert chosen.dataset().labels["scores"].tolist() == [0, 0, 0, 1]
    assert chosen.notes == ()


def test_the_array_of_the_labels_is_named(folder: Folder) -> None:
    path, recipe = folder.path / "d.npz", "[data]\nlabel = 'kinds'"
    np.savez(path, x=np.ones((2, 2)), y=[0, 0], kinds=[1, 2])
    assert folder.read(path, PAIR, recipe).labels["scores"].tolist() == [1, 2]
    said = "d.npz: no array 'kind' for the labels; its arrays are x, y, kinds"
    folder.refused(said, path, PAIR, "[data]\nlabel = 'kind'")
    two = model(spec("x", 2), outputs=("a", "b"))
    folder.refused("'kinds' does not say of which output", path, two, recipe)
    folder.image("data/cat/a.png")
    data = folder.path / "data"
    folder.refused("data: the subfolders are the classes; leave label", data, IMAGE, recipe)


def test_what_the_project_file_describes_is_what_a_folder_holds(folder: Folder) -> None:
    folder.image("data/a.png")
    said = "edgepack.toml: describes audio samples, and .*data holds images; describe those"
    with pytest.raises(ConfigError, match=said):
        folder.read(folder.path / "data", IMAGE, "[preprocessing]\nsample_rate = 8000")


@pytest.mark.parametrize("kind", ["npz", "csv"])
def test_files_are_chosen_from_by_label(folder: Folder, kind: str) -> None:
    path = folder.path / f"d.{kind}"
    labels = np.arange(3000) % 3
    if kind == "npz":
        np.savez(path, x=np.stack([np.arange(3000)] * 2, 1), y=labels)
    else:
        rows = (f"{i},{i},{label}" for i, label in enumerate(labels))
        path.write_text("\n".join(["a,b,y", *rows]))
    found = folder.read(path, PAIR, "", 300)
    assert np.bincount(found.labels["scores"].astype(int)).tolist() == [100, 100, 100]
    assert (found.inputs["x"][:, 0] % 3 == found.labels["scores"]).all()
    notes = folder.spooled(path, PAIR, "", 4000).notes
    assert notes == (f"{path}: 4000 samples are wanted and it has 3000: all are taken",)


def test_subfolders_must_be_the_models_classes() -> None:
    inputs = {"x": np.zeros((3, 2))}
    labels = {"scores": np.array([0, 1, 1])}
    found = Dataset(source="photos", inputs=inputs, labels=labels, classes=("cat", "dog"))
    with pytest.raises(DatasetError, match="the subfolders are 2 classes, the model knows 3; make"):
        choose_measures(None, found, PAIR)


def test_objects_are_described_by_their_type() -> None:
    recipe = Recipe(
        model=ROOT / "README.md",
        representative=(x for x in ()),
        test="mine:data",
        output=Path("out"),
        train={"x": np.ones(2)},
        compress=(Prune(fine_tune=FineTune()),),
    )
    described = describe_inputs(recipe)
    assert described["representative"] == {"object": "generator"}
    assert described["test"] == {"function": "mine:data"}
    assert described["train"] == {"object": "dict"}


def test_classes_must_be_the_same_in_all_data() -> None:
    def named(source: str, *classes: str) -> Dataset:
        return Dataset(source=source, inputs={}, labels={}, classes=classes)

    require_same_classes([named("a", "cat", "dog"), named("b"), named("c", "cat", "dog")])
    with pytest.raises(DatasetError, match="c: the subfolders are the classes, and a has others"):
        require_same_classes([named("a", "cat", "dog"), named("c", "dog")])


def test_an_image_of_more_pixels_than_phones_take_is_not_decoded(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgepack.calibration.datasets.sources.images._MOST_PIXELS", 2 * 10**6)
    large = folder.image("large/a.png", size=(3000, 1000)).parent
    said = "a.png: an image of 3 million pixels, more than 2; make it smaller"
    folder.refused(said, large, IMAGE)


def test_a_record_that_no_sample_takes_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.tfrecord"
    with path.open("wb") as file:
        file.write((1 << 30).to_bytes(8, "little") + bytes(4))
        file.truncate(16 + (1 << 30))  # a hole, which takes no room
    with pytest.raises(DatasetError, match="a record takes 1,024 MiB, more than 256"):
        _require_whole(path)


def test_what_tensorflow_gives_is_read(data_check: dict[str, Any]) -> None:
    found = data_check["reading"]
    four = [[0, 2, 4, 6], [0, 1, 2, 3]]
    for kind in ("tf.data", "tf.data in batches", "tf.data by name"):
        assert found[kind] == four, kind
    assert found["tf.data, endless, first"] == [[0, 2, 4, 6, 0], [0, 1, 2, 3, 0]]
    assert found["Sequence"] == [[0, 0, 1, 1, 2, 2]] * 2
    assert found["records"] == [[0, 1, 2, 3]] * 2
    assert found["records, compressed"] == [[0, 1, 2, 3], None]
    assert len(found["records, two"][0]) == 2
    assert found["records of images"] == [[9, 0], [1, 1]]
    assert found["is isolated"]


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("tf.data, endless", "is endless; say how many samples with --samples"),
        ("tf.data that ends", "ends after 4 samples, and 5 are wanted"),
        ("tf.data without samples", "_TakeDataset: gives no samples"),
        ("records, cut", "cut: damaged: a record is cut off or changed; write the file again"),
        ("records, cut in a head", "cut in a head: damaged: a record is cut off or changed"),
        ("records, cut, zipped", "cut, zipped: damaged: a record is cut off or changed"),
        ("records, label missing", "record 0 is of shape (2,), record 4 of shape (1,)"),
        ("records, one without label", "record 4 has no feature 'label', as others have"),
        ("records, no such label", "no feature 'kind' for the labels; its features are image"),
        ("records without the input", "no array 'x'; it holds x1; write a feature for each input"),
        ("no records", "empty: not an .npz file, or a damaged one, nor .npy, .csv or TFRecord"),
    ],
)
def test_what_tensorflow_gives_is_refused(data_check: dict[str, Any], kind: str, said: str) -> None:
    assert said in data_check["reading"][kind]


PEAK = """
import resource, sys
from pathlib import Path
import numpy as np
import test_sources as t
kind, count, folder = sys.argv[1], int(sys.argv[2]), t.Folder(Path(sys.argv[3]))
def samples():
    for index in range(count):
        yield np.full((64, 64, 3), index, np.float32)
if kind == "npz":
    data = folder.path / f"{count}.npz"
else:
    data = samples()
found = folder.read(data, t.model(t.spec("image", 64, 64, 3)))
assert len(found) == count
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.parametrize("kind", ["npz", "stream"])
def test_ten_times_the_samples_take_no_more_memory(tmp_path: Path, kind: str) -> None:
    peaks = []
    for count in (1000, 10_000):
        if kind == "npz":
            images = np.zeros((count, 64, 64, 3), np.uint8)
            np.savez_compressed(tmp_path / f"{count}.npz", x=images)
        done = python("-c", PEAK, kind, count, tmp_path, cwd=ROOT / "tests")
        assert done.returncode == 0, done.stderr
        peaks.append(int(done.stdout))
    assert peaks[1] <= peaks[0] * 1.05


def test_an_export_reads_folders_and_functions(
    edgepack: Edgepack, models: Path, folder: Folder
) -> None:
    for index in range(12):
        folder.image(f"photos/{'abc'[index % 3]}/{index}.png", (10 + index, 12))
    folder.text("edgepack.toml", "[preprocessing]\nresize = [8, 8]\nscale = 0.00392")
    folder.text(
        "cwd/own_data.py",
        "import numpy as np\n"
        "def test():\n    return np.full((6, 9, 8, 3), 100, np.uint8), np.arange(6) % 3\n"
        "def broken():\n    yield np.zeros((8, 8, 1))\n    raise OSError('the disk is gone')\n",
    )
    arguments = ("export", models / "cnn.h5", "--representative", folder.path / "photos")
    arguments += ("--recipe", folder.path / "edgepack.toml", "--output", "out")
    arguments += ("--samples", 6, "--target", "nano-33-ble-sense")
    done = edgepack(*arguments, "--test", "own_data:broken")
    assert done.returncode == 2, done.stderr
    said = "error: own_data:broken: raised OSError: the disk is gone"
    assert done.stderr.splitlines()[-1] == said
    folder.text("edgepack.toml", "[preprocessing]\nresize = [8, 8]\ncolors = 'gray'")
    done = edgepack(*arguments, "--test", "own_data:test")
    assert done.returncode == 0, done.stderr
    report = json.loads((folder.path / "cwd" / "out" / "report.json").read_text())
    assert report["comparison"]["samples"] == 6
    manifest = json.loads((folder.path / "cwd" / "out" / "manifest.json").read_text())
    recipe = manifest["recipe"]
    assert recipe["test"] == {"function": "own_data:test"}
    assert (recipe["samples"], recipe["seed"]) == (6, 0)
    assert recipe["recipe_file"]["name"] == "edgepack.toml"
    assert recipe["representative"]["name"] == "photos"
