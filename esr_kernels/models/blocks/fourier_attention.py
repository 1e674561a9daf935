"""Pixel attention whose map is computed in the Fourier domain."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import handle_torch_function, has_torch_function_unary

from .convolution import conv1x1

SLOPE = 0.2


class FourierAttention(nn.Module):
    """Pixel attention in the Fourier domain: ``u * irfft2(m(re(z)) + i m(im(z)))``.

    ``z = rfft2(u)``, and both transforms are orthonormal.
    ``m(v) = v + conv_layer3(lrelu(conv_layer2(lrelu(conv_layer1(v)))))`` with 1x1 convolutions
    ``channels -> hidden -> hidden -> channels`` and slope 0.2, the same for both parts. Because of
    their biases the result is not the spectrum of a real map: the inverse is complex along the
    columns, then real along the rows, which ignores the imaginary parts of the first and the middle
    frequency.

    The transforms are computed in float32 at least. In float16 the convolutions between them are
    not: the spectrum grows with sqrt(H * W), and that of a large picture exceeds float16's range.

    Source: NTIRE 2024 efficient SR report, section 4.7 (LKFN).
    """

    def __init__(self, channels: int, hidden: int):
        super().__init__()
        self.conv_layer1 = conv1x1(channels, hidden)
        self.conv_layer2 = conv1x1(hidden, hidden)
        self.conv_layer3 = conv1x1(hidden, channels)

    def forward(self, u: Tensor) -> Tensor:
        """Map ``[N, C, H, W]`` to ``[N, C, H, W]``, any H and W."""
        z = torch.fft.rfft2(_widened(u), norm="ortho")
        real, imaginary = (_widened(self._mixed(part.type_as(u))) for part in (z.real, z.imag))
        columns = torch.fft.ifft(torch.complex(real, imaginary), dim=-2, norm="ortho")
        return u * torch.fft.irfft(columns, n=u.shape[-1], norm="ortho").type_as(u)

    def _mixed(self, v: Tensor) -> Tensor:
        hidden = F.leaky_relu(self.conv_layer1(v), SLOPE)
        return v + self.conv_layer3(F.leaky_relu(self.conv_layer2(hidden), SLOPE))


def _widened(x: Tensor) -> Tensor:
    """Convert half precision, which transforms do not support, to float32.

    As in ``check_picture``, ``torch.fx`` records one node and meets no branch on the dtype.
    """
    if has_torch_function_unary(x):
        return handle_torch_function(_widened, (x,), x)
    return x.to(torch.promote_types(x.dtype, torch.float32))
