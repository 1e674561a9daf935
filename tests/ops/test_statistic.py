"""``statistic`` by itself."""

from __future__ import annotations

from of_one_picture import OfOnePicture

from esr_kernels import ops


class TestStatistic(OfOnePicture):
    op = ops.STATISTIC
    cases = (("var", 1), ("var", 0), ("mean", 0), ("std", 0), ("std", 1))
    refused = (
        (ValueError, "measure is 'median', expected one of", 1, "median"),
        (ValueError, "correction is 2, expected 0 or 1", 2, 2),
    )

    def call(self, x, measure, correction):
        return ops.statistic(x, measure, correction=correction)
