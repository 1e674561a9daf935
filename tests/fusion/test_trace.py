"""Following a stranger's code, and refusing what a graph cannot stand for."""

import operator

import pytest
import torch
import torch.nn.functional as F
from lookalikes import Branching, PartlyBranching, Refolding, Swift, SwiftNet, plain
from torch import nn

from esr_kernels.fusion import accelerate, explain, reparam
from esr_kernels.fusion.copying import private_copy
from esr_kernels.fusion.graph import execute
from esr_kernels.fusion.normalise import normalise
from esr_kernels.fusion.trace import trace
from esr_kernels.fusion.values import Untraceable


def follow(module, channels=3):
    twin = private_copy(module.eval())
    probe = torch.rand(1, channels, 16, 17)
    traced = trace(twin, {}, probe)
    return twin, traced, normalise(traced, twin, probe, torch.float64)


def check(module, channels=3):
    torch.manual_seed(0)
    twin, traced, graph = follow(module, channels)
    graph.lint()
    x = torch.rand(2, channels, 16, 17, dtype=torch.float64)
    with torch.no_grad():
        ours, expected = execute(graph, twin, x.clone()), twin(x.clone())
        torch.testing.assert_close(ours, expected, rtol=0, atol=1e-9)
    return traced, graph


class From(nn.Module):
    """A module whose forward is the function given."""

    def __init__(self, function, **parts):
        super().__init__()
        self.function = function
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x):
        return self.function(self, x)


@pytest.mark.parametrize("conv", [plain, Refolding])
def test_graph_computes_what_the_module_does(conv):
    check(SwiftNet(6, conv=conv))


def test_the_module_is_left_alone():
    module = SwiftNet(6, conv=Refolding).eval()
    attributes = {path: dict(vars(m)) for path, m in module.named_modules()}
    pointers = [t.data_ptr() for t in module.state_dict().values()]
    check(module)
    assert [t.data_ptr() for t in module.state_dict().values()] == pointers
    for path, m in module.named_modules():
        assert all(vars(m)[k] is v for k, v in attributes[path].items()), path
        assert vars(m).keys() == attributes[path].keys()


def test_the_copy_is_put_back():
    twin, _, _ = follow(SwiftNet(6, conv=Refolding))
    assert isinstance(twin.average, torch.Tensor) and "forward" not in vars(twin.head)
    assert isinstance(twin.mix.weight, nn.Parameter)


@pytest.mark.parametrize("slope", [None, 0.05, 0.2])
def test_refolding_convolution_is_one_convolution(slope):
    torch.manual_seed(1)
    module = Refolding(5, 7, slope=slope).double().eval()
    folded = reparam.fold(module)
    assert folded.derived == "deployed" and folded.act == ("none" if slope is None else "lrelu")
    x = torch.randn(1, 5, 6, 7, dtype=torch.float64)
    y = F.conv2d(x, folded.weight, folded.bias, padding=1)
    y = y if slope is None else F.leaky_relu(y, folded.slope)
    torch.testing.assert_close(y, module.train()(x), rtol=0, atol=1e-10)


def test_convolution_with_an_unknown_twist_is_not_folded():
    module = Refolding(5, 7).double().eval()
    module.forward = lambda x: torch.tanh(module.deployed(x))
    assert reparam.fold(module) is None


def test_merged_weights_count_where_the_branches_are_not_used():
    module = Refolding(4, 4).double().eval()
    module.refold = lambda: None
    folded = reparam.fold(module)
    assert folded.derived is None and torch.equal(folded.weight, module.deployed.weight)


def test_a_submodule_that_branches_on_values_is_opaque():
    traced, _ = check(PartlyBranching())
    assert list(traced.opaque) == ["odd"] and "depends on values" in traced.opaque["odd"]


def test_a_root_that_branches_on_values_is_refused():
    with pytest.raises(Untraceable, match="depends on values"):
        follow(Branching(3))


def touch_data(m, x):
    m.conv.weight.data = m.conv.weight * 1
    return m.conv(x)


def remember(m, x):
    m.state = x if getattr(m, "state", None) is None else m.state + x
    return m.state


def fixed_dtype(m, x):
    return m.conv(x).float() + 1


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (touch_data, r"\.data"),
        (remember, "attribute that its last call has left"),
        (fixed_dtype, "dtype"),
    ],
)
def test_code_that_a_graph_cannot_stand_for(function, reason):
    with pytest.raises(Untraceable, match=reason):
        follow(From(function, conv=plain(3, 3)))


def test_a_cast_to_the_dtype_that_all_has_is_none():
    for cast in (fixed_dtype, lambda m, x: m.conv(x).to(torch.float32).relu()):
        model = accelerate(From(cast, conv=plain(3, 3)).eval())
        assert explain(model).title.startswith("accelerated")
        x = torch.rand(1, 3, 24, 31)
        with torch.no_grad():
            assert torch.allclose(model(x), cast(model, x), atol=1e-5)
            assert "fixes the dtype" in explain(model.double()).title
            assert model(x.double()).dtype == torch.float32


def test_later_readers_of_an_overwritten_tensor_read_the_new_one():
    def forward(m, x):
        y = m.conv(x)
        z = y  # the same tensor under a second name
        y -= 0.1
        F.leaky_relu_(y, 0.3)
        return z * 2, torch.relu_(m.conv(x)), y

    check(From(forward, conv=plain(3, 4)))


def test_swift_block_returns_the_activated_map():
    _, graph = check(Swift(6), channels=6)
    result = next(iter(reversed(graph.nodes))).args[0]
    assert result[1].target is F.silu


def test_questions_about_the_shape_are_kept():
    def forward(m, x):
        if x.dim() != 4 or x.shape[1] != 3:
            raise ValueError("no picture")
        _, _, h, w = x.size()
        return m.conv(F.pad(x, (0, w % 2, 0, h % 2)))

    traced, _ = check(From(forward, conv=plain(3, 3)))
    assert traced.questions.hold([(1, 3, 5, 5)])
    assert not traced.questions.hold([(1, 1, 5, 5)])
    assert "not (x.shape[1] != 3)" in traced.questions.phrases


def test_what_depends_on_constants_only_is_computed_once():
    def forward(m, x):
        scaled = m.conv.weight * m.scale.exp()
        return F.conv2d(x, scaled, m.conv.bias, padding=1)

    _, graph = check(From(forward, conv=plain(3, 4), scale=nn.Parameter(torch.rand(4, 1, 1, 1))))
    assert not [n for n in graph.nodes if n.target in (operator.mul, "exp")]


def test_hooked_submodules_stay_opaque():
    twin = private_copy(PartlyBranching().eval())
    traced = trace(twin, {"head": "it has hooks"}, torch.rand(1, 3, 8, 8))
    assert traced.opaque["head"] == "it has hooks"
    assert next(n.target for n in traced.graph.nodes if n.op == "call_module") == "head"


def test_the_name_of_a_tensors_type_is_known():
    def squeezed(m, x):
        half = "Half" in x.type()
        mean = x.float().mean((2, 3)).half() if half else x.mean((2, 3))
        return m.conv(x) * mean[..., None, None]

    traced, _ = check(From(squeezed, conv=nn.Conv2d(3, 3, 3, padding=1)))
    assert not traced.opaque
