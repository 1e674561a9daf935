"""``elementwise``, chains of functions, against their formula in plain torch.

By itself the op is torch's; in programs it is a step, which these tests drive through a program of
nothing else.
"""

from __future__ import annotations

import pytest
import torch
from images import image
from operands import (
    DTYPES,
    LAYOUTS,
    amid_nan,
    assert_gradients,
    assert_matches,
    assert_refuses,
    assert_same_format,
    channels_last,
)

from esr_kernels import ops
from esr_kernels.formula import WORDS, counts, evaluate, parse, simplest, written
from esr_kernels.ops.elementwise import reference

_C = pytest.importorskip("esr_kernels._C", reason="esr_kernels._C is not built")
from esr_kernels.backends.cpu.builder import Builder  # noqa: E402
from esr_kernels.backends.lowering.lower import LOWER  # noqa: E402

every_isa = pytest.mark.parametrize("isa", _C.isas())
CHAIN = "prelu(x0, c0); sigmoid(x1); mul(t0, t1); sub(t2, x0); abs(t3); div(t2, 3); max(t4, t5)"


def program(inputs, formula, constants):
    """The op as a step of a program."""
    builder = Builder()
    values = [builder.input(x.shape[1]) for x in inputs]
    builder.output(LOWER["elementwise"](builder, values, formula, constants))
    return builder.run(inputs)[0]


def arguments(n, c, h, w, dtype=torch.float32, formula=CHAIN):
    draw = torch.Generator().manual_seed(c)
    inputs = [(6 * image(n, c, h, w, seed) - 3).to(dtype) for seed in range(counts(formula)[0])]
    return inputs, formula, [torch.randn(c, generator=draw).to(dtype)] * counts(formula)[1]


def of(name: str) -> str:
    """A formula of one function, of inputs where it takes them."""
    operands = {"elu": "x0, 0.7", "clamp": "x0, -0.5, 0.7"}
    return f"{name}({operands.get(name, ', '.join(f'x{i}' for i in range(WORDS[name].arity)))})"


@every_isa
@pytest.mark.parametrize("scale", [0.01, 1, 30])
@pytest.mark.parametrize("name", WORDS)
def test_functions(name, scale, isa, monkeypatch):
    monkeypatch.setenv("ESR_KERNELS_ISA", isa)
    inputs, formula, _ = arguments(1, 3, 33, 70, formula=of(name))
    inputs = [scale * x for x in inputs]
    if name == "exp":
        inputs = [x.clamp(max=80) for x in inputs]
    if name in ("sqrt", "rsqrt", "log"):
        inputs = [x.abs() + 1e-3 for x in inputs]
    assert_matches(program(inputs, formula, []), reference, (inputs, formula, []))


@every_isa
@pytest.mark.parametrize(
    "name", sorted(WORDS.keys() - {"addcmul"})
)  # with a product that overflows
def test_ends_of_the_range(name, isa, monkeypatch):
    """Infinities, zeros and NaN are treated as torch does; below 1.2e-38 all is zero."""
    monkeypatch.setenv("ESR_KERNELS_ISA", isa)
    numbers = [0.0, torch.inf, -torch.inf, torch.nan, 1e-40, 2e-38, -1e-40, 3e38, -3e38]
    numbers += [88.0, 89.5, -88.0, -105.0, 20.5, -20.5, 1.0, -1.0]
    grid = torch.cartesian_prod(*2 * [torch.tensor(numbers)]).T.reshape(2, 1, 1, len(numbers), -1)
    inputs, formula = list(grid[: counts(of(name))[0]]), of(name)
    ours = program(inputs, formula, [])
    plain = reference([torch.where(x.abs() < 1e-39, 0.0, x) for x in inputs], formula, [])
    if name in ("silu", "mish", "gelu", "gelu_tanh"):  # of -inf: NaN in some forms of torch
        keep = inputs[0] != -torch.inf
        if name.startswith("gelu"):  # and these
            assert torch.equal(ours[inputs[0] >= 3e38], inputs[0][inputs[0] >= 3e38])
            keep &= inputs[0] < 3e38
        ours, plain = ours[keep], plain[keep]
    assert torch.equal(ours.isnan(), plain.isnan())
    torch.testing.assert_close(ours, plain, rtol=2e-6, atol=1e-30, equal_nan=True)


@every_isa
@pytest.mark.parametrize("size", [(1, 1), (1, 7), (7, 1), (31, 33), (33, 31), (5, 700)], ids=str)
def test_sizes(size, isa, monkeypatch):
    monkeypatch.setenv("ESR_KERNELS_ISA", isa)
    args = arguments(3, 5, *size)
    assert_matches(program(*args), reference, args)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("channels", [1, 3, 26, 28, 48, 52])
def test_channels(channels, dtype):
    args = arguments(2, channels, 9, 35, dtype)
    for ours in (program(*args), ops.elementwise(*args)):
        assert_matches(ours, reference, args)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout, dtype):
    inputs, *rest = arguments(3, 6, 17, 20, dtype)
    args = [layout(inputs[0]), amid_nan(inputs[1])], *rest
    for ours in (program(*args), ops.elementwise(*args)):
        assert_matches(ours, reference, args)
        assert_same_format(args[0][0], ours)


def test_one_channel_for_all():
    inputs = [2 * image(2, c, 9, 35, seed=c) - 1 for c in (6, 1)]
    args = inputs, "mul(x0, x1); add(t0, c0)", [torch.randn(6)]
    assert_matches(program(*args), reference, args)
    args = inputs[::-1], *args[1:]
    assert_matches(program(*args), reference, args)


