"""edgepack doctor says what is here, what works, and what is lost without the rest."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
from conftest import HAS_TFLITE_RUNTIME, ROOT, needs_tflite_runtime, python
from environments import Environment, make_environment
from test_target import GOOD

import edgepack
from edgepack.cli import cli
from edgepack.core import packages
from edgepack.core.errors import ConversionError
from edgepack.core.packages import LITERT, OPTIONAL, REQUIRED, TENSORFLOW, TFLITE_MICRO
from edgepack.core.requirements import wanted
from edgepack.core.system_name import system_name
from edgepack.pipeline.doctor import doctor
from edgepack.pipeline.needed_packages import CANNOT_WORK, IN_PART
from edgepack.report.text.doctor import render_doctor
from edgepack.runtimes import REFERENCE, RUNTIMES
from edgepack.runtimes.attempt_service import MODEL, OUTPUTS, Attempt

INTERPRETERS = (REFERENCE, *RUNTIMES.values())

Make = Callable[..., Environment]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Make an environment of Python without some packages."""
    return lambda *without: make_environment(tmp_path / "environment", without=without)


def examine(environment: Environment, status: int, **variables: str) -> dict[str, Any]:
    """Run the command with --json; returns what was examined, by name, beside the rest."""
    done = environment.run("doctor", "--json", variables=variables)
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode == status, done.stdout
    report: dict[str, Any] = json.loads(done.stdout)
    assert report["exit_status"] == status
    return report | {each["name"]: each for each in report["examined"]}


def test_here_everything_works_and_nothing_heavy_is_imported() -> None:
    done = python(
        "-c",
        "import sys, edgepack; report = edgepack.doctor()\n"
        "from edgepack.report.text.doctor import render_doctor\n"
        "print(render_doctor(report))\n"
        "heavy = {'numpy', 'scipy', 'tensorflow', 'keras', 'ai_edge_litert'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else report.exit_status)",
    )
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    system = f"{platform.python_version()}, {system_name()} {platform.release()}"
    assert lines[0] == f"edgepack {edgepack.__version__}, Python {system}, {platform.machine()}"
    last = done.stdout.rpartition("\n\n")[2]
    assert last.startswith("every command can work, if what was not tried does: keras, tensorflow")
    words = [line.split() for line in lines]
    for runtime in INTERPRETERS:
        if runtime.missing() is None:
            assert [
                *("interpreter", runtime.name, runtime.distribution, runtime.version(), "works")
            ] in words
    assert ["package", "tensorflow", TENSORFLOW.version(), "installed"] in words


def test_the_text_says_what_the_report_has() -> None:
    report = doctor()
    text = render_doctor(report)
    for each in report.examined:
        assert each.name in text
        assert each.state in text
    assert max(map(len, text.splitlines())) <= 120


def test_tensorflow_of_another_distribution_is_installed(make: Make) -> None:
    environment = make()
    environment.rename("tensorflow", "tensorflow-cpu")
    report = examine(environment, 0)
    assert (report["tensorflow"]["state"], report["tensorflow"]["found"]) == (
        "installed",
        TENSORFLOW.version(),
    )


def test_a_folder_that_an_uninstallation_left_is_no_package(make: Make) -> None:
    environment = make("soundfile", "scikit-learn")
    (environment.packages / "sklearn" / "__pycache__").mkdir(parents=True)
    (environment.packages / "soundfile").mkdir()
    report = examine(environment, 3)
    assert report["scikit-learn"]["state"] == report["audio (soundfile)"]["state"] == "missing"


def test_without_scikit_learn_only_folds_are_left_out(make: Make) -> None:
    report = examine(make("scikit-learn"), 3)
    assert (report["scikit-learn"]["state"], report["scikit-learn"]["found"]) == ("missing", None)
    assert report["scikit-learn"]["cure"] == f"pip install '{wanted('scikit-learn')}'"
    assert (report["unable"], report["in_part"]) == ({}, {"compare": ["scikit-learn"]})


def test_without_packaging_or_with_a_broken_one_that_is_what_is_named(
    make: Make, tmp_path: Path
) -> None:
    (tmp_path / "edgepack" / "targets").mkdir(parents=True)
    (tmp_path / "edgepack" / "targets" / "mine.toml").write_text(GOOD)
    environment = make()
    environment.break_module("packaging", "raise OSError('an unreadable packaging')")
    report = examine(environment, 3, XDG_CONFIG_HOME=str(tmp_path))
    assert report["packaging"]["state"] == "broken"
    assert report["packaging"]["cure"].startswith("pip install --force-reinstall 'packaging'")
    assert report["mine"]["cure"] == f"first {report['packaging']['cure']}"
    assert report["plot (matplotlib)"]["cure"] == f"first {report['packaging']['cure']}"
    assert report["unable"]["targets"] == ["packaging"]


def test_without_any_interpreter_no_command_that_reads_models_can_work(make: Make) -> None:
    report = examine(make("ai-edge-litert", "tflite-runtime", "tflite-micro"), 3)
    assert {report[each.name]["state"] for each in INTERPRETERS} == {"missing"}
    assert set(report["unable"]) == cli.commands.keys() - {"doctor", "targets"}
    assert report["unable"]["firmware"] == ["litert", "tflm"]


