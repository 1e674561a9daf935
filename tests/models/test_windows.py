"""Windows and heads of attention, against their definitions pixel by pixel."""

import pytest
import torch

from esr_kernels.models.blocks import (
    SRWAB,
    CosineAttention,
    from_windows,
    merge_heads,
    shift_mask,
    split_heads,
    windows,
)


def normal(*shape):
    draw = torch.Generator().manual_seed(len(shape))
    return torch.randn(*shape, generator=draw, dtype=torch.float64)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (4, 16), (16, 4), (3, 5), (48, 80)])
def test_windows_are_row_by_row_and_come_back(height, width):
    x = normal(2, 3, 48, 80)
    cells = windows(x, height, width)
    gy, gx = 48 // height, 80 // width
    assert cells.shape == (2, gy, gx, height * width, 3)
    corner = x[:, :, -height:, :width]
    assert torch.equal(cells[:, gy - 1, 0], corner.flatten(2).mT)
    assert torch.equal(from_windows(cells, height, width), x)


def test_heads():
    qkv = normal(2, 7, 3 * 4 * 5)
    q, k, v = split_heads(qkv, 4)
    assert q.shape == (2, 4, 7, 5)
    assert torch.equal(k[1, 2], qkv[1, :, 20 + 10 : 20 + 15])
    assert torch.equal(merge_heads(v), qkv[..., 40:])


@pytest.mark.parametrize(("height", "width"), [(16, 24), (8, 32), (8, 8)])
def test_shift_mask_parts_what_a_roll_brought_together(height, width):
    window, shift = 8, 4
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    before = torch.stack([y, x])[None].roll((-shift, -shift), (2, 3))
    cells = windows(before, window, window)[0]
    distance = (cells[:, :, :, None] - cells[:, :, None]).abs().amax(-1)
    expected = torch.where(distance < window, 0.0, -100.0)
    # Where there is but one window, pixels from opposite sides can be closer than a window.
    apart = (cells < shift)[:, :, :, None] != (cells < shift)[:, :, None]
    one = torch.tensor([height == window, width == window])
    expected = torch.where((apart & one).any(-1), -100.0, expected)
    assert torch.equal(shift_mask(torch.empty(1, 1, height, width), window), expected)


def test_cosine_attention_with_a_rest_of_channels():
    torch.manual_seed(0)
    attention = CosineAttention(11, 3, 2).double().requires_grad_(False)
    attention.relative_position_bias_table.normal_()
    attention.logit_scale[1] = 9.0
    x, mask = normal(5, 4, 11), normal(4, 4)
    qkv = attention.qkv(x).unflatten(-1, (3, 3, 3))
    o = torch.zeros(5, 4, 3, 3, dtype=torch.float64)
    for head in range(3):
        q, k, v = (qkv[:, :, i, head] for i in range(3))
        cosine = torch.cosine_similarity(q[:, :, None], k[:, None], dim=-1)
        logits = attention.logit_scale[head].exp().clamp(max=100) * cosine + mask
        for i in range(4):
            for j in range(4):
                row = (i // 2 - j // 2 + 1) * 3 + i % 2 - j % 2 + 1
                logits[:, i, j] += attention.relative_position_bias_table[row, head]
        o[:, :, head] = logits.softmax(-1) @ v
    torch.testing.assert_close(attention(x, mask), attention.proj(o.flatten(2)))


@pytest.mark.parametrize("shifted", [False, True])
def test_rectangle_attention_of_single_pixels(shifted):
    torch.manual_seed(0)
    block = SRWAB(12, 6, shifted=shifted).double().requires_grad_(False)
    height, width = 16, 48
    x = normal(1, 12, height, width)
    t = x.movedim(1, -1)
    qkv = block.qkv(block.norm1(t))
    q, k, v = (part[0].unflatten(-1, (6, 2)) for part in qkv.chunk(3, -1))
    o = torch.zeros(height, width, 6, 2, dtype=torch.float64)
    for heads, (rows, columns) in ((slice(0, 3), (4, 16)), (slice(3, 6), (16, 4))):
        dy, dx = (rows // 2, columns // 2) if shifted else (0, 0)
        for py, px in ((0, 0), (3, 47), (15, 17), (9, 30)):
            top = (py - dy) % height // rows * rows + dy
            left = (px - dx) % width // columns * columns + dx
            ys = torch.arange(top, top + rows) % height
            xs = torch.arange(left, left + columns) % width
            keys, values = (m[ys][:, xs][:, :, heads].flatten(0, 1) for m in (k, v))
            scores = torch.einsum("hc,lhc->hl", q[py, px, heads], keys) / 2**0.5
            o[py, px, heads] = torch.einsum("hl,lhc->hc", scores.softmax(-1), values)
    local = block.get_v(qkv.chunk(3, -1)[2].movedim(-1, 1)).movedim(1, -1)
    r = t + block.proj(o.flatten(2) + local)
    expected = (r + block.mlp(block.norm2(r)))[0]
    for py, px in ((0, 0), (3, 47), (15, 17), (9, 30)):
        torch.testing.assert_close(block(x)[0, :, py, px], expected[py, px])
