"""Backbone of RLFN and its relatives: blocks under one long skip connection."""

from collections.abc import Iterable, Mapping

from torch import Tensor, nn

from ..blocks import ESA_MIN_SIZE, check_picture, conv3x3, pixel_shuffle_upsampler
from ..network import Shapes, Upscaler
from ..shapes import blocks, scale_and_channels, vote


class ResidualBackbone(Upscaler):
    """Backbone with one long skip connection: ``L = conv_2(F) + F0``.

    ``F0 = conv_1(enter(x))`` goes through the blocks one after the other, to F; the output is
    ``leave(upsampler(L), x)``. A network whose ends differ replaces these modules, or overrides
    ``enter`` and ``leave``.

    Args:
        width: Channels of the backbone.
        parts: The blocks by name, in their order; each maps ``width`` channels to as many.
        scale: The upscaling factor.
        in_channels: Channels of the picture.
        out_channels: Channels of the output.
        data_range: The range that the weights were trained in.
        bias: Give the three layers around the blocks a bias.
        upsampler: The name of the last of these layers.

    Source: Kong et al., "Residual Local Feature Network for Efficient Super-Resolution", 2022.
    """

    min_size = ESA_MIN_SIZE
    upsampler: nn.Sequential  # unless it is called otherwise

    def __init__(
        self,
        width: int,
        parts: Mapping[str, nn.Module],
        *,
        scale: int,
        in_channels: int = 3,
        out_channels: int = 3,
        data_range: float = 1.0,
        bias: bool = True,
        upsampler: str = "upsampler",
    ):
        super().__init__(
            scale=scale, in_channels=in_channels, out_channels=out_channels, data_range=data_range
        )
        self.parts = tuple(parts)
        self.last = upsampler
        self.conv_1 = conv3x3(in_channels, width, bias=bias)
        for name, part in parts.items():
            self.add_module(name, part)
        self.conv_2 = conv3x3(width, width, bias=bias)
        self.add_module(upsampler, pixel_shuffle_upsampler(width, out_channels, scale, bias=bias))

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[N, Cin, H, W]`` in [0, 1] to ``[N, Cout, scale*H, scale*W]``, not clamped.

        Raises:
            ValueError: H or W is below ``min_size``, or the rank or channel count is wrong.
        """
        x = check_picture(x, self.in_channels, self.min_size)
        first = self.conv_1(self.enter(x))
        features = first
        for name in self.parts:
            features = getattr(self, name)(features)
        upscaled = getattr(self, self.last)(self.conv_2(features) + first)
        return self.leave(upscaled, x)

    def enter(self, x: Tensor) -> Tensor:
        """Prepare the picture for conv_1: ``x * data_range``."""
        return x if self.data_range == 1 else x * self.data_range

    def leave(self, upscaled: Tensor, x: Tensor) -> Tensor:
        """Compute the output, ``upscaled / data_range``; some networks use x too."""
        return upscaled if self.data_range == 1 else upscaled / self.data_range


def numbered(parts: Iterable[nn.Module]) -> dict[str, nn.Module]:
    """Name the blocks as most checkpoints do: block_1, block_2, ..."""
    return {f"block_{i}": part for i, part in enumerate(parts, 1)}


def block_keys(shapes: Shapes) -> set[str]:
    """Return the keys of all blocks block_1, block_2, ..., without the block's name."""
    return {key.partition(".")[2] for key in shapes if key.startswith("block_")}


def detect_backbone(
    shapes: Shapes, width: str, *, block: str = r"block_(\d+)\.", upsampler: str = "upsampler.0"
) -> dict | None:
    """Read width, number of blocks and scale; None if no key matches ``width``.

    Args:
        shapes: The shapes of a checkpoint.
        width: A pattern of the keys of weights with ``width`` output channels.
        block: A pattern of block numbers, as in ``shapes.blocks``.
        upsampler: The name of the last convolution.
    """
    found = vote(shapes, width, 0)
    if found is None:
        return None
    scale, _ = scale_and_channels(shapes, f"{upsampler}.weight", 3)
    return {"width": found, "blocks": blocks(shapes, block), "scale": scale}


def detect_rlfb(shapes: Shapes) -> dict | None:
    """Read the sizes of a network of RLFBs whose c1_r is one convolution; None if it is another.

    Returns those of ``detect_backbone`` with ``mid`` and ``esa_hidden``. Several networks have such
    blocks: each looks in ``block_keys`` for its own differences.
    """
    found = detect_backbone(shapes, r"block_\d+\.c5\.weight")
    mid = vote(shapes, r"block_\d+\.c1_r\.weight", 0)
    esa_hidden = vote(shapes, r"block_\d+\.esa\.conv_f\.weight", 0)
    if found is None or mid is None or esa_hidden is None:
        return None
    return found | {"mid": mid, "esa_hidden": esa_hidden}
