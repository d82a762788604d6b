"""Names from files reach a terminal as plain text only."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from conftest import Edgepack, python
from tiny import Value, one_operator

from edgepack.cli.printing import print_result
from edgepack.report.format.text_table import text_table

EVIL = "\x1b]0;title\x07\u202ename\x9b31m\r"
WRITTEN = r"\x1b]0;title\x07\u202ename\x9b31m\r"


def is_harmless(text: str) -> bool:
    return all(line.isprintable() for line in text.split("\n"))


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Files whose names and contents are hostile, each in its own way."""
    np.savez(tmp_path / "arrays.npz", **{EVIL: np.zeros((4, 4), "float32")})
    (tmp_path / "table.csv").write_text(f"{EVIL},b\n1,2\n3,x\n")
    (tmp_path / "project.toml").write_text('"\\u001b[31m\\u202e" = 1\n')
    (tmp_path / "board.toml").write_text('"\\u001b[31m\\u202e" = 1\n')
    (tmp_path / "ranges.json").write_text(f'{{"schema": "{EVIL.encode("unicode_escape")}"}}')
    (tmp_path / f"{EVIL}.npz").write_bytes(b"none")
    value = Value((1, 4))
    (tmp_path / "model.tflite").write_bytes(one_operator(EVIL, [value], [value]))
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / f"{EVIL}.png").write_bytes(b"none")
    return tmp_path


@pytest.mark.parametrize(
    "arguments",
    [
        ("validate", "model.tflite"),
        ("validate", "model.tflite", "--test", "arrays.npz"),
        ("validate", "model.tflite", "--test", "table.csv"),
        ("validate", "model.tflite", "--test", "pictures"),
        ("validate", "model.tflite", "--test", f"{EVIL}.npz"),
        ("validate", "model.tflite", "--config", "project.toml"),
        ("validate", "model.tflite", "--target", "./board.toml"),
        ("validate", "model.tflite", "--format", "json"),
        ("validate", "model.tflite", "--format", "junit"),
        ("validate", f"{EVIL}.npz"),
        ("inspect", "model.tflite"),
        ("inspect", f"{EVIL}.npz"),
        ("firmware", "model.tflite", "--target", "rp2040", "--output", "out"),
        ("phone", f"{EVIL}.npz", "--output", "out"),
        ("diff", f"{EVIL}.npz", "model.tflite"),
        ("export", f"{EVIL}.npz", "--representative", "arrays.npz", "--output", "out"),
    ],
    ids=lambda arguments: " ".join(arguments).replace(EVIL, "EVIL"),
)
def test_errors_tables_and_notes_hold_no_control_characters(
    files: Path, edgepack: Edgepack, arguments: tuple[str, ...]
) -> None:
    done = edgepack(*arguments, cwd=files)
    assert is_harmless(done.stdout)
    assert is_harmless(done.stderr)
    assert "Traceback" not in done.stderr


def test_reports_for_programs_hold_the_names_and_can_be_parsed(
    files: Path, edgepack: Edgepack
) -> None:
    def report_as(form: str) -> str:
        return edgepack("validate", "model.tflite", "--format", form, cwd=files).stdout

    report = json.loads(report_as("json"))
    assert "title" in report["runtimes"]["litert"]["failure"]
    failures = ElementTree.fromstring(report_as("junit")).iter("failure")
    assert any(r"the custom operator \x1b]0;title" in str(each.text) for each in failures)


def test_an_error_is_one_line_whatever_is_in_it(edgepack: Edgepack) -> None:
    done = edgepack("inspect", "two\nlines\x1b[31m")
    assert done.stderr == r"error: two\nlines\x1b[31m: no such .tflite file; check the path" + "\n"


def test_a_name_breaks_no_row_of_a_table() -> None:
    assert text_table([["a\nb", "c", "1"], ["d", "e", "22"]]) == "a\\nb  c   1\nd     e  22"


def test_a_result_is_printed_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    print_result(f"one\n{EVIL}\u00a0\ttwo")
    assert capsys.readouterr().out == f"one\n{WRITTEN}\u00a0\ttwo\n"


def test_progress_shows_the_details_as_text(tmp_path: Path) -> None:
    code = (
        "from edgepack.cli.progress_bars import ProgressBars\n"
        f"with ProgressBars().step('x') as update: update(1, 2, {EVIL!r})"
    )
    master, slave = pty.openpty()
    with subprocess.Popen([sys.executable, "-c", code], stderr=slave, cwd=tmp_path) as process:
        os.close(slave)
        shown = b""
        try:
            while part := os.read(master, 1 << 12):
                shown += part
        except OSError:  # Linux raises it at the end
            pass
        assert process.wait() == 0
    os.close(master)
    assert WRITTEN.encode() in shown
    assert not re.search(rb"\x1b\]|\x07|\xe2\x80\xae", shown)


def test_what_a_worker_process_prints_is_shown_as_text(tmp_path: Path) -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from edgepack.workers.client import Worker\n"
        "with Worker('services:Service', label='x', verbose=True) as w:\n"
        f"    w.call('say', text={EVIL!r}); import time; time.sleep(1)"
    )
    done = python("-c", code, Path(__file__).parent, cwd=tmp_path)
    assert WRITTEN.removesuffix("\\r") in done.stderr
    assert is_harmless(done.stderr)
