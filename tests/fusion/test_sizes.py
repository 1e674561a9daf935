"""Code that asks for the size of its picture: a plan for every answer; ``explain`` shows them."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from fast import check, is_fast
from images import image
from torch import nn

from esr_kernels import fusion
from esr_kernels.fusion import plans


def conv(into: int, out: int) -> nn.Module:
    return nn.Conv2d(into, out, 3, padding=1)


class Net(nn.Module):
    """``forward`` is the function given; there are convolutions for 3, 8 and 12 channels."""

    def __init__(self, function) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.function = function
        self.head, self.tail, self.deep = conv(3, 8), conv(8, 3), conv(12, 12)

    def forward(self, x):
        return self.function(self, x)


def net(function) -> nn.Module:
    return fusion.accelerate(Net(function).eval().requires_grad_(False))


def body(m, x):
    return m.tail(F.relu(m.head(x)))


def pads_if_it_must(m, x):
    _, _, h, w = x.size()
    pad_h, pad_w = (4 - h % 4) % 4, (4 - w % 4) % 4
    if pad_h or pad_w:
        x = F.pad(x, (0, pad_w, 0, pad_h), "reflect")
    return body(m, x)[:, :, :h, :w]


def unshuffles(m, x):
    h, w = x.shape[-2:]
    if h % 2 != 0 or w % 2 != 0:
        x = F.pad(x, (0, w % 2, 0, h % 2), mode="reflect")
    y = m.deep(F.relu(m.deep(F.pixel_unshuffle(x, 2))))
    return F.pixel_shuffle(y, 2)[:, :, :h, :w]


def windows(m, x):
    """The partition into windows and back, as published code writes it."""
    y = m.head(x)
    b, c, h, w = y.shape
    if h % 8 or w % 8:
        y = F.pad(y, (0, -w % 8, 0, -h % 8))
    taller, wider = y.shape[2], y.shape[3]
    parts = y.view(b, c, taller // 8, 8, wider // 8, 8).permute(0, 2, 4, 3, 5, 1)
    parts = parts.contiguous().view(-1, 64, c).softmax(1)
    number = int(parts.shape[0] / (taller * wider / 8 / 8))
    back = parts.view(number, taller // 8, wider // 8, 8, 8, c).permute(0, 5, 1, 3, 2, 4)
    return m.tail(back.contiguous().view(number, c, taller, wider)[:, :, :h, :w])


def asks_of_a_part(m, x):
    y = F.max_pool2d(m.head(x), 2)
    if y.shape[2] % 2 == 0:
        y = y * 2
    if len(y.shape) == 4 and y.ndim == 4 and y.dim() == 4:
        y = F.interpolate(y, size=(x.shape[2], x.shape[3]), mode="nearest")
    return m.tail(y)


def rounds(m, x):
    h, w = math.ceil(x.shape[2] / 8) * 8, math.floor(x.shape[3] / 2) * 2
    y = F.pad(x, (0, w - x.shape[3], 0, h - x.shape[2]))
    return body(m, y)


def rounds_with_numpy(m, x):
    """The padding is a Python number, one of eight."""
    h, w = x.size()[-2:]
    bottom, right = int(np.ceil(h / 8) * 8 - h), int(np.ceil(w / 8) * 8 - w)
    y = nn.ReplicationPad2d((0, right, 0, bottom))(x)
    return body(m, y)[..., :h, :w]


def compares(m, x):
    y = m.head(x)
    if max(y.shape[2:]) > 24 and min(*y.shape[2:]) != 20:
        y = F.relu(y)
    h = y.shape[2]
    h += h % 2
    return m.tail(F.pad(y, (0, 0, 0, h - y.shape[2])))


def masks(m, x):
    """A mask made of the picture's size, as window attention makes it."""
    y = m.head(x)
    _, _, h, w = y.shape
    mask = torch.zeros((1, 1, h, w), device=x.device)
    for number, rows in enumerate((slice(0, -8), slice(-8, -4), slice(-4, None))):
        mask[:, :, rows, :] = number
    places = torch.arange(h).view(1, 1, h, 1) % 2
    attention = mask.masked_fill(mask != 0, -0.5).contiguous().view(1, 1, h, w)
    return m.tail(F.relu(y + attention) + torch.roll(y, shifts=(1, 2), dims=(2, 3)) * places)


FORWARDS = (
    *(masks, pads_if_it_must, unshuffles, windows, asks_of_a_part),
    *(rounds, rounds_with_numpy, compares),
)
SHAPES = ((1, 3, 32, 40), (1, 3, 33, 40), (1, 3, 32, 41), (2, 3, 17, 19), (1, 3, 30, 42))


