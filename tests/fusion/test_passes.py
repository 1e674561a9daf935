"""Each rewrite: where it applies, where it must not, and that the result is the same."""

import pytest
import torch
import torch.nn.functional as F
from lookalikes import Attention, Refolding, Residuals, Swift, SwiftNet, plain
from test_trace import From, follow
from torch import nn

from esr_kernels.formula import parse
from esr_kernels.fusion import verify
from esr_kernels.fusion.graph import conv_of, execute
from esr_kernels.fusion.passes import PASSES
from esr_kernels.fusion.pictures import SIZES, sample_pictures
from esr_kernels.models.architectures.dvmsr import DVMSR
from esr_kernels.models.architectures.rlfn import RLFN
from esr_kernels.models.architectures.span import SPAN
from esr_kernels.ops import (
    CONV3X3_PIXEL_SHUFFLE,
    CONV_ACT,
    ELEMENTWISE,
    ESA,
    SELECTIVE_SCAN,
    SPAB,
)
from esr_kernels.ops.selective_scan import reference as selective_scan


def fuse(module, channels=3, passes=PASSES):
    """The fused graph, asserted equal on a picture of another size than the one verified with."""
    torch.manual_seed(0)
    twin, _, graph = follow(module, channels)
    inputs = sample_pictures([(1, channels, *SIZES[0])])
    with torch.no_grad():
        execute(graph, twin, *inputs, note_shapes=True)
        fused, left_out = verify.rewrite(graph, passes, twin, inputs)
        assert not left_out
        fused.lint()
        other = torch.rand(2, channels, 31, 17, dtype=torch.float64)
        assert verify.agree(execute(fused, twin, other), twin(other.clone()))
    return fused


def count(graph, target):
    return sum(n.target is target for n in graph.nodes)


def computing(graph):
    """Names of what the nodes call; of a formula, those of its functions."""
    kinds = ("call_function", "call_method", "call_module")
    names = [name for n in graph.nodes if n.op in kinds for name in names_of(n)]
    return [name for name in names if name not in ("getitem", "getattr", "size")]


def names_of(node):
    if node.target is ELEMENTWISE:
        return [term.word for term in parse(node.args[1])]
    return [getattr(node.target, "__name__", node.target)]


@pytest.mark.parametrize(
    "module",
    [SPAN(26), SPAN(12, training_form=True), SPAN(10, scale=2, norm=False)],
    ids=["slim", "training", "no_norm"],
)
def test_span_becomes_ten_ops(module):
    graph = fuse(module)
    assert (count(graph, SPAB), count(graph, CONV_ACT), count(graph, CONV3X3_PIXEL_SHUFFLE)) == (
        6,
        3,
        1,
    )
    assert len(computing(graph)) == (11 if module.norm else 10)  # the mean stays beside the ops


def test_rlfn_becomes_ops_only():
    graph = fuse(RLFN(14, mid=16, blocks=2, esa_hidden=8))
    assert (count(graph, ESA), count(graph, CONV_ACT), count(graph, CONV3X3_PIXEL_SHUFFLE)) == (
        2,
        10,
        1,
    )
    assert len(computing(graph)) == 13


def test_scans_of_dvmsr():
    graph = fuse(DVMSR(6, groups=2, blocks=2))
    assert (count(graph, SELECTIVE_SCAN), count(graph, selective_scan)) == (4, 0)
    # Of these, each block has two: its projections in and out.
    assert (count(graph, CONV_ACT), count(graph, CONV3X3_PIXEL_SHUFFLE)) == (12, 1)


def test_a_scan_needs_no_constants():
    def scan(m, x):
        tokens = m.a(x).flatten(2).mT
        rate = -tokens[0].square()[:3].mT
        states = tokens[:, :, :3]
        return selective_scan(tokens, tokens.square(), rate, states, states, tokens[0, 0])

    graph = fuse(From(scan, a=plain(3, 4)))
    assert (count(graph, SELECTIVE_SCAN), count(graph, selective_scan)) == (1, 0)


@pytest.mark.parametrize("conv", [plain, Refolding])
@pytest.mark.parametrize("order", [0, 1, 2])
def test_swift_blocks_in_any_spelling(conv, order):
    graph = fuse(SwiftNet(6, conv=conv, order=order))
    assert count(graph, SPAB) == 2 and len(computing(graph)) == 7


