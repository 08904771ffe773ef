"""Figures with intervals, estimated from independent histories."""

import math
from typing import NamedTuple

# Standard errors on each side: about 1 in 16,000 correct figures lies outside.
Z = 4.0


class Figure(NamedTuple):
    value: float
    low: float
    high: float

    @staticmethod
    def exact(value):
        """A deterministic figure: the interval allows for rounding."""
        return Figure(value, value * (1 - 1e-9), value * (1 + 1e-9))

    def map(self, function):
        """`function` must be monotonic."""
        ends = [function(self.low), function(self.high)]
        return Figure(function(self.value), min(ends), max(ends))

    def times(self, factor):
        return self.map(lambda value: value * factor)

    def plus(self, other):
        return Figure(*(a + b for a, b in zip(self, other)))


class Ratio:
    """sum(y) / sum(x) over independent histories, each of which adds one pair."""

    def __init__(self):
        self.pairs = []

    def add(self, y, x=1.0):
        self.pairs.append((y, x))

    def figure(self, slack=0.0):
        """A share that was never seen, or always, has no spread: `slack` is for those."""
        count, over = len(self.pairs), sum(x for _, x in self.pairs)
        value = sum(y for y, _ in self.pairs) / over
        squares = sum((y - value * x) ** 2 for y, x in self.pairs)
        half = Z * math.sqrt(squares * count / (count - 1)) / over + slack + 1e-9 * value
        return Figure(value, value - half, value + half)


def quantile(histories, share):
    """A quantile of the values in the lists of independent histories."""
    ordered = sorted(value for history in histories for value in history)
    at = lambda p: ordered[min(len(ordered) - 1, max(0, int(p * len(ordered))))]
    below = Ratio()
    for history in histories:
        below.add(sum(value <= at(share) for value in history), len(history))
    half = below.figure().high - below.figure().value + 1 / len(ordered)
    return Figure(at(share), at(share - half), at(share + half))
