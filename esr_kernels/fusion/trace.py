"""From an ``nn.Module`` to a ``torch.fx`` graph, without an example input from the user.

Not ``torch.fx.symbolic_trace``: that patches ``nn.Module`` for the whole process while it works,
which breaks models running in other threads, and it gives up on the whole network when one module
cannot be traced. Here every submodule of a *private copy* carries its own recorder.

- A module of ``torch.nn`` and a re-parameterised convolution become one ``call_module`` node.
- A submodule that cannot be traced becomes an *opaque* ``call_module`` node, and why is noted.
- Control flow on the input's shape, dtype or device is followed and becomes a *guard*: a condition
  under which the graph holds, to be asked at every call.
"""

from __future__ import annotations

import operator
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import Graph, Node, Proxy
from torch.fx.node import map_arg
from torch.fx.proxy import Scope, TracerBase

from . import reparam
from .copying import tensors_of

Guard = Callable[[Tensor], bool]
_QUERY_METHODS = frozenset({"size", "dim", "ndimension", "numel", "is_floating_point"})
_QUERY_ATTRIBUTES = frozenset({"shape", "ndim", "dtype", "device", "is_cuda"})
_CASTS = frozenset({"type_as", "to", "contiguous", "detach"})


class Untraceable(Exception):
    """A module's code does something that a graph cannot stand for; the text says what."""


@dataclass
class Traced:
    """``graph``: its ``get_attr`` nodes hold their tensor in ``meta["value"]``, every node the path
    of its module in ``meta["path"]``. ``folded``: the re-parameterised convolutions by path.
    ``opaque``: path -> why that module runs as it is. ``guards``: conditions on the input."""

    graph: Graph
    folded: dict[str, reparam.Folded]
    opaque: dict[str, str]
    guards: list[Guard] = field(default_factory=list)


def trace(twin: nn.Module, opaque: dict[str, str], probe: Tensor) -> Traced:
    """Traces a private copy and leaves it as it was.

    ``opaque``: modules not to look into, with the reason. ``probe``: a tensor like the input, whose
    shape, dtype and device answer the code's questions. Raises ``Untraceable``.
    """
    folded = {path: found for path, m in twin.named_modules() if path and (found := _fold(m))}
    tracer = _Tracer(Traced(Graph(), folded, dict(opaque)), probe)
    state = _state(twin)
    try:
        x = tracer.create_proxy("placeholder", "x", (), {})
        tracer.instrument(twin)
        result = tracer.follow(twin, "", twin.forward, (x,), {})
        tracer.create_node("output", "output", (tracer.create_arg(result),), {})
    except Exception as error:
        raise Untraceable(_reason(error)) from error
    finally:
        _restore(state)
    for node in list(tracer.graph.nodes):
        if node.op == "get_attr" and not node.users:
            tracer.graph.erase_node(node)
    return tracer.traced


def _fold(module: nn.Module) -> reparam.Folded | None:
    if not reparam.looks_reparameterised(module):
        return None
    # Folding runs the module, and some write their attributes then.
    state = _state(module)
    folded = reparam.fold(module)
    _restore(state)
    return folded


class _Value(Proxy):
    """A tensor of the graph, or what was asked of one."""

    def __getattr__(self, name: str):
        if name == "data":  # the same memory, and there are no gradients
            return self
        return super().__getattr__(name)

    def __setattr__(self, name: str, value) -> None:
        if name not in ("node", "tracer"):
            raise Untraceable(f"it sets .{name} of a tensor")
        super().__setattr__(name, value)

    def __setitem__(self, index, value) -> None:
        self.tracer.create_proxy("call_function", operator.setitem, (self, index, value), {})


def _in_place(name: str):
    def record(self, other):
        if is_size(self.node):  # a number: a += b makes a new one
            return getattr(operator, name)(self, other)
        function = getattr(operator, f"i{name}")
        return self.tracer.create_proxy("call_function", function, (self, other), {})

    return record


# Proxy knows no in-place operators, so Python would turn a += b into a = a + b, which is not the
# same for other names of a.
for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow"):
    setattr(_Value, f"__i{_name}__", _in_place(_name))


def is_size(node: Node) -> bool:
    """Return true for a number, or a tuple of some, that is computed from a tensor's shape."""
    if node.op == "call_method":
        return node.target in _QUERY_METHODS
    if node.op != "call_function":
        return False
    if node.target is getattr:
        return node.args[1] in _QUERY_ATTRIBUTES
    inputs = node.all_input_nodes
    return node.target in vars(operator).values() and bool(inputs) and all(map(is_size, inputs))


class _Parameter(_Value):
    """A parameter or buffer: its shape is known while tracing."""

    @property
    def shape(self) -> torch.Size:
        return self.node.meta["value"].shape

    @property
    def ndim(self) -> int:
        return self.node.meta["value"].ndim

    def size(self, *dim: int):
        return self.node.meta["value"].size(*dim)

    def dim(self) -> int:
        return self.ndim


