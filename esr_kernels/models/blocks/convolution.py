"""Convolutions as nearly every network of the challenge has them: padding keeps H and W."""

from functools import partial

from torch import Tensor, nn


def conv3x3(
    in_channels: int, out_channels: int, *, groups: int = 1, bias: bool = True
) -> nn.Conv2d:
    """Make a 3x3 convolution, stride 1, zero padding 1: ``[N, Ci, H, W]`` to ``[N, Co, H, W]``."""
    return nn.Conv2d(in_channels, out_channels, 3, padding=1, groups=groups, bias=bias)


def conv1x1(in_channels: int, out_channels: int, *, bias: bool = True) -> nn.Conv2d:
    """Make a 1x1 convolution: ``[N, Ci, H, W]`` to ``[N, Co, H, W]``."""
    return nn.Conv2d(in_channels, out_channels, 1, bias=bias)


def depthwise(
    channels: int,
    kernel: int | tuple[int, int] = 3,
    *,
    stride: int = 1,
    dilation: int = 1,
    padding_mode: str = "zeros",
    bias: bool = True,
) -> nn.Conv2d:
    """Make a depthwise convolution, padded on all sides.

    It maps ``[N, C, H, W]`` to ``[N, C, ceil(H / stride), ceil(W / stride)]`` for odd kernels.

    Args:
        channels: The number of channels.
        kernel: The size of the kernel, or its rows and columns.
        stride: The stride.
        dilation: The dilation.
        padding_mode: "zeros", or "reflect": mirrored without the edge pixel.
        bias: Add a bias.
    """
    rows, columns = kernel if isinstance(kernel, tuple) else (kernel, kernel)
    return nn.Conv2d(
        channels,
        channels,
        kernel,
        stride=stride,
        padding=(dilation * (rows // 2), dilation * (columns // 2)),
        dilation=dilation,
        groups=channels,
        bias=bias,
        padding_mode=padding_mode,
    )


def same_padding(convolution: nn.Conv2d) -> nn.Conv2d:
    """Rename the padding of ``convolution``, which keeps H and W, to "same", and return it.

    The results do not change. But fvcore, whose FLOPs are the official ones, counts nothing for a
    convolution with that padding, and so some networks' official counts are too low.
    """
    convolution.padding = "same"
    return convolution


class BSConv(nn.Module):
    """Blueprint-separable convolution: ``dw(pw(x))``, 1x1 without bias, then depthwise 3x3 with it.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the result.
        stride: The stride of the depthwise convolution.
        padding_mode: The padding of the depthwise convolution, "zeros" or "reflect".

    Source: Haase and Amthor, "Rethinking Depthwise Separable Convolutions: How Intra-Kernel
    Correlations Lead to Improved MobileNets", 2020, the unconstrained form.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        stride: int = 1,
        padding_mode: str = "zeros",
    ):
        super().__init__()
        self.pw = conv1x1(in_channels, out_channels, bias=False)
        self.dw = depthwise(out_channels, stride=stride, padding_mode=padding_mode)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[N, Ci, H, W]`` to ``[N, Co, ceil(H / stride), ceil(W / stride)]``."""
        return self.dw(self.pw(x))


mirrored_bsconv = partial(BSConv, padding_mode="reflect")


def pixel_shuffle_upsampler(
    in_channels: int, out_channels: int, scale: int, *, bias: bool = True
) -> nn.Sequential:
    """Make a conv3x3 to ``out_channels * scale**2`` maps and a pixel shuffle.

    It maps ``[N, Ci, H, W]`` to ``[N, Co, scale*H, scale*W]`` with
    ``out[n, c, s*y + i, s*x + j] = conv[n, s*s*c + s*i + j, y, x]``. The keys of its parameters are
    ``0.weight`` and ``0.bias``.
    """
    convolution = conv3x3(in_channels, out_channels * scale * scale, bias=bias)
    return nn.Sequential(convolution, nn.PixelShuffle(scale))
