"""One canonical form for the many ways in which networks write the same computation.

- convolutions with constant weights: an op where one takes them, else ``torch.conv2d``
- activations as functions, arithmetic as ``operator.add/sub/mul/truediv``, ``torch.cat``,
  ``torch.pixel_shuffle``, ``torch.max_pool2d``, ``F.interpolate`` with fixed positional arguments
- in-place writes become new values: whoever read the overwritten tensor later reads the new one;
  where the tensor shares memory with another they stay, and are marked
- what depends on constants only is computed now, in float64
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.fx import Graph, Node
from torch.fx.node import map_arg

from ..op import called_op
from ..ops import CONV_ACT, DIRECT_CONV_ACT
from . import canonical as words
from . import memory
from .arithmetic import FORMULA_WORDS
from .calls import Call, Same
from .factories import MADE
from .graph import Conv, Depthwise, DirectConv, calls, constant, spread_of, sweep, value, writes
from .trace import Traced
from .values import FixesFloat32, Untraceable, is_size


def normalise(traced: Traced, twin: nn.Module, probe: Tensor, exact: torch.dtype) -> Graph:
    """Rewrites the traced graph in place and returns it; checks of the input become guards.

    ``exact``: the dtype of the twin. Raises ``Untraceable`` for what a graph that is run in another
    dtype, or without the memory layout of the original, cannot stand for.
    """
    worker = _Normaliser(traced, twin, probe, exact)
    for node in list(traced.graph.nodes):
        worker.visit(node)
        worker.seen.add(node)
    graph = traced.graph
    if memory.written_constant(graph):
        raise Untraceable("it writes in place into its own tensors")
    if name := memory.shared_by_layout(graph):
        raise Untraceable(f"it writes in place into a tensor that {name} may share with another")
    _drop_copies(graph)
    sweep(graph)
    return graph


def _settle_shape(node: Node) -> None:
    """One unknown side of a constant's new shape follows from the others: ``weight.view(1, C, 1,
    1)``, where ``C`` was asked of the picture."""
    if node.op != "call_method" or node.target not in ("view", "reshape"):
        return
    tensor, *sides = node.args
    unknown = [side for side in sides if isinstance(side, Node)]
    if value(tensor) is not None and len(unknown) == 1 and -1 not in sides:
        node.args = (tensor, *(-1 if side in unknown else side for side in sides))


def _drop_copies(graph: Graph) -> None:
    """Without copies that only functions read which do not care how a tensor lies in memory."""
    storage = memory.storages(graph)
    written = {storage[n] for n in graph.nodes if writes(n)}
    for node in list(graph.nodes):
        if node.target not in ("contiguous", "clone", torch.clone):
            continue
        source = node.args[0]
        alone = storage[source] not in written and storage[node] not in written
        if alone and all(called_op(u) or calls(u, *_BLIND) for u in node.users):
            node.replace_all_uses_with(source)
            graph.erase_node(node)


_BLIND = frozenset(
    {torch.conv2d, torch.cat, F.interpolate, torch.max_pool2d, torch.pixel_shuffle}
    | FORMULA_WORDS.keys()
)


class _Normaliser:
    def __init__(self, traced: Traced, twin: nn.Module, probe: Tensor, exact: torch.dtype):
        self.traced = traced
        self.graph = traced.graph
        self.twin = twin
        self.probe = probe
        self.exact = exact
        self.seen: set[Node] = set()

    def visit(self, node: Node) -> None:
        if node.op == "call_module":
            self.module(node)
        elif node.op in ("call_function", "call_method") and not self.evaluated(node):
            self.call(node)

    def module(self, node: Node) -> None:
        module = self.twin.get_submodule(node.target)
        node.meta.update({"path": node.target, "class": type(module).__name__})
        if node.target in self.traced.opaque:
            node.meta["writes"] = True
            return
        folded = self.traced.folded.get(node.target)
        if folded is not None:
            with self.graph.inserting_before(node):
                weight = constant(self.graph, folded.weight, f"{node.target}.weight")
                bias = constant(self.graph, folded.bias, f"{node.target}.bias")
            conv = Conv((node.args[0],), weight, bias, folded.act, folded.slope)
            self.put(node, Call(CONV_ACT, conv.args))
        elif type(module) in words.MODULES:
            self.translate(node, words.MODULES[type(module)](module), node.args)
        else:
            node.meta["writes"] = bool(getattr(module, "inplace", False))
            node.meta["fresh"] = memory.is_fresh_module(module)

    def call(self, node: Node) -> None:
        target = node.target
        written = memory.written_in_place(node)
        if not (node.users or written):
            return  # a question that has been answered
        if is_size(node):
            return  # numbers, which have no words here
        if node.op == "call_method":
            if words.is_cast_to_float32(node):
                return self.single(node)
            if target in words.FIXED_CASTS:
                raise Untraceable(f"it calls .{target}(), which fixes the dtype or device")
            if written and memory.changes_shape(target):
                raise Untraceable(f"it changes a tensor's shape with {target}")
            word = words.METHODS.get(target[:-1] if written else target)
        else:
            if self.is_check(node):
                return
            if target in MADE:
                return self.make(node)
            word = words.FUNCTIONS.get(target)
        if word is None or not self.translate(node, word, node.args, written is not None):
            self.refuse(node)
            if written:
                self.out_of_place(node)

    def translate(self, node: Node, word: Callable, args: tuple, in_place: bool = False) -> bool:
        try:
            call = word(*args, **node.kwargs)
        except TypeError:  # arguments in a form that the table does not know
            return False
        if call is None:
            return False
        if isinstance(call, Same):
            node.replace_all_uses_with(call.node)
            self.graph.erase_node(node)
            return True
        in_place = in_place or call.in_place
        if in_place and not self.sole(args[0]):
            node.meta["writes"] = True
            return True
        if call.target is torch.conv2d:
            call = self.convolution(node, *call.args)
        new = self.put(node, call)
        if in_place:
            self.overwrite(args[0], new)
        return True

    def put(self, node: Node, call: Call) -> Node:
        with self.graph.inserting_before(node):
            new = self.made(node, call)
        node.replace_all_uses_with(new)
        self.graph.erase_node(node)
        return new

    def made(self, node: Node, argument):
        """Makes what stands for an argument of a call that replaces the node, or for the call."""
        if isinstance(argument, Tensor):
            return constant(self.graph, argument, f"{node.meta['path']}.constant")
        if not isinstance(argument, Call):
            return argument
        args = tuple(self.made(node, a) for a in argument.args)
        new = self.graph.call_function(argument.target, args)
        new.meta.update(node.meta)
        self.seen.add(new)
        return new

    def convolution(self, node: Node, x, weight, bias, stride, padding, dilation, groups):
        with self.graph.inserting_before(node):
            if isinstance(weight, Tensor):
                weight = constant(self.graph, weight, f"{node.meta['path']}.weight")
            if isinstance(bias, Tensor):
                bias = constant(self.graph, bias, f"{node.meta['path']}.bias")
        kernel = value(weight)
        fixed = kernel is not None and (bias is None or value(bias) is not None)
        spread = spread_of(kernel, padding, dilation) if fixed else None
        depthwise = groups > 1 and fixed and kernel.shape[:2] == (groups, 1)
        if spread is not None and depthwise:
            conv = Depthwise((x,), weight, bias, dilation=spread)
            if (call := words.depthwise(conv, groups, stride)) is not None:
                return call
        if spread is not None and stride == (1, 1) and not depthwise:
            if spread == groups == 1 and kernel.shape[2:] in ((1, 1), (3, 3)):
                return Call(CONV_ACT, Conv((x,), weight, bias).args)
            conv = DirectConv((x,), weight, bias, dilation=spread, groups=groups)
            return Call(DIRECT_CONV_ACT, conv.args)
        return Call(torch.conv2d, (x, weight, bias, stride, padding, dilation, groups))

    def make(self, node: Node) -> None:
        """A tensor that code makes: on the device and in the dtype that the graph runs with."""
        dtype = node.kwargs.get("dtype")
        if isinstance(dtype, torch.dtype) and dtype.is_floating_point:
            raise Untraceable(f"it fixes a dtype with {node.target.__name__}")
        like = self.graph.find_nodes(op="placeholder")[0]
        kept = {name: v for name, v in node.kwargs.items() if name != "device" and v is not None}
        if isinstance(dtype, Node):  # that of a tensor, and all have one
            del kept["dtype"]
        node.args, node.kwargs = (like, *node.args), kept
        node.target = MADE[node.target]

    def out_of_place(self, node: Node) -> None:
        """Turns a method in place into its twin that makes a new value, if it may and there is
        one; else marks it."""
        twin = str(node.target)[:-1]
        old = node.args[0]
        if node.op == "call_method" and hasattr(Tensor, twin) and self.sole(old):
            node.target = twin
            self.overwrite(old, node)
        else:
            node.meta["writes"] = True

    def sole(self, old: Node) -> bool:
        """Return true if nothing else shares memory with ``old``."""
        users = [u for u in old.users if u in self.seen]
        return memory.is_fresh(old) and all(memory.is_fresh(u) for u in users)

    def overwrite(self, old: Node, new: Node) -> None:
        """``new`` was written over ``old``: from here on ``old`` has the value of ``new``."""
        for user in [u for u in old.users if u not in self.seen and u is not new]:
            user.replace_input_with(old, new)

    def single(self, node: Node) -> None:
        """Removes a cast to float32 where all is in float32."""
        if self.exact != torch.float32:
            raise FixesFloat32(f"it calls .{node.target}(), which fixes the dtype")
        node.replace_all_uses_with(node.args[0])
        self.graph.erase_node(node)

    def refuse(self, node: Node) -> None:
        """Raise for a call that stays as it is but must not."""
        name = getattr(node.target, "__name__", str(node.target))
        if node.kwargs.get("out") is not None:
            raise Untraceable(f"it writes the result of {name} into out=")
        arguments = (*node.args, *node.kwargs.values())
        if name == "to" or any(isinstance(a, torch.dtype | torch.device) for a in arguments):
            raise Untraceable(f"it fixes a dtype or device with {name}")

    def evaluated(self, node: Node) -> bool:
        """Computes what depends on constants only; True if ``node`` is gone."""
        _settle_shape(node)
        inputs = node.all_input_nodes
        known = {n: value(n) for n in inputs}
        if not inputs or memory.written_in_place(node) or any(v is None for v in known.values()):
            return False
        if node.target is getattr and node.args[1] in ("dtype", "device"):
            return False  # those of the copy, not those of the model
        args, kwargs = (map_arg(a, known.__getitem__) for a in (node.args, node.kwargs))
        function = node.target
        if node.op == "call_method":
            if node.target in words.CASTS | words.FIXED_CASTS:
                return False
            function = getattr(torch.Tensor, node.target)
        result = function(*args, **kwargs)
        if isinstance(result, Tensor):
            with self.graph.inserting_before(node):
                new = constant(self.graph, result, f"{node.meta['path']}.constant")
            node.replace_all_uses_with(new)
        else:
            for user in list(node.users):
                user.args = map_arg(user.args, lambda n: result if n is node else n)
                user.kwargs = map_arg(user.kwargs, lambda n: result if n is node else n)
        self.graph.erase_node(node)
        return True

    def is_check(self, node: Node) -> bool:
        """A stranger's function that returns the input itself only looks at it: a guard."""
        home = getattr(node.target, "__module__", None) or ""
        inputs = node.all_input_nodes
        of_input = inputs == self.graph.find_nodes(op="placeholder") and node.args[0] is inputs[0]
        if not of_input or home.partition(".")[0] in ("torch", "_operator", "math", "builtins"):
            return False
        function, rest, kwargs = node.target, node.args[1:], node.kwargs
        if function(self.probe, *rest, **kwargs) is not self.probe:
            return False
        self.traced.guards.append(lambda x: function(x, *rest, **kwargs) is x)
        node.replace_all_uses_with(inputs[0])
        self.graph.erase_node(node)
        return True