class _Tracer(TracerBase):
    def __init__(self, traced: Traced, probe: Tensor):
        super().__init__()
        self.traced = traced
        self.graph = traced.graph
        self.probe = probe
        self.path = ""
        self.constants: dict[int, Node] = {}
        # TracerBase asks for these three.
        self.scope = Scope("", None)
        self.module_stack = OrderedDict()
        self.node_name_to_scope = {}

    def proxy(self, node: Node) -> Proxy:
        return _Value(node, self)

    def create_node(self, *args, **kwargs) -> Node:
        node = super().create_node(*args, **kwargs)
        node.meta["path"] = self.path
        return node

    def create_arg(self, a: Any):
        return self.constant(a, "constant") if isinstance(a, Tensor) else super().create_arg(a)

    def constant(self, tensor: Tensor, name: str) -> Node:
        node = self.constants.get(id(tensor))
        if node is None:
            node = self.constants[id(tensor)] = self.create_node("get_attr", name, (), {})
            value = tensor.detach()
            node.meta["value"] = value.double() if value.is_floating_point() else value
            node.meta["held"] = tensor  # keeps the id taken
        return node

    def to_bool(self, obj: Proxy) -> bool:
        query = _query(obj.node)
        if query is None:
            raise Untraceable("its control flow depends on values")
        answer = bool(query(self.probe))
        self.traced.guards.append(lambda x: bool(query(x)) is answer)
        return answer

    def is_leaf(self, module: nn.Module, path: str) -> bool:
        if path in self.traced.opaque or path in self.traced.folded:
            return True
        of_torch = type(module).__module__.startswith("torch.nn")
        return of_torch and not isinstance(module, nn.Sequential)

    def instrument(self, twin: nn.Module) -> None:
        closed = tuple(f"{path}." for path in (*self.traced.folded, *self.traced.opaque))
        for path, module in twin.named_modules():
            if path.startswith(closed):
                continue
            for name, tensor in tensors_of(module).items():
                if name in module._parameters or name in module._buffers:
                    node = self.constant(tensor, f"{path}.{name}".lstrip("."))
                    module.__dict__[name] = _Parameter(node, self)
            if path:
                module.__dict__["forward"] = self.recorder(module, path, module.forward)

    def recorder(self, module: nn.Module, path: str, forward: Callable) -> Callable:
        def record(*args, **kwargs):
            if not self.is_leaf(module, path):
                nodes, guards = len(self.graph.nodes), len(self.traced.guards)
                state, constants = _state(module), dict(self.constants)
                try:
                    return self.follow(module, path, forward, args, kwargs)
                except Exception as error:
                    for node in list(self.graph.nodes)[: nodes - 1 : -1]:
                        self.graph.erase_node(node)
                    self.constants = constants
                    del self.traced.guards[guards:]
                    _restore(state)
                    self.traced.opaque[path] = _reason(error)
            return self.create_proxy("call_module", path, args, kwargs)

        return record

    def follow(self, module: nn.Module, path: str, forward: Callable, args, kwargs):
        """Runs the module's own code on graph values; refuses what changes the module itself."""
        outer, self.path = self.path, path
        before = dict(module.__dict__)
        try:
            result = forward(*args, **kwargs)
            for name in before.keys() | module.__dict__.keys():
                old, new = before.get(name), module.__dict__.get(name)
                if old is not new and not _is_cast(new, old):
                    raise Untraceable(f"it changes its own attribute {name!r}")
        finally:
            self.path = outer
        return result


def _is_cast(new: Any, old: Any) -> bool:
    """``self.mean = self.mean.type_as(x)`` remembers nothing of x but its dtype and device."""
    source = _source(new)
    return source is not None and source is _source(old)


def _source(value: Any) -> Tensor | None:
    """The module's own tensor that ``value`` is, behind casts."""
    if not isinstance(value, Proxy):
        return value if isinstance(value, Tensor) else None
    node = value.node
    while node.op == "call_method" and node.target in _CASTS:
        node = node.args[0]
    return node.meta.get("held")


def _query(node: Node) -> Callable[[Tensor], Any] | None:
    """The node's Python value as a function of the input, if it asks only for the input's kind."""
    if node.op == "call_method":
        legal = node.target in _QUERY_METHODS
    else:
        legal = node.target is getattr and node.args[1] in _QUERY_ATTRIBUTES
    if legal and node.args[0].op == "placeholder" and len(node.all_input_nodes) == 1:
        return _asked(node)
    if node.op != "call_function" or node.target not in vars(operator).values():
        return None
    parts = {n: _query(n) for n in node.all_input_nodes}
    if None in parts.values():
        return None
    target, args = node.target, node.args
    return lambda x: target(*map_arg(args, lambda n: parts[n](x)))


def _asked(node: Node) -> Callable[[Tensor], Any]:
    target, rest = node.target, node.args[1:]
    if node.op == "call_method":
        return lambda x: getattr(x, target)(*rest)
    return lambda x: getattr(x, rest[0])


def _state(module: nn.Module) -> tuple[list, list]:
    """The attributes of a module and all its parts, and the memory behind their tensors."""
    parts = [m for m in module.modules() if not isinstance(m, torch.jit.ScriptModule)]
    tables = [table for m in parts for table in (m._parameters, m._buffers)]
    dicts = [(d, dict(d)) for d in (*tables, *(m.__dict__ for m in module.modules()))]
    memory = [(t, t.data) for m in parts for t in tensors_of(m).values()]
    return dicts, memory


def _restore(state: tuple[list, list]) -> None:
    dicts, memory = state
    for live, saved in dicts:
        live.clear()
        live.update(saved)
    for tensor, data in memory:
        tensor.data = data


def _reason(error: Exception) -> str:
    if isinstance(error, Untraceable):
        return str(error)
    text = str(error).strip().partition("\n")[0].partition(". ")[0]
    return f"{type(error).__name__} while its code was followed: {text[:120]}"
