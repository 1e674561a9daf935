"""``window_max`` by itself."""

from __future__ import annotations

import torch
from of_one_picture import OfOnePicture

from esr_kernels import ops


class TestWindowMax(OfOnePicture):
    op = ops.WINDOW_MAX
    cases = (  # kernel, stride, padding
        *((3, 2, 0), (2, 2, 0), (7, 1, 0), (3, 2, 1), (5, 1, 2), (2, 2, 1), (1, 3, 0)),
        *((0, 1, 0), (0, 3, 0), (0, 8, 0)),
    )
    refused = (
        (ValueError, "at least 3x3; pad the picture", 0, torch.rand(1, 5, 2, 9)),
        (ValueError, "kernel is -1", 1, -1),
        (ValueError, "stride 0, expected 0 and 1", 2, 0),
        (ValueError, "padding is 2, expected 0 to half of the kernel, 1", 3, 2),
        (ValueError, "padding is -1", 3, -1),
    )

    def call(self, x, kernel, stride, padding):
        return ops.window_max(x, kernel, stride, padding=padding)