@pytest.mark.parametrize(
    "block", [{"half": 0.4}, {"act": nn.ReLU}, {"act": nn.Hardswish}], ids=["half", "relu", "other"]
)
def test_imposters_of_spab(block):
    graph = fuse(SwiftNet(6, **block))
    assert count(graph, SPAB) == 0 and count(graph, CONV_ACT) > 6


def test_gate_with_a_second_reader_of_its_attention_stays():
    graph = fuse(Swift(6), channels=6)  # returns its attention map too
    assert count(graph, SPAB) == 0 and "sigmoid" in computing(graph)


def test_blocks_that_share_their_weights():
    def block(m, u):
        v = u
        for conv in (m.a, m.b):
            v = F.silu(F.conv2d(v, conv.weight, conv.bias, padding=1))
        w = F.conv2d(v, m.c.weight, m.c.bias, padding=1)
        return (w + u) * (w.sigmoid() - 0.5)

    parts = {name: plain(3, 3) for name in "abc"}
    graph = fuse(From(lambda m, x: block(m, block(m, x)) + block(m, x * 2), **parts))
    assert count(graph, SPAB) == 3


def test_residual_of_another_tensor_is_no_spab():
    def forward(m, x):
        w = m.c(F.silu(m.b(F.silu(m.a(x)))))
        return (w + x * 2) * (torch.sigmoid(w) - 0.5)

    graph = fuse(From(forward, a=plain(3, 3), b=plain(3, 3), c=plain(3, 3)))
    acts = [conv_of(n).act for n in graph.nodes if conv_of(n)]
    assert count(graph, SPAB) == 0 and acts == ["silu", "silu", "span_gate"]


@pytest.mark.parametrize("size", [0, 1, 2, 3])
def test_attention_whatever_way_its_size_is_written(size):
    assert computing(fuse(Attention(9, size=size), channels=9)) == ["esa"]


@pytest.mark.parametrize("size", [0, 1, 2, 3])
def test_attention_without_the_1x1_beside_it(size):
    assert computing(fuse(Attention(9, size=size, side=False), channels=9)) == ["esa"]


def test_imposters_of_esa():
    assert count(fuse(Attention(9, inner=True), channels=9), ESA) == 0

    class Rectified(Attention):
        def forward(self, u):
            a = self.p(u)
            small = self.s(F.relu(F.max_pool2d(self.r(a), 7, 3)))
            large = F.interpolate(small, u.shape[2:], mode="bilinear", align_corners=False)
            return u * torch.sigmoid(self.t(large + self.q(a)))

    assert count(fuse(Rectified(9), channels=9), ESA) == 0

    class AddsAnother(Attention):
        def forward(self, u):
            a = self.p(u)
            small = self.s(F.max_pool2d(self.r(a), 7, 3))
            large = F.interpolate(small, u.shape[2:], mode="bilinear", align_corners=False)
            return u * torch.sigmoid(self.t(large + self.p(u + 1)))

    assert count(fuse(AddsAnother(9), channels=9), ESA) == 0


def test_residuals_scales_and_the_enlarged_picture():
    graph = fuse(Residuals())
    assert computing(graph) == [
        *["conv_act"] * 3,
        "esa",
        "conv3x3_pixel_shuffle",
    ]
    assert (
        next(n for n in graph.nodes if n.target is CONV3X3_PIXEL_SHUFFLE).args[4].op
        == "placeholder"
    )


ACTIVATIONS = {
    "relu": [nn.ReLU(), nn.ReLU(inplace=True), torch.relu, F.relu, lambda x: x.relu_()],
    "lrelu": [nn.LeakyReLU(0.2), lambda x: F.leaky_relu(x, 0.2), nn.PReLU(init=0.2)],
    "silu": [nn.SiLU(True), F.silu, lambda x: x * torch.sigmoid(x), lambda x: x.sigmoid() * x],
    "gelu": [nn.GELU(), F.gelu],
}


@pytest.mark.parametrize(
    ("name", "act"), [(name, act) for name, acts in ACTIVATIONS.items() for act in acts]
)
def test_activations_in_any_spelling(name, act):
    graph = fuse(From(lambda m, x: m.act(m.conv(x)), conv=plain(3, 5), act=act))
    (conv,) = [conv_of(n) for n in graph.nodes if conv_of(n)]
    assert conv.act == name and (name != "lrelu" or conv.slope == pytest.approx(0.2))


