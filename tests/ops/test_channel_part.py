"""``channel_part`` by itself."""

from __future__ import annotations

from of_one_picture import OfOnePicture

from esr_kernels import ops


class TestChannelPart(OfOnePicture):
    op = ops.CHANNEL_PART
    cases = ((0, 1), (0.5, 0.5), (0.2, 0.3))  # shares of the channels
    refused = (
        (ValueError, "x has 5 channels, but 6 from number 0", 2, 6),
        (ValueError, "x has 5 channels, but 5 from number -1", 1, -1),
        (ValueError, "x has 5 channels, but 0 from number 0", 2, 0),
    )

    def rest(self, x, case):
        first, count = (int(share * x.shape[1]) for share in case)
        return first, max(1, count)

    def call(self, *args):
        return ops.channel_part(*args)