def test_extras_and_tflite_runtime_may_be_missing() -> None:
    needed = CANNOT_WORK.keys() | IN_PART.keys()
    assert not needed & {each.distribution for each in (*OPTIONAL, REFERENCE.package)}
    assert "nothing is compared with TensorFlow Lite's reference" in REFERENCE.package.lost


@pytest.mark.parametrize(
    ("system", "name"), [("linux", "Linux"), ("darwin", "macOS"), ("win32", "Windows")]
)
def test_where_there_is_no_build_of_a_package_no_command_is_advised(
    monkeypatch: pytest.MonkeyPatch, system: str, name: str
) -> None:
    monkeypatch.setattr(packages, "own_requirements", lambda: {"tflite-runtime": None})
    monkeypatch.setattr(sys, "platform", system)
    here = ".".join(map(str, sys.version_info[:2]))
    cure = f"no wheel for Python {here} on {name} {platform.machine()}, only for Linux on x86-64, "
    assert REFERENCE.package.cure.startswith(cure)


@needs_tflite_runtime
def test_a_package_that_is_installed_and_fails_is_broken(make: Make) -> None:
    environment = make()
    environment.break_module("tflite_runtime", "import os; os.abort()")
    environment.break_module("scipy", "raise ImportError('libopenblas.so.0: cannot open')")
    environment.break_module("PIL", "import os; os._exit(7)")
    report = examine(environment, 3)
    name = "tflite-runtime-reference"
    assert report[name]["problem"] == f"{name} was killed by SIGABRT in the step 'run'"
    assert report["scipy"]["problem"] == "ImportError: libopenblas.so.0: cannot open"
    assert report["images (pillow)"]["problem"] == "Python ended with status 7 in the step 'load'"
    # Those that import them are not to blame, and others are tried, too.
    assert report["scikit-learn"]["cure"] == f"first {report['scipy']['cure']}"
    assert report["plot (matplotlib)"]["cure"] == f"first {report['images (pillow)']['cure']}"
    assert report["audio (soundfile)"]["state"] == report["litert"]["state"] == "works"
    assert not report["unable"]
    assert report["in_part"]["study"] == ["scipy"]
    assert report["in_part"]["validate"] == ["scipy", name, "tflite-runtime"]


def test_what_is_broken_works_once_it_is_installed_again_as_advised(make: Make) -> None:
    environment = make("ethos-u-vela")
    link = environment.packages / "soundfile.py"
    target = link.readlink()
    link.unlink()
    report = examine(environment, 0)
    audio = report["audio (soundfile)"]
    assert (audio["state"], audio["problem"]) == ("broken", "there is no module soundfile")
    assert audio["cure"] == f"pip install --force-reinstall 'soundfile>=0.14' '{wanted('numpy')}'"
    link.symlink_to(target)
    assert examine(environment, 0)["audio (soundfile)"]["state"] == "works"


def test_what_is_missing_is_named_with_what_brings_it_and_works_where_it_is(
    make: Make, tmp_path: Path
) -> None:
    report = examine(make("scipy", "pillow"), 3)
    assert report["scipy"]["cure"] == f"pip install '{wanted('scipy')}'"
    assert report["images (pillow)"]["cure"] == "pip install 'pillow>=12.3'"
    again = examine(make_environment(tmp_path / "again"), 0)
    assert again["scipy"]["state"] == again["images (pillow)"]["state"] == "works"


def test_with_a_version_that_edgepack_does_not_work_with_commands_may_not_work(make: Make) -> None:
    environment = make()
    environment.set_version("click", "8.banana")
    environment.set_version("pillow", "12.3rc1")
    environment.set_version("scipy", "1.2.0")
    environment.set_version("keras", "99.0.0.dev1+cpu")
    environment.set_version("tensorflow", "2.15.1")
    report = examine(environment, 3)
    tensorflow = wanted("tensorflow").removeprefix("tensorflow")
    for name, why in {
        "scipy": "version 1.2.0 is not >=1.15, as required",
        "images (pillow)": "version 12.3rc1 is not >=12.3, as required",
        "click": "version 8.banana is not >=8.2, as required",
        "tensorflow": f"version 2.15.1 is not {tensorflow}, as required",
    }.items():
        assert (report[name]["state"], report[name]["problem"]) == ("unfit", why)
        assert report[name]["cure"].startswith("pip install ")
    assert (report["unable"], report["in_part"]) == ({}, {})
    assert report["uncertain"].keys() == cli.commands.keys() - {"doctor"}
    assert report["uncertain"]["targets"] == ["click"]
    assert report["uncertain"]["study"] == ["click", "scipy", "tensorflow"]
    assert "every command can work" not in environment.run("doctor").stdout


