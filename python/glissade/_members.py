"""Lists of what there is: methods, estimators, measures, ..., from the library's own tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ._errors import BadInputError
from ._library import Context


@dataclass(frozen=True, slots=True)
class Option:
    """An option: its key, default as text (None: none), one line of help, and what its value must be, in words.

    whole: of a method: it belongs to all parameters, so that a group may not set it. schedulable: it may change along
    the way.
    """

    key: str
    default: str | None
    help: str
    expects: str
    whole: bool
    schedulable: bool


@dataclass(frozen=True, slots=True)
class Member:
    """A method, estimator, measure, ...: its name, one line of help, paper and equation, and its options."""

    name: str
    help: str
    source: str
    options: tuple[Option, ...]


def _options(context: Context, table: Any) -> tuple[Option, ...]:
    library, found, i = context.library, [], 0
    expects = library.ffi.new("char[]", 400)
    while table != library.ffi.NULL and table[i].key != library.ffi.NULL:
        raw = table + i
        i += 1
        if raw.flags & library.lib.GLS_OPTION_HIDDEN:
            continue
        library.lib.gls_option_describe(raw, expects, 400)
        default = library.optional_text(raw.initial)
        flags = [bool(raw.flags & flag) for flag in (library.lib.GLS_OPTION_WHOLE, library.lib.GLS_OPTION_SCHEDULABLE)]
        found.append(Option(library.text(raw.key), default, library.text(raw.help), library.text(expects), *flags))
    return tuple(found)


def _member(context: Context, raw: Any) -> Member:
    library = context.library
    return Member(
        library.text(raw.name), library.text(raw.help), library.text(raw.source), _options(context, raw.options)
    )


def _all(context: Context) -> dict[str, list[Member]]:
    lib, library = context.library.lib, context.library
    found: dict[str, list[Member]] = {}
    for kind in range(lib.GLS_KIND_COUNT):
        word, i = library.optional_text(lib.gls_kind_name(kind)), 0
        while word and (raw := lib.gls_members_at(context.pointer, kind, i)) != library.ffi.NULL:
            found.setdefault(word, []).append(_member(context, raw))
            i += 1
    i = 0
    while (theorem := lib.gls_theorem_at(i)) != library.ffi.NULL:
        found.setdefault("theorems", []).append(_member(context, theorem.member))
        i += 1
    i = 0
    while (preset := lib.gls_preset_at(i)) != library.ffi.NULL:
        found.setdefault("presets", []).append(Member(library.text(preset.name), library.text(preset.help), "", ()))
        i += 1
    return found


def members(kind: str) -> tuple[Member, ...]:
    """What there is of a kind, in the library's order; exported as `glissade.list`.

    Args:
        kind: "methods", "estimators", "measures", "models", "problems", "data", "transforms", "schedules", "noises",
            "theorems" or "presets".

    Raises:
        BadInputError: any other word.

    >>> [m.name for m in glissade.list("methods")][:2]
    ['sgd', 'msgd']
    """
    with Context("float64", threads=1) as context:
        found = _all(context)
    if kind not in found:
        raise BadInputError(f"list '{kind}': expected one of {', '.join(found)}")
    return tuple(found[kind])
