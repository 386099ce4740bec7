"""Figures with their aims, as a table for people and as JSON for machines."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any


def p95(values: Sequence[float]) -> float:
    return statistics.quantiles(values, n=20, method="inclusive")[18] if len(values) > 1 else values[0]


@dataclass(frozen=True, slots=True)
class Figure:
    """`aim` is the most (with `more_is_better` the least) that `judged` may be; None where nothing is asked."""

    name: str
    unit: str
    median: float
    p95: float | None = None
    peer_median: float | None = None
    peer_p95: float | None = None
    aim: float | None = None
    judged: str = "p95"
    more_is_better: bool = False

    @classmethod
    def of(cls, name: str, seconds: Sequence[float], peer: Sequence[float] = (), **options: Any) -> "Figure":
        """In milliseconds, from measurements in seconds."""
        theirs = (statistics.median(peer) * 1000, p95(peer) * 1000) if peer else (None, None)
        return cls(name, "ms", statistics.median(seconds) * 1000, p95(seconds) * 1000, *theirs, **options)

    @property
    def ratio(self) -> float | None:
        """None where the peer's figure is no duration: kubectl ends before the old pods are gone."""
        return self.median / self.peer_median if self.peer_median and self.peer_median > 0 else None

    @property
    def is_met(self) -> bool | None:
        value = {"p95": self.p95, "median": self.median, "ratio": self.ratio}[self.judged]
        if self.aim is None or value is None:
            return None
        return value >= self.aim if self.more_is_better else value <= self.aim

    def as_row(self) -> dict[str, Any]:
        return asdict(self) | {"ratio": self.ratio, "met": self.is_met}


HEADS = ("figure", "ours p50", "p95", "peer p50", "p95", "ratio", "goal", "")


def table(groups: Mapping[str, Sequence[Figure]]) -> str:
    """One table, a heading for each group."""
    rows = [_cells(figure) for figures in groups.values() for figure in figures]
    widths = [max(len(row[column]) for row in [HEADS, *rows]) for column in range(len(HEADS))]

    def line(cells: Sequence[str]) -> str:
        return "  ".join(map(_padded, cells, widths, range(len(HEADS)))).rstrip()

    rule = "-" * max(map(len, map(line, [HEADS, *rows])))
    lines = [line(HEADS), rule]
    for name, figures in groups.items():
        lines += [f"{name}:", *(line(_cells(figure)) for figure in figures)]
    return "\n".join(lines)


def _cells(figure: Figure) -> tuple[str, ...]:
    met = {True: "met", False: "MISSED", None: ""}[figure.is_met]
    sign = "≥" if figure.more_is_better else "≤"
    unit = "" if figure.judged == "ratio" else f" {figure.unit}"
    aim = "" if figure.aim is None else f"{figure.judged} {sign} {figure.aim:g}{unit}"
    numbers = [_number(value) for value in (figure.median, figure.p95, figure.peer_median, figure.peer_p95)]
    ratio = "" if figure.ratio is None else f"{figure.ratio:.2f}×"
    return (f"{figure.name} [{figure.unit}]", *numbers, ratio, aim, met)


def _number(value: float | None) -> str:
    return "" if value is None else (f"{value:.0f}" if value >= 100 else f"{value:.1f}")


def _padded(cell: str, width: int, column: int) -> str:
    return cell.rjust(width) if 0 < column < 6 else cell.ljust(width)