def test_where_edgepack_is_not_installed_it_says_so(make: Make, tmp_path: Path) -> None:
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "edgepack").symlink_to(ROOT / "edgepack")
    report = examine(make("edgepack"), 0, PYTHONPATH=str(tmp_path / "copy"))
    assert report["edgepack"]["state"] == "missing"
    assert report["edgepack"]["cure"] == "pip install . in a clone of edgepack"


def test_without_a_folder_for_temporary_files_one_is_set_as_advised() -> None:
    """The folders for temporary files are read-only for this process alone."""
    if subprocess.run(["unshare", "--mount", "true"], check=False).returncode:
        pytest.skip("nothing can be mounted for the test alone")
    script = (
        "for each in /tmp /var/tmp /usr/tmp; do"
        " ! [ -d $each ] || mount -t tmpfs -o ro none $each || exit 77; done;"
        f" cd /proc; '{sys.executable}' -m edgepack doctor --json;"
        f" TMPDIR=/dev/shm '{sys.executable}' -m edgepack doctor"
    )
    done = subprocess.run(
        ["unshare", "--mount", "bash", "-c", script],
        env=os.environ | {"TMPDIR": "/proc"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 77:
        pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    report, end = json.JSONDecoder().raw_decode(done.stdout)
    assert report["exit_status"] == 3
    assert report["unable"]["validate"] == ["temporary files"]
    states = {each["state"] for each in report["examined"] if each["kind"] == "interpreter"}
    assert states == ({"installed"} if HAS_TFLITE_RUNTIME else {"installed", "missing"})
    assert "every command can work" in done.stdout[end:].rpartition("\n\n")[2]


def test_odd_surroundings_change_nothing() -> None:
    here = Environment(Path(sys.prefix))
    usual = here.run("doctor")
    variables = {"LANG": "C", "LC_ALL": "C", "TERM": "dumb", "COLUMNS": "40"}
    odd = here.run("doctor", variables=variables)
    assert (odd.returncode, odd.stdout) == (usual.returncode, usual.stdout)
    closed = subprocess.run(
        ["bash", "-c", f"'{sys.executable}' -m edgepack doctor >&-"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert closed.returncode == 2
    assert "error: standard output cannot be written" in closed.stderr


def trial_model(dtype: str = "int8", scale: float | None = 1.0) -> bytes:
    """Write the model that interpreters are tried with, or one like it."""
    weights = [[1, 1, 1, 1], [1, 1, -1, -1]]
    return tiny.one_operator(
        "FULLY_CONNECTED",
        [tiny.Value((1, 4), dtype, scale), tiny.Value((2, 4), dtype, scale, values=weights), None],
        [tiny.Value((1, 2), dtype, scale)],
        table="FullyConnectedOptions",
        version=4 if scale else 1,
    )


def test_the_model_that_interpreters_are_tried_with_is_this_one() -> None:
    assert (ROOT / "edgepack" / "runtimes" / MODEL).read_bytes() == trial_model()


def test_an_interpreter_that_computes_something_else_does_not_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "wrong.py").write_text(
        "import numpy as np\n"
        "class Interpreter:\n"
        "    def __init__(self, model):\n        pass\n"
        "    def invoke(self, sample):\n        return [np.zeros((1, 2), np.int8)]\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConversionError, match=r"computes \[0, 0\] where \[10, -4\] is right"):
        Attempt("wrong").run(update=lambda *_: None)
    assert OUTPUTS == [10, -4]


def test_the_table_of_needed_packages_names_packages_and_commands_that_exist() -> None:
    packages = {each.distribution for each in (*REQUIRED, LITERT, TFLITE_MICRO)} | {"tomli"}
    assert CANNOT_WORK.keys() | IN_PART.keys() == packages
    commands = {
        name for table in (CANNOT_WORK, IN_PART) for each in table.values() for name in each
    }
    assert commands == cli.commands.keys() - {"doctor"}


FILE_COMMANDS = {
    "inspect": ["inspect", "m.tflite"],
    "phone": ["phone", "m.tflite", "--output", "out"],
    "firmware": ["firmware", "m.tflite", "--target", "nano-33-ble-sense", "--output", "out"],
    "validate": ["validate", "m.tflite", "--float", "f.tflite", "--test", "x.npy"],
    "compare": ["compare", "f.tflite", "m.tflite", "--test", "x.npy", "--no-cache"],
    "targets": ["targets"],
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "package", ["numpy", "flatbuffers", "packaging", "scipy", "scikit-learn", "tflite-micro"]
)
def test_the_commands_that_cannot_work_are_those_that_it_names(
    make: Make, tmp_path: Path, package: str
) -> None:
    environment = make(package)
    (tmp_path / "m.tflite").write_bytes(trial_model())
    (tmp_path / "f.tflite").write_bytes(trial_model("float32", None))
    np.save(tmp_path / "x.npy", np.arange(32, dtype=np.float32).reshape(8, 4))
    report = examine(environment, 3)
    for name, arguments in FILE_COMMANDS.items():
        done = environment.run(*arguments, cwd=tmp_path)
        if name in report["unable"]:
            assert done.returncode != 0, name
            assert package in done.stderr, name
        elif name not in report["in_part"]:
            assert done.returncode == 0, (name, done.stderr)
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
