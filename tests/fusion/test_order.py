"""What is written through one name is read through another: code orders by lines, graphs do not."""

from __future__ import annotations

import contextlib
import copy
import itertools

import pytest
import torch
import torch.nn.functional as F
from fast import check, is_fast
from images import image
from torch import nn

from esr_kernels import fusion
from esr_kernels.fusion import memory


def conv(into: int, out: int) -> nn.Module:
    return nn.Conv2d(into, out, 3, padding=1)


class Writer(nn.Module):
    """Writes into its input, and no graph can stand for it: whether it does depends on values."""

    def __init__(self, least: float = -1e9) -> None:
        super().__init__()
        self.least = least

    def forward(self, x):
        if float(x.sum()) > self.least:
            x.mul_(3)
        return x.mean((2, 3), keepdim=True)


class Net(nn.Module):
    """``forward`` is the function given; there are three convolutions and a writer."""

    def __init__(self, function, least: float = -1e9) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.function = function
        self.a, self.b, self.c = conv(3, 8), conv(8, 8), conv(8, 3)
        self.writer = Writer(least)

    def forward(self, x):
        return self.function(self, x)


def net(function, **kwargs) -> nn.Module:
    return Net(function, **kwargs).eval().requires_grad_(False)


def before_and_after(m, x):
    y = F.relu(m.a(x))
    z = m.b(y)
    s = m.writer(y)
    return m.c(F.silu(z) + m.b(y) + s)


def result_unused(m, x):
    y = F.relu(m.a(x))
    m.writer(y)
    return m.c(y)


def through_a_view(m, x):
    y = F.relu(m.a(x))
    top = y[:, :4]
    z = m.b(y)
    s = m.writer(top)
    return m.c(y * s.mean() + z)


def the_input(m, x):
    y = m.a(x)
    s = m.writer(x)
    return m.c(y + m.a(x)) + s


def a_sum_with_what_was_read_before(m, x):
    y = F.relu(m.a(x))
    early = m.b(y)
    s = m.writer(y)
    return m.c(early + s)


def slices(m, x):
    y = m.b(m.a(x))
    y[:, :4] = F.relu(m.b(y)[:, 4:])
    return m.c(y)


def in_place_on_input(m, x):
    x.mul_(0.5)
    x += 0.25
    return m.c(m.a(x)) + x


def in_place_on_views(m, x):
    y = m.a(x)
    first, second = y.chunk(2, dim=1)
    first.mul_(2)
    second += first
    y[..., 1:-1].clamp_(-1, 1)
    F.relu(y[:, :1], inplace=True)
    return m.c(y) + first.mean()


def in_place_on_a_clone(m, x):
    y = x.clone()
    y -= 0.4
    y.clamp_(0, 1)
    return m.c(m.b(m.a(y))) + x


def after_a_view(m, x):
    y = m.a(x)
    part = y[:, :1]
    y += 1
    return m.c(F.silu(m.b(y)) + part)


def a_writer_and_a_sum_in_place(m, x):
    y = m.a(x)
    s = m.b(y)
    s += m.writer(y)
    return m.c(s + y)


CASES = (
    before_and_after,
    result_unused,
    through_a_view,
    the_input,
    a_sum_with_what_was_read_before,
    slices,
    in_place_on_input,
    in_place_on_views,
    in_place_on_a_clone,
    after_a_view,
    a_writer_and_a_sum_in_place,
)


@pytest.mark.parametrize("least", [-1e9, 1e9], ids=["writes", "does not"])
@pytest.mark.parametrize("function", CASES, ids=lambda f: f.__name__)
def test_results_and_inputs_are_those_of_the_code(function, least, tolerance):
    model, x = net(function, least=least), image(2, 3, 20, 23)
    mine, plains, exact = x.clone(), x.clone(), x.double()
    fast = fusion.accelerate(copy.deepcopy(model))
    assert is_fast(fast, x.clone()), fusion.explain(fast)
    tolerance(fast(mine), model(plains), model.double()(exact))
    tolerance(mine, plains, exact)


def test_a_writer_that_does_not_write_on_the_test_picture(tolerance):
    """``0.9``: the mean of the test picture is a half. Only the order can tell."""
    for function in (before_and_after, the_input, a_sum_with_what_was_read_before):
        model = net(function, least=0.9 * 8 * 20 * 23)
        x = 40 * image(1, 3, 20, 23)
        mine, plains = x.clone(), x.clone()
        ours = fusion.accelerate(copy.deepcopy(model))(mine)
        tolerance(ours, model(plains), model.double()(x.double()))
        tolerance(mine, plains, plains.double())


def test_a_result_of_the_caller_is_not_written_to(tolerance):
    model, x = net(slices), image(1, 3, 9, 8)
    check(fusion.accelerate(model), x, tolerance)


def test_an_input_that_an_op_refuses_was_not_written_to():
    def forward(m, x):
        x.mul_(2)
        return m.c(F.max_pool2d(F.relu(m.a(x)), 9))

    model = net(forward)
    x = image(1, 3, 20, 23)
    fast = fusion.accelerate(copy.deepcopy(model))
    for shape in ((1, 3, 20, 23), (1, 3, 7, 7)):
        x = image(*shape)
        mine, plains = x.clone(), x.clone()
        outcomes = []
        for module, given in ((fast, mine), (model, plains)):
            try:
                outcomes.append(module(given).shape)
            except RuntimeError as error:
                outcomes.append(str(error))
        assert outcomes[0] == outcomes[1] and torch.equal(mine, plains)


def test_a_program_in_another_order_is_found_out(monkeypatch):
    """Without the notes that keep the order the program is wrong, and is not taken."""
    monkeypatch.setattr("esr_kernels.fusion.plan.note_order", lambda graph: None)
    model, x = net(before_and_after), image(1, 3, 20, 23)
    fast = fusion.accelerate(copy.deepcopy(model))
    torch.testing.assert_close(fast(x.clone()), model(x.clone()))
    assert not is_fast(fast, x)
    assert "does not compute what the module computes" in str(fusion.explain(fast))


def test_other_compute_dtypes_write_as_well(tolerance):
    model, x = net(before_and_after), image(1, 3, 20, 23)
    fast = fusion.accelerate(copy.deepcopy(model), compute_dtype=torch.bfloat16)
    plain = copy.deepcopy(model).bfloat16()(x.bfloat16()).float()
    tolerance(fast(x.clone()), plain, copy.deepcopy(model).double()(x.double()))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", sorted(memory._MAKING))
def test_what_is_said_to_make_memory_of_its_own_does(name):
    """With all arguments out of a few that torch takes."""
    x, index = torch.rand(1, 4, 6, 6), torch.zeros(1, 4, 6, 6, dtype=torch.long)
    others = [(), (1,), (x,), (x[0],), ([1],), (1, index), (x > 2, 0), (1, 1, 1, 1), ((0,), (2,))]
    others += [(0, torch.tensor([0])), (torch.ones(4, 4, 1, 1),), (x, x)]
    made = []
    for function in (getattr(torch, name, None), getattr(torch.Tensor, name, None)):
        for first, rest in itertools.product((x, [x], x > 2, x[0]), others):
            with contextlib.suppress(TypeError, RuntimeError, IndexError, AttributeError):
                made.append(function(first, *rest))
    made = [y.untyped_storage().data_ptr() for y in made if isinstance(y, torch.Tensor)]
    assert made and x.untyped_storage().data_ptr() not in made
