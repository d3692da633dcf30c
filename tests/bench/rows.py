"""How a result looks."""

import statistics
from collections.abc import Sequence


def row(what: str, value: float, unit: str, budget: str = "") -> dict[str, object]:
    """Return one result."""
    out: dict[str, object] = {"what": what, "value": value, "unit": unit}
    if budget:
        out["budget"] = budget
    return out


def median(what: str, values: Sequence[float], unit: str, budget: str = "") -> dict[str, object]:
    """Return the median of several runs, with the lowest and the highest."""
    out = row(what, statistics.median(values), unit, budget)
    out["spread"] = f"({len(values)} runs, {min(values):,.0f} to {max(values):,.0f})"
    return out