@pytest.mark.parametrize("function", FORWARDS, ids=lambda f: f.__name__)
def test_every_size_is_fast_and_right(function, tolerance):
    model = net(function)
    for shape in SHAPES:
        check(model, image(*shape), tolerance)


@pytest.mark.parametrize("function", FORWARDS, ids=lambda f: f.__name__)
def test_large_pictures_are_planned_on_small_ones(function):
    model = net(function)
    with torch.inference_mode():
        for height, width in ((192, 256), (201, 203)):
            x = image(1, 3, height, width)
            expected = fusion.restore(copy.deepcopy(model))(x)
            assert is_fast(model, x), fusion.explain(model)
            torch.testing.assert_close(model(x), expected, rtol=1e-4, atol=1e-5)


def test_explain_shows_what_was_asked():
    model = net(pads_if_it_must)
    model(image(1, 3, 32, 40))
    lines = [line for line in fusion.explain(model).lines if line.what == "other sizes"]
    assert len(lines) == 1 and lines[0].detail.startswith("accelerated, float32 on cpu, where ")
    assert "not ((4 - (x.size()[3] % 4)) % 4)" in lines[0].detail


def test_a_plan_serves_all_sizes_of_its_answers(monkeypatch):
    model, made = net(pads_if_it_must), []
    make = plans.make_plan
    monkeypatch.setattr(plans, "make_plan", lambda *a, **k: made.append(k) or make(*a, **k))
    for width in range(20, 40):
        model(image(1, 3, 20, width))
    assert len(made) == 1  # 20x23, for which a plan was there, stands for all that are padded


def test_a_handful_of_plans_is_kept():
    def forward(m, x):
        y = m.head(x)
        return m.tail(F.relu(y) if any(x.shape[2] == i for i in range(20, 40)) else y)

    model = net(forward)
    fast = [is_fast(model, image(1, 3, height, 20)) for height in range(20, 34)]
    assert fast == [True] * plans.KEPT + [False] * (14 - plans.KEPT)
    assert str(plans.KEPT) in str(fusion.explain(model))


def test_a_loop_over_the_height_stays_the_modules_own():
    def forward(m, x):
        y = m.head(x)
        for i in range(x.shape[2] // 8):
            y = y + i
        return m.tail(y)

    model = net(forward)
    assert "number of the picture's size" in fusion.explain(model).title


def test_an_answer_that_cannot_be_followed_keeps_its_own_forward(tolerance):
    def forward(m, x):
        y = m.head(x)
        if x.shape[3] % 2 == 0 and float(y.sum()) > -1e9:
            y = F.relu(y)
        return m.tail(y)

    model = net(forward)
    check(model, image(1, 3, 20, 21), tolerance)
    assert not is_fast(model, image(1, 3, 20, 20))
    (line,) = [line for line in fusion.explain(model).lines if line.what == "other sizes"]
    assert "not accelerated as a whole: it makes a Python number of a tensor" in line.detail


@pytest.mark.parametrize("multiple", [8, 16, 64])
def test_pictures_of_a_multiple_only(multiple, tolerance):
    def forward(m, x):
        b, _, h, w = x.shape
        y = m.head(x).view(b, 8, h // multiple, multiple, w // multiple, multiple)
        return m.tail(F.relu(y.reshape(b, 8, h, w)))

    model = net(forward)
    check(model, image(1, 3, multiple, 3 * multiple), tolerance)


def test_the_cause_is_named_where_no_picture_runs():
    def forward(m, x):
        raise RuntimeError(f"the flux capacitor is empty ({x.shape[1]} channels)")

    assert "the flux capacitor is empty (3 channels)" in fusion.explain(net(forward)).title


def test_a_refusal_at_run_time_leaves_a_reason_and_a_line_in_the_log(caplog):
    def forward(m, x):
        y = m.head(x)
        return m.tail(y + F.interpolate(F.max_pool2d(y, 2), scale_factor=2))

    model = net(forward)
    assert is_fast(model, image(1, 3, 20, 22))
    for _ in range(2):
        with pytest.raises(RuntimeError, match="must match"):
            model(image(1, 3, 21, 22))
    records = [r for r in caplog.records if "runs as it is for 1x3x21x22" in r.message]
    (line,) = [line for line in fusion.explain(model).lines if line.detail.startswith("for 1x3x21")]
    assert len(records) == 1 and line.what == "as it is" and "must match" in line.detail
