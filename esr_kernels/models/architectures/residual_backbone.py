"""What RLFN and its relatives share: a trunk of blocks under one long skip connection."""

from collections.abc import Iterable, Mapping

from torch import Tensor, nn

from ..blocks import ESA_MIN_SIZE, check_picture, conv3x3, pixel_shuffle_upsampler
from ..network import Shapes, Upscaler
from ..shapes import blocks, scale_and_channels, vote


class ResidualTrunk(Upscaler):
    """``F0 = conv_1(enter(x))``, the blocks one after the other, ``L = conv_2(F) + F0``, and the
    output ``leave(upsampler(L), x)``.

    ``parts``: the blocks by name, in their order; each gives ``width`` channels, as it takes.
    ``bias``: whether the three layers around the blocks have one. ``upsampler``: the name of the
    last. A network whose ends differ puts its own modules in the place of these, or overrides
    ``enter`` and ``leave``.

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
        """``[N, Cin, H, W]`` in [0, 1] -> ``[N, Cout, scale*H, scale*W]``, not clamped.

        Raises ``ValueError`` for H or W below ``min_size`` and for a wrong rank or channel count.
        """
        x = check_picture(x, self.in_channels, self.min_size)
        first = self.conv_1(self.enter(x))
        features = first
        for name in self.parts:
            features = getattr(self, name)(features)
        enlarged = getattr(self, self.last)(self.conv_2(features) + first)
        return self.leave(enlarged, x)

    def enter(self, x: Tensor) -> Tensor:
        """The picture as conv_1 takes it: ``x * data_range``."""
        return x if self.data_range == 1 else x * self.data_range

    def leave(self, enlarged: Tensor, x: Tensor) -> Tensor:
        """The output: ``enlarged / data_range``, for some networks with the help of x."""
        return enlarged if self.data_range == 1 else enlarged / self.data_range


def numbered(parts: Iterable[nn.Module]) -> dict[str, nn.Module]:
    """The blocks as most checkpoints call them: block_1, block_2, ..."""
    return {f"block_{i}": part for i, part in enumerate(parts, 1)}


def block_keys(shapes: Shapes) -> set[str]:
    """The keys of all blocks block_1, block_2, ..., without the block's name."""
    return {key.partition(".")[2] for key in shapes if key.startswith("block_")}


def detect_trunk(
    shapes: Shapes, width: str, *, block: str = r"block_(\d+)\.", upsampler: str = "upsampler.0"
) -> dict | None:
    """Width, number of blocks and scale; None if no key matches ``width``.

    ``width``: what matches keys of weights with ``width`` output channels; ``block``: as in
    ``shapes.blocks``; ``upsampler``: the last convolution.
    """
    found = vote(shapes, width, 0)
    if found is None:
        return None
    scale, _ = scale_and_channels(shapes, f"{upsampler}.weight", 3)
    return {"width": found, "blocks": blocks(shapes, block), "scale": scale}


def detect_rlfb(shapes: Shapes) -> dict | None:
    """Sizes of a trunk of RLFBs whose c1_r is one convolution; None if it is none.

    ``mid`` and ``esa_hidden`` beside those of ``detect_trunk``. Several networks have such blocks:
    each looks in ``block_keys`` for what sets its own apart.
    """
    found = detect_trunk(shapes, r"block_\d+\.c5\.weight")
    mid = vote(shapes, r"block_\d+\.c1_r\.weight", 0)
    esa_hidden = vote(shapes, r"block_\d+\.esa\.conv_f\.weight", 0)
    if found is None or mid is None or esa_hidden is None:
        return None
    return found | {"mid": mid, "esa_hidden": esa_hidden}
