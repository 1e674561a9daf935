"""``strided_conv`` by itself."""

from __future__ import annotations

import torch
from of_one_picture import OfOnePicture
from operands import conv_weights

from esr_kernels import ops


class TestStridedConv(OfOnePicture):
    op = ops.STRIDED_CONV
    cases = (  # output channels, bias, kernel, padding
        *((26, True, 3, 0), (3, False, 2, 0), (1, True, 3, 1), (48, False, 4, 1), (7, True, 2, 0)),
    )
    refused = (
        (ValueError, "at least 3x3; pad the picture", 0, torch.rand(1, 5, 2, 9)),
        (ValueError, "weight has a 1x1 kernel, expected 2x2", 1, torch.rand(26, 5, 1, 1)),
        (ValueError, "a 4x4 kernel has a padding of 1 here, not 0", 1, torch.rand(26, 5, 4, 4)),
        (ValueError, "a 3x3 kernel has a padding of 0, 1 here, not 2", 3, 2),
        (ValueError, "so it takes 4 channels, but is given 5", 1, torch.rand(26, 4, 3, 3)),
        (ValueError, "bias has shape [3], expected [26]", 2, torch.rand(3)),
    )

    def rest(self, x, case):
        channels, has_bias, kernel, padding = case
        weight, bias = conv_weights(channels, x.shape[1], kernel, x.dtype)
        return weight, bias if has_bias else None, padding

    def call(self, x, weight, bias, padding):
        return ops.strided_conv(x, weight, bias, padding=padding)
