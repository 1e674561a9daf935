"""Results are those of the plain module in kind, memory format and dtype, whatever is around it."""

from __future__ import annotations

import copy
from collections import OrderedDict, namedtuple

import pytest
import torch
import torch.nn.functional as F
from fast import is_fast
from images import image
from torch import nn
from torch.autograd import forward_ad

from esr_kernels import fusion

Pair = namedtuple("Pair", "picture features")


class Net(nn.Module):
    def __init__(self, function) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.function = function
        self.head, self.tail = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 3, 3, padding=1)
        self.narrow = nn.Conv2d(3, 1, 3, padding=1)

    def forward(self, *args, **kwargs):
        return self.function(self, *args, **kwargs)


def net(function) -> nn.Module:
    return Net(function).eval().requires_grad_(False)


def permuted(m, x):
    y = m.head(x).permute(0, 2, 3, 1)
    return m.tail(F.relu(m.head(m.tail(F.softmax(y, -1).permute(0, 3, 1, 2)))))


def shuffled(m, x):
    return F.pixel_shuffle(F.relu(m.head(x)), 2)


def one_channel(m, x):
    return m.narrow(m.tail(m.head(x)))


def cropped(m, x):
    return m.tail(F.relu(m.head(x)))[:, :, 2:-2, 1:]


def enlarged(m, x):
    y = F.interpolate(m.head(x), scale_factor=2, mode="nearest")
    return m.tail(y) + m.tail(F.relu(y))


LAYOUTS = (permuted, shuffled, one_channel, cropped, enlarged)


def test_of_one_channel_either_format():
    model = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU()).eval().requires_grad_(False)
    fast = fusion.accelerate(copy.deepcopy(model))
    for x in (image(1, 1, 20, 23), image(1, 3, 20, 23)[:, 1:2], image(2, 1, 8, 9)):
        for layout in (torch.contiguous_format, torch.channels_last):
            x = x.clone(memory_format=layout)
            assert fast(x).stride() == model(x).stride() and is_fast(fast, x)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last], ids=str)
@pytest.mark.parametrize("function", LAYOUTS, ids=lambda f: f.__name__)
def test_memory_formats(function, layout):
    model = net(function)
    fast = fusion.accelerate(copy.deepcopy(model))
    for n, h, w in ((1, 20, 23), (2, 16, 16)):
        x = image(n, 3, h, w).contiguous(memory_format=layout)
        ours, plain = fast(x), model(x)
        assert is_fast(fast, x)
        for format in (torch.contiguous_format, torch.channels_last):
            expected = plain.is_contiguous(memory_format=format)
            assert not expected or ours.is_contiguous(memory_format=format)


def in_a_dict(m, x):
    y = F.relu(m.head(x))
    return {"picture": m.tail(y), "features": y, "scale": 2}


def in_a_list(m, x):
    y = F.relu(m.head(x))
    return [m.tail(y), (y, x), None]


def in_a_named_tuple(m, x):
    y = F.relu(m.head(x))
    return Pair(m.tail(y), y)


def in_an_ordered_dict(m, x):
    y = F.relu(m.head(x))
    return OrderedDict(first=m.tail(y), second=[y])


@pytest.mark.parametrize("dtype", [None, torch.bfloat16], ids=str)
@pytest.mark.parametrize(
    "function",
    [in_a_dict, in_a_list, in_a_named_tuple, in_an_ordered_dict],
    ids=lambda f: f.__name__,
)
def test_nests(function, dtype):
    model, x = net(function), image(1, 3, 20, 23)
    fast = fusion.accelerate(copy.deepcopy(model), compute_dtype=dtype)
    ours, plain = fast(x), model(x)
    assert is_fast(fast, x), fusion.explain(fast)

    def kinds(value):
        if isinstance(value, dict):
            return type(value), {k: kinds(v) for k, v in value.items()}
        return (
            (type(value), [*map(kinds, value)]) if isinstance(value, list | tuple) else type(value)
        )

    assert kinds(ours) == kinds(plain)
    if isinstance(ours, dict):
        ours["more"] = 1  # nothing frozen


def under_autocast(m, x):
    with torch.autocast("cpu", torch.bfloat16):
        y = m.head(x)
    return y + m.tail(F.relu(m.head(x))).sum()


def under_inference_mode(m, x):
    with torch.inference_mode():
        return m.tail(F.relu(m.head(x)))


