"""Settings that are one of a few words."""

from __future__ import annotations

from collections.abc import Iterable

from edgepack.core.errors import ConfigError
from edgepack.core.wording import choose_one_of


def require_one_of(setting: str, value: str, known: Iterable[str]) -> None:
    """Raise :class:`ConfigError` for a value that is not among the known ones."""
    words = [*known]
    if value not in words:
        raise ConfigError(f"{setting} {value!r}: {choose_one_of(value, words)}")
