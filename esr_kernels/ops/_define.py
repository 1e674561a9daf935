"""One declaration per op: from its schema, checks, plain-torch formula and FLOP count to torch.

:func:`define` gives an op all that torch asks for, always from the op's own ``reference``: the
implementation (the backend that :func:`esr_kernels.backends.choose` names, else ``reference``), the
shape rule for ``torch.compile`` and ``torch.export``, the gradient, autocast, and the FLOP count.

Written with ``torch.library.Library`` and not ``custom_op``, whose every call costs 3-5 us more.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_map, tree_unflatten
from torch.utils.flop_counter import register_flop_formula

from esr_kernels.backends import choose, references
from esr_kernels.backends.layout import memory_format

from . import _memory

NAMESPACE = "esr_kernels"
_LIBRARY = torch.library.Library(NAMESPACE, "DEF")

# The strides of a result follow those of its input, so a compiler may not change the latter.
# torch before 2.7 knows the weaker tag only.
_TAGS = (
    torch.Tag.pt2_compliant_tag,
    getattr(torch.Tag, "needs_exact_strides", torch.Tag.needs_fixed_stride_order),
)


def define(
    schema: str,
    *,
    check: Callable,
    reference: Callable,
    flops: Callable,
    shapes: Callable | None = None,
    check_out: Callable | None = None,
) -> torch._ops.OpOverloadPacket:
    """Registers ``esr_kernels::<schema>`` and returns it; call its ``.default``.

    Args:
        schema: in torch's notation, all arguments positional, the input (or the list of inputs)
            first. The results are fresh tensors in the memory format of the (first) input.
        check: takes the schema arguments; raises ValueError or TypeError for what does not fit.
        reference: takes the schema arguments; plain torch, differentiable.
        flops: takes shapes in place of tensors; 2 per multiply-add, as in torch.
        shapes: takes the schema arguments; the shapes and dtypes of the results, as tensors. By
            default those of ``reference``, which has to be quick then: compilers run it on fakes.
        check_out: gives the op a second form, ``.out``, that writes its one result into the keyword
            argument ``out``. Called after ``check``, with ``out`` besides.
    """
    name = schema.partition("(")[0]

    in_torch, on_fakes = _formatted(reference), _formatted(shapes or reference)

    def run(*args):
        check(*args)
        image = _image(args)
        chosen = choose(name, image.device, image.dtype).run
        return (chosen or in_torch)(*args)

    def shapes_only(*args):
        check(*args)
        return on_fakes(*args)

    references[name] = in_torch
    _LIBRARY.define(schema, tags=_TAGS)
    _LIBRARY.impl(name, run, "CompositeExplicitAutograd")
    torch.library.register_fake(f"{NAMESPACE}::{name}", shapes_only, lib=_LIBRARY)
    _register_autograd(name, reference)
    if check_out is not None:
        _define_out(schema, check, check_out, reference)
    op = getattr(getattr(torch.ops, NAMESPACE), name)
    _register_autocast(name, op.default)
    register_flop_formula(op)(lambda *args, out_shape=None, **kwargs: flops(*args))
    return op


def _formatted(function: Callable) -> Callable:
    """``function`` with results in the memory format of its input."""

    def run(*args):
        image = _image(args)
        return tree_map(lambda y: y.contiguous(memory_format=memory_format(image)), function(*args))

    return run


def _define_out(schema: str, check: Callable, check_out: Callable, reference: Callable) -> None:
    name, _, arguments = schema.partition("(")
    arguments = arguments.partition(")")[0]

    def check_all(*args, out: Tensor) -> None:
        check(*args)
        check_out(*args, out=out)

    def run(*args, out: Tensor) -> None:
        check_all(*args, out=out)
        _memory.check(out, args)
        chosen = choose(name, out.device, out.dtype).run
        if chosen is None:
            out.copy_(reference(*args))
        else:
            chosen(*args, out=out)

    _LIBRARY.define(f"{name}.out({arguments}, *, Tensor(a!) out) -> ()", tags=_TAGS)
    _LIBRARY.impl(f"{name}.out", run, "CompositeExplicitAutograd")
    torch.library.register_fake(f"{NAMESPACE}::{name}.out", check_all, lib=_LIBRARY)


def _image(args: tuple) -> Tensor:
    """The tensor that decides backend and memory format: the input, or the first of the list."""
    return args[0] if isinstance(args[0], Tensor) else args[0][0]


def _register_autograd(name: str, reference: Callable) -> None:
    """The gradient of ``reference``, run again in the backward pass: only inputs are kept."""

    def setup_context(ctx, inputs, output) -> None:
        leaves, ctx.structure = tree_flatten(inputs)
        ctx.save_for_backward(*(leaf if isinstance(leaf, Tensor) else None for leaf in leaves))
        ctx.constants = [None if isinstance(leaf, Tensor) else leaf for leaf in leaves]

    def backward(ctx, *grad_outputs):
        wanted, _ = tree_flatten(ctx.needs_input_grad)
        leaves = [
            constant if saved is None else saved
            for saved, constant in zip(ctx.saved_tensors, ctx.constants, strict=True)
        ]
        create_graph = torch.is_grad_enabled()
        with torch.enable_grad():
            # A view and not detach(): a second derivative finds its way through it.
            leaves = [
                leaf.view_as(leaf) if want else leaf
                for leaf, want in zip(leaves, wanted, strict=True)
            ]
            outputs = reference(*tree_unflatten(leaves, ctx.structure))
        inputs = [leaf for leaf, want in zip(leaves, wanted, strict=True) if want]
        grads = torch.autograd.grad(
            outputs, inputs, grad_outputs, create_graph=create_graph, allow_unused=True
        )
        found = iter(grads)
        return tree_unflatten([next(found) if want else None for want in wanted], ctx.structure)

    torch.library.register_autograd(
        f"{NAMESPACE}::{name}", backward, setup_context=setup_context, lib=_LIBRARY
    )


def _register_autocast(name: str, op: torch._ops.OpOverload) -> None:
    """Under autocast the op takes the lower dtype, as torch's own convolution does."""

    def register(device_type: str, dispatch_key: str) -> None:
        def run(*args):
            dtype = torch.get_autocast_dtype(device_type)

            def cast(leaf):
                if isinstance(leaf, Tensor) and leaf.dtype != torch.float64:
                    return leaf.to(dtype)
                return leaf

            with torch.autocast(device_type, enabled=False):
                return op(*tree_map(cast, args))

        _LIBRARY.impl(name, run, dispatch_key)

    register("cpu", "AutocastCPU")
    register("cuda", "AutocastCUDA")