def under_forward_mode(m, x):
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(m.head(x), torch.ones(1, 8, *x.shape[2:]))
        return forward_ad.unpack_dual(m.tail(dual)).tangent


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (under_autocast, "autocast"),
        (under_inference_mode, "inference_mode"),
        (under_forward_mode, "forward-mode"),
    ],
    ids=lambda f: getattr(f, "__name__", ""),
)
def test_modes_inside_a_forward_stay(function, reason):
    model, x = net(function), image(1, 3, 20, 23)
    fast = fusion.accelerate(copy.deepcopy(model))
    ours, plain = fast(x), model(x)
    assert ours.dtype == plain.dtype and ours.is_inference() == plain.is_inference()
    torch.testing.assert_close(ours, plain, rtol=1e-4, atol=1e-4)
    assert reason in fusion.explain(fast).title


def test_tangents_from_outside_are_kept():
    model, x = net(cropped), image(1, 3, 20, 23)
    fast = fusion.accelerate(copy.deepcopy(model))
    with torch.no_grad(), forward_ad.dual_level():
        dual = forward_ad.make_dual(x, torch.ones_like(x))
        ours, plain = (forward_ad.unpack_dual(m(dual)).tangent for m in (fast, model))
        torch.testing.assert_close(ours, plain)
    assert is_fast(fast, x)


def test_a_first_call_under_autocast_plans_nothing_else():
    model, x = net(cropped), image(1, 3, 20, 23)
    fast = fusion.accelerate(copy.deepcopy(model))
    fast.tail.weight.mul_(2)
    with torch.autocast("cpu", torch.bfloat16):
        assert fast(x).dtype == torch.bfloat16
    fast.tail.weight.mul_(0.5)
    torch.testing.assert_close(fast(x), model(x), rtol=1e-4, atol=1e-5)
    assert is_fast(fast, x)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_torch_jit_script_says_what_to_do():
    model = fusion.accelerate(nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU()).eval())
    for each in (model, nn.Sequential(model)):
        with pytest.raises(TypeError, match=r"restore\(model\) first"):
            torch.jit.script(each)
    x = image(1, 3, 20, 23)
    torch.testing.assert_close(torch.jit.script(fusion.restore(model))(x), model(x))


def two(m, x, y):
    return m.tail(F.relu(m.head(x)) - m.head(y))


def two_that_may_be_one(m, x, y):
    x.mul_(2)
    return m.tail(F.relu(m.head(y)))


@pytest.mark.parametrize("same", [False, True], ids=["two", "the same twice"])
@pytest.mark.parametrize("function", [two, two_that_may_be_one], ids=lambda f: f.__name__)
def test_two_inputs(function, same, tolerance):
    class Two(Net):
        def forward(self, x, y):
            return self.function(self, x, y)

    model = Two(function).eval().requires_grad_(False)
    fast, exact = fusion.accelerate(copy.deepcopy(model)), copy.deepcopy(model).double()
    for shape in ((1, 3, 20, 23), (2, 3, 17, 16)):
        results, given = [], []
        for module in (fast, model, exact):
            x, y = image(*shape).to(module.head.weight.dtype), image(*shape, seed=1)
            y = x if same else y.to(x.dtype)
            assert module is not fast or vars(fast)["forward"].plans.serving((x, y))
            results.append(module(x, y=y))
            given.append(x)
        tolerance(*results)
        tolerance(*given)


def test_a_picture_and_its_mask(tolerance):
    class Masked(nn.Module):
        def __init__(self):
            super().__init__()
            self.fill, self.tail = (nn.Conv2d(i, o, 3, padding=1) for i, o in ((4, 8), (8, 3)))

        def forward(self, x, mask):
            return self.tail(F.relu(self.fill(torch.cat([x * (1 - mask), mask], 1))))

    torch.manual_seed(0)
    model = Masked().eval().requires_grad_(False)
    fast, exact = fusion.accelerate(copy.deepcopy(model)), copy.deepcopy(model).double()
    inputs = image(1, 3, 20, 23), image(1, 1, 20, 23, seed=1)
    assert vars(fast)["forward"].plans.serving(inputs)
    tolerance(fast(*inputs), model(*inputs), exact(*(x.double() for x in inputs)))


def test_two_inputs_of_different_sizes_go_the_modules_own_way():
    class Two(Net):
        def forward(self, x, y):
            return self.function(self, x, y)

    model = Two(two).eval().requires_grad_(False)
    x, y = image(1, 3, 20, 23), image(1, 3, 1, 1)
    expected = model(x, y)
    assert torch.equal(fusion.accelerate(model)(x, y), expected)
