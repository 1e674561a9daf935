"""MagicSR, a hierarchical Swin transformer whose windows know their neighbours (team 18)."""

from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..blocks import (
    MLP,
    CosineAttention,
    NGramContext,
    check_picture,
    conv3x3,
    depthwise,
    from_windows,
    pad_to_multiple,
    pixel_shuffle_upsampler,
    register_mean,
    shift_mask,
    windows,
)
from ..network import Network, Shapes, Upscaler
from ..shapes import blocks, vote

MEAN = (0.4485, 0.4375, 0.4045)
STD = (0.2352, 0.2244, 0.2349)
STAGES = ("encoder_layer1", "encoder_layer2", "encoder_layer3", "decoder_layer1")
HEADS = (6, 4, 4, 6)
STORED = (64, 32, 16, 32)  # sizes of the maps whose masks checkpoints hold
WINDOW = 8
MULTIPLE = 4 * WINDOW  # the third stage has a quarter of the rows


class MagicSR(Upscaler):
    """Context-aware Swin transformer with three encoder stages and one decoder stage.

    ``S = conv1((x - mean) / std)`` goes through stages at full, half and quarter size; each further
    one sees, beside the last one's merged output, everything before it, max-pooled. The bottleneck
    brings the three outputs to full size, the decoder stage adds the first one's, and
    ``norm(decoded) + S`` is upscaled by ``to_target``. The picture is padded with zeros at the
    bottom and the right up to a multiple of 32.

    The challenge's network is ``MagicSR()``: 1 019 156 parameters. Its weights were not published.

    Args:
        width: Channels in all stages.
        depths: Blocks in each stage.

    Source: NTIRE 2024 efficient SR report, section 4.26; Choi et al., "N-Gram in Swin Transformers
    for Efficient Lightweight Image Super-Resolution", 2023.
    """

    name = "magicsr"
    mean: Tensor
    std: Tensor
    min_size = MULTIPLE + 1  # a context looks at 2 x 2 windows, also at quarter size

    def __init__(self, width: int = 64, *, depths: tuple[int, ...] = (6, 4, 4, 6)):
        super().__init__(scale=4, in_channels=3, out_channels=3)
        register_mean(self, MEAN)
        self.register_buffer("std", torch.tensor(STD).view(1, -1, 1, 1), persistent=False)
        self.shallow_extract = nn.Sequential(OrderedDict(conv1=conv3x3(3, width)))
        for i, inputs in enumerate((1, 2, 3, 1)):
            stage = Stage(inputs * width, width, depths[i], HEADS[i], STORED[i])
            self.add_module(STAGES[i], stage)
        self.encoder_layer1.downsample = PatchMerging(width)
        self.encoder_layer2.downsample = PatchMerging(width)
        self.bottleneck = Bottleneck(width)
        self.norm = nn.LayerNorm(width)
        before_shuffle, shuffle = pixel_shuffle_upsampler(width, 3, self.scale)
        self.to_target = nn.Sequential(
            OrderedDict(before_shuffle=before_shuffle, shuffle=shuffle, to_origin=conv3x3(3, 3))
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[N, 3, H, W]`` in [0, 1] to ``[N, 3, 4*H, 4*W]``, not clamped.

        Raises:
            ValueError: H or W is below 33, or the rank or channel count is wrong.
        """
        x = check_picture(x, self.in_channels, self.min_size)
        height, width = x.shape[2] * self.scale, x.shape[3] * self.scale
        x = (pad_to_multiple(x, MULTIPLE, "constant") - self.mean) / self.std
        shallow = self.shallow_extract(x)
        full = shallow.movedim(1, -1)
        e1, u1 = self.encoder_layer1(full)
        half = torch.cat([_halve(full), self.encoder_layer1.downsample(e1 + u1)], -1)
        e2, u2 = self.encoder_layer2(half)
        quarter = torch.cat([_halve(half), self.encoder_layer2.downsample(e2 + u2)], -1)
        e3, _ = self.encoder_layer3(quarter)
        e4, _ = self.decoder_layer1(self.bottleneck(shallow, (e1, e2, e3)) + e1)
        y = self.to_target((self.norm(e4) + full).movedim(-1, 1)) * self.std + self.mean
        return y[:, :, :height, :width]


class Stage(nn.Module):
    """Blocks of which each takes the sum of its predecessor's input and output.

    Every second block has its windows shifted.

    Args:
        inputs: Channels of the input.
        width: Channels of the blocks.
        depth: The number of blocks.
        heads: The number of heads.
        stored: The size of the map whose masks the checkpoint holds.
    """

    downsample: "PatchMerging"  # of an encoder stage that another one follows

    def __init__(self, inputs: int, width: int, depth: int, heads: int, stored: int):
        super().__init__()
        if inputs != width:
            self.across_cascade_proj = nn.Linear(inputs, width)
        self.blocks = nn.ModuleList(
            SwinBlock(width, heads, stored if i % 2 else 0) for i in range(depth)
        )
        self.project = inputs != width

    def forward(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """Map ``[N, H, W, inputs]`` to output and input of the last block, ``[N, H, W, width]``."""
        u = self.across_cascade_proj(t) if self.project else t
        mask = shift_mask(u.movedim(-1, 1), WINDOW).unsqueeze(2)
        y = self.blocks[0](u, None)
        for i, block in enumerate(self.blocks[1:], start=1):
            u = y + u
            y = block(u, mask if i % 2 else None)
        return y, u


class SwinBlock(nn.Module):
    """Swin transformer block: ``r = t + norm1(attention)``, then ``r + norm2(ffn(r))``.

    Attention is in windows of 8 x 8 pixels, to each of which the context of its window was added.
    With a mask, the map is rolled by half a window before and back after.

    Args:
        width: Channels of the block.
        heads: The number of heads.
        stored: The size of the map whose mask is part of the checkpoint, 0 for none; it is never
            used.
    """

    def __init__(self, width: int, heads: int, stored: int):
        super().__init__()
        if stored:
            mask = shift_mask(torch.empty(1, 1, stored, stored), WINDOW)
            self.register_buffer("attn_mask", mask.flatten(0, 1))
        context = NGramContext(width, heads, WINDOW)
        self.ngram_window_partition = nn.Sequential(OrderedDict(ngram_context=context))
        self.attn = CosineAttention(width, heads, WINDOW)
        self.norm1 = nn.LayerNorm(width)
        self.ffn = MLP(width, 2 * width)
        self.norm2 = nn.LayerNorm(width)

    def forward(self, t: Tensor, mask: Tensor | None) -> Tensor:
        """Map ``[N, H, W, C]`` to the same shape.

        Args:
            t: The tokens.
            mask: ``[H / 8, W / 8, 1, 64, 64]`` for shifted windows, else None.
        """
        x = t.movedim(-1, 1)
        x = _add_to_windows(x, self.ngram_window_partition(x))
        shift = 0 if mask is None else WINDOW // 2
        cells = windows(_roll(x, -shift), WINDOW, WINDOW)
        a = _roll(from_windows(self.attn(cells, mask), WINDOW, WINDOW), shift)
        r = t + self.norm1(a.movedim(1, -1))
        return r + self.norm2(self.ffn(r))


class PatchMerging(nn.Module):
    """Reduction to half size: ``reduction(norm(p))``, p joining the channels of 2 x 2 pixels."""

    def __init__(self, width: int):
        super().__init__()
        self.norm = nn.LayerNorm(4 * width)
        self.reduction = nn.Linear(4 * width, width, bias=False)

    def forward(self, t: Tensor) -> Tensor:
        """Map ``[N, H, W, C]`` to ``[N, H / 2, W / 2, C]``."""
        return self.reduction(self.norm(windows(t.movedim(-1, 1), 2, 2).flatten(3)))


class Bottleneck(nn.Module):
    """Fusion of the encoder stages at full size.

    ``norm(pointwise(gelu(depthwise(cat(B0, B1, B2)))))`` with
    ``Bi = pixel_shuffle(Ei + lrelu(Si), 2**i)``: Ei are the outputs of the encoder stages, Si the
    shallow features, max-pooled i times. Slope 0.01.
    """

    def __init__(self, width: int):
        super().__init__()
        joined = width + width // 4 + width // 16
        self.depthwise = depthwise(joined)
        self.pointwise = nn.Linear(joined, width)
        self.norm = nn.LayerNorm(width)

    def forward(self, shallow: Tensor, stages: tuple[Tensor, ...]) -> Tensor:
        """Map ``[N, C, H, W]`` and ``[N, H / 2**i, W / 2**i, C]`` to ``[N, H, W, C]``."""
        parts = []
        for i, e in enumerate(stages):
            shallow = F.max_pool2d(shallow, 2) if i else shallow
            parts.append(F.pixel_shuffle(e.movedim(-1, 1) + F.leaky_relu(shallow), 2**i))
        z = F.gelu(self.depthwise(torch.cat(parts, 1)))
        return self.norm(self.pointwise(z.movedim(1, -1)))


def _halve(t: Tensor) -> Tensor:
    return F.max_pool2d(t.movedim(-1, 1), 2).movedim(1, -1)


def _add_to_windows(x: Tensor, context: Tensor) -> Tensor:
    cells = x.unflatten(3, (-1, WINDOW)).unflatten(2, (-1, WINDOW))
    return (cells + context[:, :, :, None, :, None]).flatten(4).flatten(2, 3)


def _roll(x: Tensor, by: int) -> Tensor:
    return x.roll((by, by), (2, 3)) if by else x


def _detect(shapes: Shapes) -> dict | None:
    width = vote(shapes, r".*\.ngram_window_partition\.ngram_context\.merge\.weight", 0)
    if width is None:
        return None
    depths = tuple(blocks(shapes, rf"{stage}\.blocks\.(\d+)\.") + 1 for stage in STAGES)
    return {"width": width, "depths": depths}


NETWORK = Network(
    name="magicsr",
    title="MagicSR",
    paper="NTIRE 2024 efficient SR challenge report, team 18, section 4.26",
    build=MagicSR,
    detect=_detect,
)
