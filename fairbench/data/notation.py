"""Texts that are numbers, dates or booleans in some notation, told from all of them together.

A notation is accepted only where every text of the column is written in it, so that no cell is
guessed at alone. Everything works on the different texts of a column, not on its cells.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from fairbench.dataset import FloatArray

__all__ = ["Notation", "Parsed", "booleans", "dates", "formatted", "plain", "whole"]

PLAIN = r"(?i)^[+-]?((\d+\.?\d*|\.\d+)(e[+-]?\d+)?|inf(inity)?)$"
INTEGER = r"^[+-]?\d{1,38}$"
ISO = r"^\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?$"
CURRENCIES = "$€£¥₹"
SPACES = r"[\x{00A0}\x{2009}\x{202F}]"
DAY = 86_400_000_000
"""Microseconds."""

STYLES = (
    ("", "."),
    (",", "."),
    (".", ","),
    (" ", "."),
    (" ", ","),
    ("'", "."),
    ("'", ","),
)
"""Separators of thousands and of decimals; the first that fits every text is taken."""

CALLED = {",": "comma", ".": "point", " ": "space", "'": "apostrophe"}


@dataclass(frozen=True, slots=True)
class Notation:
    """The separators that the user names; empty where the texts are to tell."""

    decimal: str = ""
    thousands: str = ""

    @property
    def styles(self) -> tuple[tuple[str, str], ...]:
        """The pairs that may be tried."""
        if not self.decimal and not self.thousands:
            return STYLES
        decimal = self.decimal or ("," if self.thousands == "." else ".")
        return ((self.thousands or ("." if decimal == "," else ","), decimal),)


@dataclass(frozen=True, slots=True)
class Parsed:
    """Numbers of k different texts, and in words how they were written.

    `ambiguous` where a comma before three digits could as well be a decimal comma; `proves`
    the separator of decimals that the texts leave no doubt about, if any.
    """

    values: FloatArray
    how: str
    ambiguous: bool = False
    proves: str = ""


def plain(texts: pa.Array) -> NDArray[np.bool_]:
    """(k,) bool: which texts are numbers with a decimal point and nothing else."""
    import pyarrow.compute as pc

    return np.asarray(pc.match_substring_regex(texts, PLAIN), dtype=bool)


def whole(texts: pa.Array) -> list[int] | None:
    """Integers of any size up to 38 digits, where every text is one."""
    import pyarrow.compute as pc

    if not _all(pc.match_substring_regex(texts, INTEGER)):
        return None
    return [int(text) for text in texts.to_pylist()]


def formatted(texts: pa.Array, notation: Notation) -> Parsed | None:
    """Numbers with separators, a currency or percent sign, or negative ones in parentheses."""
    import pyarrow as pa
    import pyarrow.compute as pc

    bare = _bared(texts)
    if bare is None:
        return None
    numbers, signs = bare
    fitting = [s for s in notation.styles if _all(pc.match_substring_regex(numbers, _pattern(*s)))]
    if not fitting:
        return None
    thousands, decimal = fitting[0]
    grouped = bool(thousands) and _any(pc.match_substring(numbers, thousands))
    pointed = _any(pc.match_substring(numbers, decimal))
    how = [f"{CALLED.get(thousands, thousands)} between thousands"] if grouped else []
    how += [f"decimal {CALLED.get(decimal, decimal)}"] if pointed and decimal != "." else []
    values = pc.replace_substring(numbers, thousands, "") if thousands else numbers
    values = pc.replace_substring(values, decimal, ".")
    return Parsed(
        np.asarray(pc.cast(values, pa.float64()), dtype=np.float64),
        ", ".join([*how, *signs]),
        ambiguous=(",", ".") in fitting and (".", ",") in fitting and fitting[0] != ("", "."),
        proves=decimal if len({d for _, d in fitting}) == 1 and pointed else "",
    )


def dates(texts: pa.Array) -> FloatArray | None:
    """Days since 1970-01-01, times of day as fractions, where every text is an ISO date."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not _all(pc.match_substring_regex(texts, ISO)):
        return None
    cut = pc.replace_substring_regex(texts, r"(\.\d{6})\d+", r"\1")  # microseconds are enough
    for kind in (pa.timestamp("us"), pa.timestamp("us", tz="UTC")):
        try:
            moments = pc.cast(pc.cast(cut, kind), pa.int64())
        except pa.ArrowInvalid:
            continue
        return np.asarray(moments, dtype=np.float64) / DAY
    return None


def booleans(texts: pa.Array, *, answers: bool) -> Parsed | None:
    """1 for true and 0 for false, where every text is one of them; `answers` allows yes and no."""
    words = {text.lower() for text in texts.to_pylist()} if len(texts) <= 6 else set()
    pairs = [("false", "true")] + ([("no", "yes"), ("n", "y")] if answers else [])
    for no, yes in pairs:
        if words and words <= {no, yes}:
            values = np.array([float(text.lower() == yes) for text in texts.to_pylist()])
            return Parsed(values, "" if yes == "true" else f"{yes} as 1 and {no} as 0")
    return None


def _bared(texts: pa.Array) -> tuple[pa.Array, list[str]] | None:
    """Texts without signs around their numbers, and which those were; None where they vary."""
    import pyarrow.compute as pc

    bare, signs = pc.replace_substring(texts, "−", "-"), []
    bare = pc.replace_substring(pc.replace_substring_regex(bare, SPACES, " "), "’", "'")
    if _any(pc.match_substring_regex(bare, r"^\(.*\)$")):
        bare = pc.replace_substring_regex(bare, r"^\((.*)\)$", r"-\1")
        signs.append("negative in parentheses")
    found = [sign for sign in CURRENCIES if _any(pc.match_substring(bare, sign))]
    if len(found) > 1:
        return None
    for sign in found:
        escaped = re.escape(sign)
        bare = pc.replace_substring_regex(bare, rf"^([+-]?) *{escaped} *", r"\1")
        bare = pc.replace_substring_regex(bare, rf" *{escaped}$", "")
        signs.append(f"in {sign}")
    percent = pc.match_substring_regex(bare, r"%$")
    if _any(percent):
        if not _all(percent):
            return None
        bare = pc.replace_substring_regex(bare, r" *%$", "")
        signs.append("in per cent")
    return bare, signs


def _pattern(thousands: str, decimal: str) -> str:
    t, d = re.escape(thousands), re.escape(decimal)
    grouped = rf"[1-9]\d{{0,2}}({t}\d{{3}})+|" if thousands else ""
    return rf"(?i)^[+-]?(({grouped}\d+)({d}\d*)?|{d}\d+)(e[+-]?\d+)?$"


def _all(mask: pa.Array) -> bool:
    return bool(np.asarray(mask).all())


def _any(mask: pa.Array) -> bool:
    return bool(np.asarray(mask).any())
