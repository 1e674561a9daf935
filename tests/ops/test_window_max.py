"""``window_max`` by itself."""

from __future__ import annotations

import torch
from of_one_picture import OfOnePicture

from esr_kernels import ops


class TestWindowMax(OfOnePicture):
    op = ops.WINDOW_MAX
    cases = ((3, 2), (2, 2), (7, 1), (0, 1), (0, 3), (0, 8))  # kernel, stride
    refused = (
        (ValueError, "at least 3x3; pad the picture", 0, torch.rand(1, 5, 2, 9)),
        (ValueError, "kernel is -1", 1, -1),
        (ValueError, "stride 0, expected 0 and 1", 2, 0),
    )

    def call(self, *args):
        return ops.window_max(*args)
