"""``strided_conv3x3`` by itself."""

from __future__ import annotations

import torch
from of_one_picture import OfOnePicture
from operands import conv_weights

from esr_kernels import ops


class TestStridedConv3x3(OfOnePicture):
    op = ops.STRIDED_CONV3X3
    cases = ((26, True), (3, False), (1, True))  # output channels, bias
    refused = (
        (ValueError, "at least 3x3; pad the picture", 0, torch.rand(1, 5, 2, 9)),
        (ValueError, "weight has a 1x1 kernel, expected 3x3", 1, torch.rand(26, 5, 1, 1)),
        (ValueError, "so it takes 4 channels, but is given 5", 1, torch.rand(26, 4, 3, 3)),
        (ValueError, "bias has shape [3], expected [26]", 2, torch.rand(3)),
    )

    def rest(self, x, case):
        channels, has_bias = case
        weight, bias = conv_weights(channels, x.shape[1], 3, x.dtype)
        return weight, bias if has_bias else None

    def call(self, *args):
        return ops.strided_conv3x3(*args)
