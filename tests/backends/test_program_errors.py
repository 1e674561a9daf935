"""What a program refuses: wrong steps while it is built, wrong pictures when it runs."""

from __future__ import annotations

import pytest
import torch
from images import image

_C = pytest.importorskip("esr_kernels._C", reason="esr_kernels._C is not built")
from programs import Net, view  # noqa: E402

W = torch.rand(4, 3, 3, 3).double().numpy()


@pytest.mark.parametrize(
    ("words", "wrong"),
    [
        ("not built, or not of this", lambda p, x: _C.Program("mmx")),
        ("1 to 8 sources", lambda p, x: p.conv([], W, None)),
        ("1 to 8 sources", lambda p, x: p.conv([x] * 9, W, None)),
        ("do not add up", lambda p, x: p.conv([x, x], W, None)),
        ("value", lambda p, x: p.conv([99], W, None)),
        ("value", lambda p, x: p.conv([-1], W, None)),
        (r"\[out, in, k, k\]", lambda p, x: p.conv([x], W[0], None)),
        ("k = 1 or 3", lambda p, x: p.conv([x], W[:, :, :2], None)),
        ("k = 1 or 3", lambda p, x: p.conv([x], W[:, :, :2, :2], None)),
        ("weight", lambda p, x: p.conv([x], W[:0], None)),
        (r"bias must be \[out\]", lambda p, x: p.conv([x], W, W[0, 0, 0])),
        ("unknown activation 'mish'", lambda p, x: p.conv([x], W, None, "mish")),
        ("needs a residual", lambda p, x: p.conv([x], W, None, "span_gate")),
        ("residual's channels", lambda p, x: p.conv([x], W, None, residual=x)),
        ("value", lambda p, x: p.conv([x], W, None, residual=99)),
        ("channels, 1, rows, columns", lambda p, x: p.depthwise(x, W, None)),
        ("channels, 1, rows, columns", lambda p, x: p.depthwise(x, W[:, :1], None)),
        ("must be odd", lambda p, x: p.depthwise(x, W[:3, :1, :2], None)),
        ("must be odd", lambda p, x: p.direct_conv([x], W[..., :2], None)),
        ("dilation must be 1", lambda p, x: p.direct_conv([x], W, None, dilation=0)),
        ("channels / groups, rows", lambda p, x: p.direct_conv([x], W, None, groups=3)),
        ("channels / groups, rows", lambda p, x: p.direct_conv([x, x], W, None)),
        ("channels / groups, rows", lambda p, x: p.direct_conv([x], W[:, :1], None, groups=0)),
        (r"\[out, in, rows, columns\]", lambda p, x: p.direct_conv([x], W[0], None)),
        ("1 to 8 sources", lambda p, x: p.direct_conv([], W, None)),
        ("needs a residual", lambda p, x: p.direct_conv([x], W, None, "span_gate")),
        ("value", lambda p, x: p.direct_conv([99], W, None)),
        (r"bias must be \[out\]", lambda p, x: p.depthwise(x, W[:3, :1], W[0, 0, 0, :2])),
        ("needs a residual", lambda p, x: p.depthwise(x, W[:3, :1], None, "span_gate")),
        ("residual's channels", lambda p, x: p.depthwise(x, W[:3, :1], None, residual=p.input(4))),
        ("value", lambda p, x: p.depthwise(99, W[:3, :1], None)),
        ("'gate' needs a residual", lambda p, x: p.conv([x], W, None, "gate")),
        ("another size", lambda p, x: p.conv([x, p.max_pool(x, 2, 2)], W[:, [0, 1, 2] * 2], None)),
        ("another size", lambda p, x: p.conv([p.max_pool(x, 2, 2)], W[:3], None, residual=x)),
        ("another size", lambda p, x: p.strided_conv(x, W[:3], None, residual=x)),
        ("another size", lambda p, x: p.output(p.max_pool(x, 1, 2), 1, x)),
        ("source's channels, k, k", lambda p, x: p.strided_conv(x, W[:, :1], None)),
        ("source's channels, k, k", lambda p, x: p.strided_conv(x, W[..., :1, :1], None)),
        ("residual's channels", lambda p, x: p.strided_conv(x, W, None, residual=x)),
        ("value", lambda p, x: p.strided_conv(99, W, None)),
        ("1 or more", lambda p, x: p.max_pool(x, 0, 1)),
        ("1 or more", lambda p, x: p.max_pool(x, 2, 0)),
        ("half of its kernel", lambda p, x: p.max_pool(x, 3, 1, 2)),
        ("value", lambda p, x: p.max_pool(99, 2, 2)),
        ("value", lambda p, x: p.bilinear(99, x)),
        ("value", lambda p, x: p.bilinear(x, 99)),
        ("shuffle factor", lambda p, x: p.output(x, 0)),
        ("shuffle factor", lambda p, x: p.output(x, 9)),
        ("divide", lambda p, x: p.output(x, 2)),
        ("skip picture", lambda p, x: p.output(p.conv([x], W, None), 2, x)),
        ("value", lambda p, x: p.output(99)),
        ("value", lambda p, x: p.output(x, 1, 99)),
        ("channels", lambda p, x: p.input(0)),
        ("channels", lambda p, x: p.input(-1)),
        ("shift", lambda p, x: p.input(3, W[0, 0, 0, :2])),
    ],
)
def test_wrong_steps(words, wrong):
    program = _C.Program()
    x = program.input(3)
    with pytest.raises(ValueError, match=words):
        wrong(program, x)


