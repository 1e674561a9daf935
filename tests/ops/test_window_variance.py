"""``window_variance`` by itself."""

from __future__ import annotations

import torch
from of_one_picture import OfOnePicture

from esr_kernels import ops


class TestWindowVariance(OfOnePicture):
    op = ops.WINDOW_VARIANCE
    cases = ((5, 3, 1), (7, 3, 1), (2, 1, 0), (8, 2, 2))  # kernel, stride, padding
    refused = (
        (ValueError, "at least 3x3; pad the picture", 0, torch.rand(1, 5, 2, 9)),
        (ValueError, "kernel is 1, stride 3", 1, 1),
        (ValueError, "stride 0 and padding 1, expected 2, 1 and 0", 2, 0),
        (ValueError, "padding is 2, expected less than a third of the kernel 5", 3, 2),
    )

    def call(self, x, kernel, stride, padding):
        return ops.window_variance(x, kernel, stride, padding=padding)
