"""The N-gram context of attention in windows, computed from neighbouring windows."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .convolution import conv1x1
from .cosine_attention import CosineAttention

NGRAM = 2


class NGramContext(nn.Module):
    """N-gram context ``merge(cat(f, g))``: a vector per window, from windows on its four sides.

    ``u = unigram_embed(x)`` makes a token of each window, with half the channels. Those of 2 x 2
    neighbouring windows attend to each other and are averaged: f looks to the bottom and the right
    of a window, g to the top and the left. The grid of windows is mirrored at its border.

    Source: Choi et al., "N-Gram in Swin Transformers for Efficient Lightweight Image
    Super-Resolution", 2023.
    """

    def __init__(self, width: int, heads: int, window: int):
        super().__init__()
        half = width // 2
        self.unigram_embed = nn.Conv2d(width, half, window, stride=window, groups=half)
        self.ngram_attn = CosineAttention(half, heads, NGRAM)
        self.merge = conv1x1(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[N, C, H, W]`` to ``[N, C, H / window, W / window]``.

        H and W must be at least two windows.
        """
        u = self.unigram_embed(x)
        sides = ((0, 1, 0, 1), (1, 0, 1, 0))
        f, g = (self._ngrams(F.pad(u, side, mode="reflect")) for side in sides)
        return self.merge(torch.cat([f, g], 1))

    def _ngrams(self, u: Tensor) -> Tensor:
        cells = u.unfold(2, NGRAM, 1).unfold(3, NGRAM, 1).flatten(4)
        return self.ngram_attn(cells.movedim(1, -1)).mean(3).movedim(-1, 1)
