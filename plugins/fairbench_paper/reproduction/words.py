"""Numbers in words, alike everywhere in the report."""

from __future__ import annotations

from fairbench_paper.reproduction.results import Correlation, Quantity, Spread

__all__ = ["correlation", "interval", "number", "per_cent", "percentile", "printed", "ranged"]


def number(value: float, /) -> str:
    """Three significant digits, never in powers of ten where readers expect none."""
    if value and not 1e-4 <= abs(value) < 1e5:
        return f"{value:.2e}"
    text = f"{value:#.3g}" if abs(value) < 1000 else f"{value:.0f}"
    return text.rstrip(".")


def printed(value: float, /) -> str:
    """A figure of the paper, to at most four significant digits."""
    return f"{value:.4g}"


def per_cent(share: float, /, signed: bool = False) -> str:
    """A share as per cent."""
    return f"{100 * share:+.1f} %" if signed else f"{100 * share:.1f} %"


def ranged(spread: Spread, /, as_share: bool = False) -> str:
    """Median with its 5th and 95th percentile."""
    show = per_cent if as_share else number
    return f"{show(spread.median)} ({show(spread.low)} to {show(spread.high)})"


def interval(low: float | None, high: float | None, /) -> str:
    """A 95 % interval; a dash where there were too few splits for one."""
    return "–" if low is None or high is None else f"{low:+.3g} to {high:+.3g}"


def percentile(quantity: Quantity, /) -> str:
    """Say where the paper's figure lies among ours."""
    if quantity.percentile <= 0:
        return "below all"
    if quantity.percentile >= 100:
        return "above all"
    place = f"{quantity.percentile:.0f}"
    teen = len(place) > 1 and place[-2] == "1"
    return place + ("th" if teen else {"1": "st", "2": "nd", "3": "rd"}.get(place[-1], "th"))


def correlation(found: Correlation, /) -> str:
    """Spearman's ρ with its interval and sign count."""
    return (
        f"ρ = {found.mean:+.2f}, 95 % interval {interval(found.low, found.high)}, "
        f"positive on {found.rising} of {found.splits} splits"
    )