@pytest.mark.parametrize("act", [nn.GELU("tanh"), nn.PReLU(5), nn.ReLU6(), nn.Softplus()])
def test_other_activations_stay_behind_it(act):
    graph = fuse(From(lambda m, x: m.act(m.conv(x)), conv=plain(3, 5), act=act))
    assert computing(graph)[0] == "conv_act" and len(computing(graph)) == 2


@pytest.mark.parametrize(
    "conv",
    [
        nn.Conv2d(4, 4, 3, padding=1, groups=2),
        nn.Conv2d(4, 4, 3, padding=2, dilation=2),
        nn.Conv2d(4, 4, 5, padding=2),
        nn.Conv2d(4, 4, 3, stride=2, padding=1),
        nn.Conv2d(4, 4, 3, padding=1, padding_mode="reflect"),
        nn.Conv2d(4, 4, 3),
        nn.Conv2d(4, 4, (1, 3), padding=(0, 1)),
    ],
)
def test_convolutions_the_op_does_not_take(conv):
    graph = fuse(From(lambda m, x: F.relu(m.conv(x)), conv=conv), channels=4)
    assert count(graph, CONV_ACT) == 0


@pytest.mark.parametrize(
    "function",
    [
        lambda m, x: m.conv(x * 3 / 2),
        lambda m, x: m.conv(m.scale * x),
        lambda m, x: 0.5 * m.conv(x) + 1,
        lambda m, x: m.conv(x).mul(m.out).sub(m.out),
        lambda m, x: F.pixel_shuffle(m.conv(x), 2) / 255 + m.rgb,
    ],
)
def test_constant_factors_go_into_the_weights(function):
    parts = {"scale": torch.rand(1, 3, 1, 1), "out": torch.rand(12, 1, 1)}
    parts["rgb"] = nn.Parameter(torch.rand(1, 3, 1, 1))
    graph = fuse(From(function, conv=plain(3, 12), **parts))
    assert len(computing(graph)) == 1


def test_an_offset_before_a_convolution_stays_a_shift():
    graph = fuse(From(lambda m, x: m.conv(x + 0.25), conv=plain(3, 4)))
    (shift,) = [n for n in graph.nodes if n.name.startswith("sub")]
    assert shift.args[1].meta["value"].flatten().tolist() == [-0.25] * 3
    assert shift.args[1].meta["value"].shape == (1, 3, 1, 1)


def test_residuals_that_broadcast_are_not_taken():
    def forward(m, x):
        return m.conv(x) + m.narrow(x)

    graph = fuse(From(forward, conv=plain(3, 5), narrow=plain(3, 1)))
    assert "add" in computing(graph)


def test_a_convolution_read_twice_keeps_its_own_result():
    graph = fuse(From(lambda m, x: F.relu(y := m.conv(x)) + y, conv=plain(3, 5)))
    assert computing(graph) == ["conv_act", "relu", "add"]


def test_nested_concatenation_is_never_made():
    def forward(m, x):
        a, b = F.relu(m.a(x)), F.relu(m.b(x))
        return m.c(torch.cat([torch.cat([a, x], 1), b], dim=-3))

    graph = fuse(From(forward, a=plain(3, 4), b=plain(3, 5), c=plain(12, 3)))
    assert "cat" not in computing(graph)


@pytest.mark.parametrize("function", [lambda m, x: m.b(m.a(x)), lambda m, x: F.relu(m.b(m.a(x)))])
def test_linear_pair_is_one_convolution_where_that_is_cheaper(function):
    narrow = From(function, a=plain(3, 8), b=nn.Conv2d(8, 4, 1))
    wide = From(function, a=plain(3, 2), b=nn.Conv2d(2, 9, 1))
    before = len(computing(fuse(wide)))
    assert before == 2
    assert len(computing(fuse(narrow))) == (2 if "relu" in str(function.__code__.co_names) else 1)


def test_a_pass_that_changes_the_result_is_left_out():
    def spoil(graph):
        for node in graph.nodes:
            if node.target is CONV_ACT:
                node.args = (*node.args[:3], "relu", 0.0, None)

    twin, _, graph = follow(SwiftNet(6))
    inputs = sample_pictures([(1, 3, *SIZES[0])])
    with torch.no_grad():
        expected = execute(graph, twin, *inputs, note_shapes=True)
        fused, left_out = verify.rewrite(graph, [*PASSES, spoil], twin, inputs)
        assert left_out == ["spoil"] and count(fused, SPAB) == 2
        assert verify.agree(execute(fused, twin, *inputs), expected)