def test_results_share_registers_without_harm():
    """Every term is read again much later, or never."""
    formula = "add(x0, 1); mul(t0, x1); abs(x1); sub(t0, t2); mul(t1, t3); tanh(x0); add(t4, t2)"
    args = arguments(1, 3, 5, 70, formula=formula)
    assert_matches(program(*args), reference, args)


def test_many_terms():
    formula = "; ".join(["mul(x0, 0.5)", *(f"sub(x1, t{i})" for i in range(30))])
    args = arguments(1, 3, 5, 70, formula=formula)
    assert_matches(program(*args), reference, args)


def test_reference_backend(monkeypatch):
    args = arguments(2, 6, 15, 18)
    monkeypatch.setenv("ESR_KERNELS_BACKEND", "reference")
    assert torch.equal(ops.elementwise(*args), reference(*args))


@pytest.mark.parametrize("layout", [torch.clone, channels_last, amid_nan])
def test_opcheck(layout):
    inputs, formula, constants = arguments(2, 3, 7, 9)
    args = [layout(x).requires_grad_() for x in inputs], formula, constants
    torch.library.opcheck(torch.ops.esr_kernels.elementwise.default, args)


def test_gradients():
    inputs, formula, constants = arguments(1, 2, 4, 5, torch.float64, "silu(x0); mul(t0, x1)")
    args = [x.requires_grad_() for x in inputs], formula, constants
    assert_gradients(ops.elementwise, reference, args)


def test_compile():
    def network(x, u):
        return ops.elementwise([ops.elementwise(x, "gelu(x0)"), u], "mul(x0, x1)")

    compiled = torch.compile(network, fullgraph=True, backend="aot_eager")
    x, u = image(1, 4, 17, 21), image(1, 4, 17, 21, 1)
    assert torch.equal(compiled(x, u), network(x, u))


def test_a_formula_is_text_and_back():
    text = "prelu(x0, c0); clamp(t0, -0.5, 1e-05); sub(1.0, t1)"
    assert written(parse(text)) == text
    assert written(simplest(text)).startswith("prelu(x0, c0); max(t0, -0.5); min(t1, 1e-05)")


@pytest.mark.parametrize(
    ("error", "words", "args"),
    [
        (TypeError, "x must be a torch.Tensor or a list", (1, "abs(x0)")),
        (TypeError, "formula must be a string, not int", (torch.rand(1, 5, 4, 4), 1)),
        (TypeError, "x is uint8; use float32", (torch.ones(1, 5, 4, 4).byte(), "abs(x0)")),
        (ValueError, "the list of inputs is empty", ([], "abs(x0)")),
        (ValueError, "'sin(x0)' is no function", (torch.rand(1, 5, 4, 4), "sin(x0)")),
        (ValueError, "'' is no function", (torch.rand(1, 5, 4, 4), "abs(x0);")),
        (ValueError, "add takes 2 operands, not 1", (torch.rand(1, 5, 4, 4), "add(x0)")),
        (ValueError, "'y0' is no operand", (torch.rand(1, 5, 4, 4), "abs(y0)")),
        (ValueError, "t0 is not known yet", (torch.rand(1, 5, 4, 4), "abs(t0)")),
        (ValueError, "has a number where", (torch.rand(1, 5, 4, 4), "max(1, x0)")),
        (ValueError, "reads 2 inputs, but 1 are given", (torch.rand(1, 5, 4, 4), "mul(x0, x1)")),
        (ValueError, "reads 1 constants, but 0", (torch.rand(1, 5, 4, 4), "mul(x0, c0)")),
        (
            ValueError,
            "constants[0] has shape [4], expected [5]",
            (torch.rand(1, 5, 4, 4), "mul(x0, c0)", [torch.rand(4)]),
        ),
        (
            ValueError,
            "x[1] has shape [1, 5, 1, 4]",
            ([torch.rand(1, 5, 4, 4), torch.rand(1, 5, 1, 4)], "mul(x0, x1)"),
        ),
    ],
)
def test_bad_input(error, words, args):
    assert_refuses(error, words, ops.elementwise, *args)


OVER = [  # formula, inputs that may be written over, whether something is written there
    ("prelu(x0, 0.1)", [0], True),
    ("add(x0, x1)", [0], True),
    ("add(x1, x0); relu(t0)", [0], False),
    ("prelu(x0, c0)", [0], False),
    ("gelu(x0); mul(t0, x1); sigmoid(t1); mul(t2, x0)", [1], False),
    ("add(x0, x0); add(t0, x0)", [0], False),
    ("mul(x0, 2); add(t0, x0)", [0], False),
    ("relu(x0); mul(t0, t0)", [0], True),
    (CHAIN, [0, 1], True),
    *[(of(name), [], False) for name in WORDS],
]


@pytest.mark.parametrize(("formula", "spent", "written_over"), OVER)
def test_over_its_inputs(formula, spent, written_over):
    inputs, _, constants = arguments(2, 6, 9, 20, formula=formula)
    expected = evaluate(formula, inputs, constants)
    given = [x.clone() for x in inputs]
    ours = evaluate(formula, given, constants, spent)
    assert torch.equal(ours.nan_to_num(7), expected.nan_to_num(7))
    changed = {i for i, x in enumerate(given) if not torch.equal(x, inputs[i])}
    assert changed <= set(spent) and bool(changed) == written_over


def test_a_result_larger_than_its_first_operand_is_not_written_over_it():
    picture, vector = 4 * image(2, 6, 9, 20) - 1, torch.rand(2, 6, 1, 1)
    ours = evaluate("mul(x0, x1); sigmoid(t0)", [vector.clone(), picture], [], [0])
    assert torch.equal(ours, torch.sigmoid(vector * picture))