@pytest.mark.parametrize(
    ("words", "inputs", "outputs", "size"),
    [
        ("empty", 1, 1, (0, 4, 4)),
        ("empty", 1, 1, (1, 0, 4)),
        ("empty", 1, 1, (1, 4, -1)),
        ("1 input", 0, 1, (1, 4, 4)),
        ("1 input", 2, 1, (1, 4, 4)),
        ("1 output", 1, 0, (1, 4, 4)),
        ("1 output", 1, 2, (1, 4, 4)),
    ],
)
def test_wrong_runs(words, inputs, outputs, size):
    net = Net(_C.isas()[0])
    net.output(net.conv([net.input(3)], 3))
    x = torch.zeros(2, 3, 4, 4)
    with pytest.raises(ValueError, match=words):
        net.program.run([view(x)] * inputs, [view(x.clone())] * outputs, *size, 1)


@pytest.mark.parametrize("size", [(14, 40), (40, 14), (3, 3), (1, 1)])
def test_esa_refuses_small_pictures(size):
    net = Net(_C.isas()[0])
    net.output(net.esa(net.input(3)))
    with pytest.raises(ValueError, match="at least 15x15; pad the picture"):
        net(image(1, 3, *size))


def test_steps_may_be_added_after_a_run():
    net = Net(_C.isas()[0])
    x = net.input(3)
    net.output(net.conv([x], 3))
    p = image(1, 3, 9, 10)
    (first,) = net(p)
    net.output(net.conv([x], 4))
    again, second = net(p)
    assert torch.equal(first, again) and not second.isnan().any()


@pytest.mark.parametrize(
    ("words", "sizes", "threads", "isa"),
    [
        ("empty", (0, 5, 3, 2), 1, ""),
        ("empty", (1, 0, 3, 2), 1, ""),
        ("empty", (1, 5, 0, 2), 1, ""),
        ("empty", (1, 5, 3, 0), 1, ""),
        ("threads", (1, 5, 3, 2), 0, ""),
        ("not built, or not of this", (1, 5, 3, 2), 1, "mmx"),
    ],
)
def test_wrong_scans(words, sizes, threads, isa):
    nowhere = 0, 0, 0, 0
    with pytest.raises(ValueError, match=words):
        _C.selective_scan(*[nowhere] * 4, 0, 0, 0, sizes, threads, isa)
