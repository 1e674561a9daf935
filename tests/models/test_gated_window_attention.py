"""HARN's window attention, pixel by pixel: padding that takes part, rolling without a mask."""

import pytest
import torch
import torch.nn.functional as F

from esr_kernels.models.blocks import WindowAttention


def normal(*shape):
    draw = torch.Generator().manual_seed(len(shape))
    return torch.randn(*shape, generator=draw, dtype=torch.float64)


@pytest.mark.parametrize("shifted", [False, True])
@pytest.mark.parametrize("size", [(1, 1), (6, 8), (7, 9), (13, 17)])
def test_window_attention(size, shifted):
    torch.manual_seed(0)
    window = (6, 8)
    attention = WindowAttention(5, window, shifted=shifted).double().requires_grad_(False)
    u = normal(2, 5, *size)
    padded = [-(-side // part) * part for side, part in zip(size, window, strict=True)]
    shift = [side // 2 if shifted else 0 for side in window]
    t = torch.zeros(2, 5, *padded, dtype=torch.float64)
    for y in range(padded[0]):
        for x in range(padded[1]):
            source = (y + shift[0]) % padded[0], (x + shift[1]) % padded[1]
            if source[0] < size[0] and source[1] < size[1]:
                t[:, :, y, x] = u[:, :, source[0], source[1]]
    q, k = attention.proj_qk(t).chunk(2, 1)
    v = attention.proj_v(t)
    local = attention.lepe_v(v)
    q, k = attention.proj_q_5x5(q) + local, attention.proj_k_5x5(k) + local
    result = attention(u)
    assert result.shape == u.shape
    for y in range(size[0]):
        for x in range(size[1]):
            row, column = (y - shift[0]) % padded[0], (x - shift[1]) % padded[1]
            top, left = row // 6 * 6, column // 8 * 8
            keys, values = (m[:, :, top : top + 6, left : left + 8].flatten(2) for m in (k, v))
            scores = torch.einsum("nc,ncl->nl", q[:, :, row, column], keys) / 5**0.5
            o = torch.einsum("nl,ncl->nc", F.softmax(scores, 1), values)
            torch.testing.assert_close(result[:, :, y, x], o + local[:, :, row, column])
