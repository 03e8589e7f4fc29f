"""Named figures of the library as dicts."""

from __future__ import annotations

from typing import Any

from ._library import Library


def to_dict(library: Library, record: Any) -> dict[str, float]:
    """The figures of a gls_record by name."""
    return {library.text(record.name[i]): record.value[i] for i in range(record.count)}
