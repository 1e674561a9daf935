"""Convolutions as nearly every network of the challenge uses them: padding that keeps H and W."""

from functools import partial

from torch import Tensor, nn


def conv3x3(
    in_channels: int, out_channels: int, *, groups: int = 1, bias: bool = True
) -> nn.Conv2d:
    """3x3, stride 1, zero padding 1: ``[N, Ci, H, W] -> [N, Co, H, W]``, an ``nn.Conv2d``."""
    return nn.Conv2d(in_channels, out_channels, 3, padding=1, groups=groups, bias=bias)


def conv1x1(in_channels: int, out_channels: int, *, bias: bool = True) -> nn.Conv2d:
    """1x1: ``[N, Ci, H, W] -> [N, Co, H, W]``."""
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
    """One ``kernel x kernel`` filter (a pair: rows x columns) for each channel, padded on all sides
    as ``padding_mode`` says ("zeros", or "reflect": mirrored without the edge pixel).

    ``[N, C, H, W] -> [N, C, ceil(H / stride), ceil(W / stride)]`` for odd kernels.
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
        padding_mode=padding_mode,  # type: ignore[arg-type]
    )


def same_padding(convolution: nn.Conv2d) -> nn.Conv2d:
    """``convolution``, whose padding keeps H and W, with that padding under the name "same".

    It computes what it did. But fvcore, whose FLOPs are the official ones, passes over padding by
    that name, and some networks' official counts lack what their convolutions so padded cost.
    """
    convolution.padding = "same"
    return convolution


class BSConv(nn.Module):
    """Blueprint-separable convolution: ``dw(pw(x))``, 1x1 without bias, then depthwise 3x3 with it.

    ``padding_mode`` pads what stands between the two, "zeros" or "reflect"; ``stride`` is that of
    the depthwise half.

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
        """``[N, Ci, H, W] -> [N, Co, ceil(H / stride), ceil(W / stride)]``."""
        return self.dw(self.pw(x))


mirrored_bsconv = partial(BSConv, padding_mode="reflect")


def pixel_shuffle_upsampler(
    in_channels: int, out_channels: int, scale: int, *, bias: bool = True
) -> nn.Sequential:
    """conv3x3 to ``out_channels * scale**2`` maps, then pixel shuffle (keys ``0.weight, 0.bias``).

    ``[N, Ci, H, W] -> [N, Co, scale*H, scale*W]`` with
    ``out[n, c, s*y + i, s*x + j] = conv[n, s*s*c + s*i + j, y, x]``.
    """
    convolution = conv3x3(in_channels, out_channels * scale * scale, bias=bias)
    return nn.Sequential(convolution, nn.PixelShuffle(scale))
