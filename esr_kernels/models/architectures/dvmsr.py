"""DVMSR, the distilled vision Mamba for super-resolution (team 07)."""

from collections import OrderedDict

from torch import Tensor, nn

from ..blocks import Mamba, check_picture, conv3x3, pixel_shuffle_upsampler, register_mean
from ..network import Network, Shapes, Upscaler
from ..shapes import blocks, scale_and_channels, vote


class DVMSR(Upscaler):
    """Distilled Vision Mamba for efficient Super-Resolution, the student.

    With pixels row by row as tokens: ``F0 = conv_first(x - mean)``, ``T = norm(F0)``, then
    ``groups`` times ``T = conv(blocks(T)) + T``, where a block is ``mixer(norm(T))``, a Mamba
    without a skip of its own; the output is ``mean`` added to the pixel shuffle of a last 3x3
    convolution of ``conv_after_body(norm_f(T)) + F0``. Each pixel depends on all before it.

    The challenge's network is ``DVMSR()``: 424 428 parameters.

    Args:
        width: Channels of the backbone.

    Source: Lei et al., "DVMSR: Distillated Vision Mamba for Efficient Super-Resolution", 2024;
    NTIRE 2024 efficient SR report, section 4.24.
    """

    name = "dvmsr"
    mean: Tensor

    def __init__(self, width: int = 60, *, groups: int = 4, blocks: int = 2, scale: int = 4):
        super().__init__(scale=scale, in_channels=3, out_channels=3)
        register_mean(self)
        self.conv_first = conv3x3(3, width)
        self.patch_embed = nn.Sequential(OrderedDict(norm=nn.LayerNorm(width)))
        self.layers = nn.ModuleList(MambaGroup(width, blocks) for _ in range(groups))
        self.norm_f = nn.LayerNorm(width)
        self.conv_after_body = conv3x3(width, width)
        self.upsample = pixel_shuffle_upsampler(width, 3, scale)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[N, 3, H, W]`` in [0, 1] to ``[N, 3, scale*H, scale*W]``, not clamped.

        H and W may be any numbers from 1.

        Raises:
            ValueError: The rank or channel count is wrong, or the batch is empty.
        """
        x = check_picture(x, self.in_channels, self.min_size)
        first = self.conv_first(x - self.mean)
        tokens = self.patch_embed(_tokens(first))
        for group in self.layers:
            tokens = group(tokens, first)
        body = self.conv_after_body(_map(self.norm_f(tokens), first))
        return self.upsample(body + first) + self.mean


class MambaGroup(nn.Module):
    """Group of blocks on tokens: ``conv(blocks(T)) + T``, with the convolution on their map."""

    def __init__(self, width: int, blocks: int):
        super().__init__()
        parts = nn.Sequential(*(MambaBlock(width) for _ in range(blocks)))
        self.residual_group = nn.Sequential(OrderedDict(blocks=parts))
        self.conv = conv3x3(width, width)

    def forward(self, tokens: Tensor, like: Tensor) -> Tensor:
        """Map tokens ``[N, H * W, C]`` to the same shape; H and W are those of ``like``."""
        mixed = self.residual_group(tokens)
        return _tokens(self.conv(_map(mixed, like))) + tokens


class MambaBlock(nn.Module):
    """Block on tokens: ``mixer(norm(T))``, without a skip, as the weights were trained."""

    def __init__(self, width: int):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.mixer = Mamba(width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map ``[N, L, C]`` to the same shape."""
        return self.mixer(self.norm(tokens))


def _tokens(features: Tensor) -> Tensor:
    return features.flatten(2).mT


def _map(tokens: Tensor, like: Tensor) -> Tensor:
    return tokens.mT.reshape(like.shape)


def _detect(shapes: Shapes) -> dict | None:
    part = r"layers\.\d+\.residual_group\.blocks\.\d+\.mixer\."
    width = vote(shapes, part + r"out_proj\.weight", 0)
    if width is None:
        return None
    scale, _ = scale_and_channels(shapes, "upsample.0.weight", 3)
    return {
        "width": width,
        "groups": blocks(shapes, r"layers\.(\d+)\.") + 1,
        "blocks": blocks(shapes, r"layers\.\d+\.residual_group\.blocks\.(\d+)\.") + 1,
        "scale": scale,
    }


NETWORK = Network(
    name="dvmsr",
    title="Distilled Vision Mamba",
    paper='Lei et al., "DVMSR: Distillated Vision Mamba for Efficient Super-Resolution", 2024',
    build=DVMSR,
    detect=_detect,
)
