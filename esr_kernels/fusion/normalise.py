"""One canonical form for the many ways in which networks write the same computation.

- convolutions with constant weights: an op where one takes them, else ``torch.conv2d``
- activations as functions, arithmetic as ``operator.add/sub/mul/truediv``, ``torch.cat``,
  ``torch.pixel_shuffle``, ``torch.max_pool2d``, ``F.interpolate`` with fixed positional arguments
- in-place writes become new values: whoever read the overwritten tensor later reads the new one
- what depends on constants only is computed now, in float64
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.fx import Graph, Node
from torch.fx.node import map_arg

from ..ops import CONV_ACT, DEPTHWISE3X3_ACT
from . import canonical as words
from .arithmetic import FORMULA_WORDS, IN_PLACE
from .calls import Call, Same
from .graph import Conv, Depthwise, calls, constant, sweep, value
from .trace import Traced, Untraceable

# Functions whose result never shares memory with an argument.
_FRESH = FORMULA_WORDS.keys() | {
    *(CONV_ACT, DEPTHWISE3X3_ACT, torch.conv2d, torch.cat, torch.pixel_shuffle),
    *(torch.max_pool2d, F.interpolate),
}
_QUERIES = frozenset({"size", "dim", "type_as", "expand_as", "view_as"})


def normalise(traced: Traced, twin: nn.Module, probe: Tensor) -> Graph:
    """Rewrites the traced graph in place and returns it; checks of the input become guards.

    Raises ``Untraceable`` for what a graph that is run in another dtype, or without the memory
    layout of the original, cannot stand for.
    """
    worker = _Normaliser(traced, twin, probe)
    for node in list(traced.graph.nodes):
        worker.visit(node)
        worker.seen.add(node)
    sweep(traced.graph)
    return traced.graph


class _Normaliser:
    def __init__(self, traced: Traced, twin: nn.Module, probe: Tensor):
        self.traced = traced
        self.graph = traced.graph
        self.twin = twin
        self.probe = probe
        self.seen: set[Node] = set()

    def visit(self, node: Node) -> None:
        if node.op == "call_module":
            self.module(node)
        elif node.op in ("call_function", "call_method") and not self.evaluated(node):
            self.call(node)

    def module(self, node: Node) -> None:
        if node.target in self.traced.opaque:
            return
        node.meta["path"] = node.target
        folded = self.traced.folded.get(node.target)
        module = self.twin.get_submodule(node.target)
        if folded is not None:
            with self.graph.inserting_before(node):
                weight = constant(self.graph, folded.weight, f"{node.target}.weight")
                bias = constant(self.graph, folded.bias, f"{node.target}.bias")
            conv = Conv((node.args[0],), weight, bias, folded.act, folded.slope)
            self.put(node, Call(CONV_ACT, conv.args))
        elif type(module) in words.MODULES:
            self.translate(node, words.MODULES[type(module)](module), node.args)
        elif getattr(module, "inplace", False):
            self.overwrite(node.args[0], node)

    def call(self, node: Node) -> None:
        target, in_place = node.target, False
        if node.op == "call_method":
            if target in words.FIXED_CASTS:
                raise Untraceable(f"it calls .{target}(), which fixes the dtype or device")
            if target.endswith("_") and not target.endswith("__"):
                target, in_place = target[:-1], True
            word = words.METHODS.get(target)
        else:
            if self.is_check(node):
                return
            word = words.FUNCTIONS.get(target)
            in_place = target in IN_PLACE
        known = word is not None and self.translate(node, word, node.args, in_place)
        if not known:
            self.refuse(node, in_place)

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
        if call.target is torch.conv2d:
            call = self.convolution(node, *call.args)
        new = self.put(node, call)
        if in_place or call.in_place:
            self.overwrite(args[0], new)
        return True

    def put(self, node: Node, call: Call) -> Node:
        with self.graph.inserting_before(node):
            args = tuple(self.constant_for(node, a) for a in call.args)
            new = self.graph.call_function(call.target, args)
        new.meta.update(node.meta)
        self.seen.add(new)
        node.replace_all_uses_with(new)
        self.graph.erase_node(node)
        return new

    def constant_for(self, node: Node, argument):
        if not isinstance(argument, Tensor):
            return argument
        return constant(self.graph, argument, f"{node.meta['path']}.constant")

    def convolution(self, node: Node, x, weight, bias, stride, padding, dilation, groups):
        with self.graph.inserting_before(node):
            if isinstance(weight, Tensor):
                weight = constant(self.graph, weight, f"{node.meta['path']}.weight")
            if isinstance(bias, Tensor):
                bias = constant(self.graph, bias, f"{node.meta['path']}.bias")
        kernel = value(weight)
        fixed = kernel is not None and (bias is None or value(bias) is not None)
        if fixed and stride == dilation == (1, 1):
            k = kernel.shape[-1]
            kept = padding in ((k // 2, k // 2), "same")
            if kept and groups == 1 and kernel.shape[2:] in ((1, 1), (3, 3)):
                return Call(CONV_ACT, Conv((x,), weight, bias).args)
            if kept and groups > 1 and kernel.shape == (groups, 1, 3, 3):
                return Call(DEPTHWISE3X3_ACT, Depthwise((x,), weight, bias).args)
        return Call(torch.conv2d, (x, weight, bias, stride, padding, dilation, groups))

    def overwrite(self, old: Node, new: Node) -> None:
        """``new`` was written over ``old``: from here on ``old`` has the value of ``new``."""
        stock = old.op == "call_module" and old.target not in self.traced.opaque
        earlier = [u for u in old.users if u in self.seen and u is not new]
        if not (stock or calls(old, *_FRESH)) or any(self.may_alias(u) for u in earlier):
            raise Untraceable("it writes in place into a tensor that shares memory with another")
        for user in [u for u in old.users if u not in self.seen and u is not new]:
            user.replace_input_with(old, new)

    def may_alias(self, user: Node) -> bool:
        if user.op == "call_module":
            return user.target in self.traced.opaque
        if user.op == "call_method":
            return user.target not in _QUERIES
        return not calls(user, *_FRESH) and user.target is not getattr

    def refuse(self, node: Node, in_place: bool) -> None:
        """Raise for a call that stays as it is but must not."""
        name = getattr(node.target, "__name__", str(node.target))
        out_of_place = name.endswith("__") or not name.endswith("_")
        if in_place or not out_of_place or node.kwargs.get("inplace") is True:
            raise Untraceable(f"it writes in place with {name}")
        if node.kwargs.get("out") is not None:
            raise Untraceable(f"it writes the result of {name} into out=")
        arguments = (*node.args, *node.kwargs.values())
        if name == "to" or any(isinstance(a, torch.dtype | torch.device) for a in arguments):
            raise Untraceable(f"it fixes a dtype or device with {name}")

    def evaluated(self, node: Node) -> bool:
        """Computes what depends on constants only; True if ``node`` is gone."""
        inputs = node.all_input_nodes
        known = {n: value(n) for n in inputs}
        in_place = node.op == "call_method" and node.target.endswith("_")
        if not inputs or in_place or any(v is None for v in known.values()):
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
        of_input = len(inputs) == 1 and inputs[0].op == "placeholder" and node.args[0] is inputs[0]
        if not of_input or home.partition(".")[0] in ("torch", "_operator", "math", "builtins"):
            return False
        function, rest, kwargs = node.target, node.args[1:], node.kwargs
        if function(self.probe, *rest, **kwargs) is not self.probe:
            return False
        self.traced.guards.append(lambda x: function(x, *rest, **kwargs) is x)
        node.replace_all_uses_with(inputs[0])
        self.graph.erase_node(node)
        return True
