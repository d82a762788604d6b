"""What edgepack doctor concludes: which package is to blame, and which commands can work."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgepack.pipeline.doctor import blame_foundations
from edgepack.report.data.doctor import BROKEN, MISSING, UNFIT, WORKS, DoctorReport, Examined
from edgepack.report.text.doctor import render_doctor

NUMPY = Examined(
    kind="package",
    name="numpy",
    distribution="numpy",
    state=WORKS,
    cure="pip install numpy",
    commands=("validate",),
)
FAILS = Examined(
    kind="interpreter",
    name="tflite-runtime-reference",
    distribution="tflite-runtime",
    state=BROKEN,
    problem="ImportError: numpy.core.multiarray failed to import",
    cure="pip install tflite-runtime",
    commands=("firmware",),
    in_part=("validate",),
)


@pytest.mark.parametrize(
    ("state", "commands", "in_part"),
    [(MISSING, (), ()), (BROKEN, (), ()), (UNFIT, FAILS.commands, FAILS.in_part)],
)
def test_what_fails_because_of_numpy_is_cured_by_curing_numpy(
    state: str, commands: tuple[str, ...], in_part: tuple[str, ...]
) -> None:
    """What is missing or broken is to blame for all; whether a version is, is not known."""
    numpy = replace(NUMPY, state=state)
    first = replace(FAILS, cure=f"first {NUMPY.cure}", commands=commands, in_part=in_part)
    assert [*blame_foundations([FAILS, numpy])] == [first, numpy]


@pytest.mark.parametrize(
    "other",
    [
        replace(NUMPY, state=WORKS, cure=None),
        replace(NUMPY, state=BROKEN, distribution="scipy", problem="no such library"),
        replace(NUMPY, state=BROKEN, distribution="soundfile", problem=FAILS.problem),
    ],
)
def test_a_package_is_not_to_blame_for_what_does_not_name_it(other: Examined) -> None:
    """One that works is not, nor another one that fails, nor one that no package imports."""
    assert [*blame_foundations([other, FAILS])] == [other, FAILS]


def test_only_what_is_broken_is_cured_by_curing_another_package() -> None:
    numpy = replace(NUMPY, state=MISSING)
    for state in (MISSING, UNFIT, WORKS):
        named = replace(FAILS, state=state)
        assert [*blame_foundations([numpy, named])] == [numpy, named]


def test_packages_that_fail_alike_do_so_because_of_the_one_that_they_import() -> None:
    alike = "OSError: no such library"
    numpy, scipy = (
        replace(NUMPY, name=name, distribution=name, state=BROKEN, problem=alike, cure=f"{name}!")
        for name in ("numpy", "scipy")
    )
    other = replace(FAILS, problem=alike)
    cures = [each.cure for each in blame_foundations([scipy, other, numpy])]
    assert cures == ["first numpy!", "first numpy!", "numpy!"]


def test_a_foundation_is_not_cured_by_what_imports_it() -> None:
    numpy = replace(NUMPY, state=BROKEN, problem="ImportError: numpy is not for this scipy")
    scipy = replace(NUMPY, name="scipy", distribution="scipy", state=MISSING)
    assert [*blame_foundations([numpy, scipy])] == [numpy, scipy]


@pytest.mark.parametrize(
    ("states", "unable", "in_part", "uncertain", "status"),
    [
        ((WORKS, WORKS), "", "", "", 0),
        ((MISSING, WORKS), "validate", "", "", 3),
        ((BROKEN, WORKS), "validate", "", "", 3),
        ((UNFIT, WORKS), "", "", "validate", 3),
        ((WORKS, MISSING), "firmware", "validate", "", 3),
        ((WORKS, UNFIT), "", "", "firmware validate", 3),
        ((MISSING, MISSING), "firmware validate", "", "", 3),
        ((UNFIT, MISSING), "firmware", "validate", "", 3),
        ((MISSING, UNFIT), "validate", "", "firmware", 3),
    ],
)
def test_a_command_is_named_once_with_the_worst_that_is_so_of_it(
    states: tuple[str, str], unable: str, in_part: str, uncertain: str, status: int
) -> None:
    """numpy is needed to validate; the interpreter for firmware, and to validate in part."""
    examined = tuple(
        replace(each, state=state) if state != WORKS else replace(each, commands=(), in_part=())
        for each, state in zip((NUMPY, FAILS), states, strict=True)
    )
    report = DoctorReport(
        edgepack="1", python="3", system="Linux 6", machine="x86_64", examined=examined
    )
    assert " ".join(report.unable) == unable
    assert " ".join(report.in_part) == in_part
    assert " ".join(report.uncertain) == uncertain
    assert report.exit_status == status
    verdicts = {
        "cannot work: ": unable,
        "can work in part only: ": in_part,
        "may not work: ": uncertain,
        "every command can work": "" if status else "!",
    }
    last = render_doctor(report).split("\n\n")[-1].splitlines()
    said = [next((each for each in verdicts if line.startswith(each)), None) for line in last]
    assert [each for each in said if each] == [each for each, found in verdicts.items() if found]
