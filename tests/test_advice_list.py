"""Every sentence that advises something is listed with the test that follows it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from advising import advising_strings
from conftest import ROOT

from edgepack.config.toml import parse_toml

LISTED: dict[str, Any] = parse_toml((ROOT / "tests" / "advice.toml").read_text())
UNTRIED: dict[str, str] = LISTED.pop("untried")
ADVICE = advising_strings()
TESTS = {
    f"{path.name}::{name}"
    for path in Path(ROOT / "tests").glob("test_*.py")
    for name in re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE)
}


@pytest.mark.parametrize("file", sorted(ADVICE.keys() | LISTED.keys()))
def test_every_advice_is_listed_and_what_is_listed_is_advised(file: str) -> None:
    advised, listed = ADVICE.get(file, set()), LISTED.get(file, {})
    missing = [text for text in advised if not any(part in text for part in listed)]
    assert not missing, f"list these in tests/advice.toml, each with its test: {missing}"
    gone = [part for part in listed if not any(part in text for text in advised)]
    assert not gone, f"take these out of tests/advice.toml: {gone}"


def test_advice_is_followed_by_tests_that_exist_or_cannot_be() -> None:
    used = set()
    for file, parts in LISTED.items():
        for part, tried in parts.items():
            for name in [tried] if isinstance(tried, str) else tried:
                assert name in TESTS | UNTRIED.keys(), f"{file}: {part!r} is tried by {name!r}"
                used.add(name)
    assert used >= UNTRIED.keys()
