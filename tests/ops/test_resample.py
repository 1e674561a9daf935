"""``resample`` by itself."""

from __future__ import annotations

import torch
from of_one_picture import OfOnePicture

from esr_kernels import ops


class TestResample(OfOnePicture):
    op = ops.RESAMPLE
    #: Size of what to be like or None, factor, mode.
    cases = (
        ((31, 33), 1, "bilinear"),
        ((5, 40), 1, "nearest"),
        (None, 2, "nearest"),
        (None, 3, "bilinear"),
    )
    refused = (
        (TypeError, "like must be a torch.Tensor or None", 1, (9, 9)),
        (TypeError, "like is float64 but x is float32", 1, torch.rand(2, 3, 9, 9).double()),
        (ValueError, "like has 1 pictures, but x has 2", 1, torch.rand(1, 3, 9, 9)),
        (ValueError, "mode is 'cubic', expected one of", 3, "cubic"),
    )

    def rest(self, x, case):
        size, *how = case
        return None if size is None else x.new_ones(x.shape[0], 3, *size), *how

    def call(self, x, like, factor, mode):
        return ops.resample(x, like, factor=factor, mode=mode)
