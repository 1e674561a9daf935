"""From the declaration of an op to torch: implementation, shapes, gradient, autocast, FLOPs.

Everything that torch asks for is derived from the op's own ``reference``. Registered through
``torch.library.Library`` and not ``custom_op``, whose every call costs 3-5 us more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_map, tree_unflatten
from torch.utils.flop_counter import register_flop_formula

from esr_kernels.backends import choose
from esr_kernels.backends.layout import memory_format
from esr_kernels.op import Draw, Op

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
    activations: tuple[str, ...],
    check: Callable[..., None],
    reference: Callable,
    flops: Callable[..., int],
    reach: Callable[..., tuple[int, int] | None],
    detail: Callable[..., str],
    examples: Callable[[Draw], Sequence[tuple]],
    fake: Callable | None = None,
    check_out: Callable[..., None] | None = None,
) -> Op:
    """Register ``esr_kernels::<schema>`` with torch.

    Args:
        schema: in torch's notation, all arguments positional, the first activation (or the list of
            those) first. The results are fresh tensors in the memory format of that.
        activations, check, reference, flops, reach, detail, examples: as in :class:`Op`.
        fake: takes the schema arguments; tensors of the results' shapes and dtypes, for compilers.
            ``reference`` by default, which must be quick then.
        check_out: gives the op a second form, ``.out``, that writes its one result into the keyword
            argument ``out``. Called after ``check``, with ``out`` besides.
    """
    name = schema.partition("(")[0]
    in_torch, on_fakes = _formatted(reference), _formatted(fake or reference)

    def run(*args):
        check(*args)
        image = _image(args)
        return (choose(op, image.device, image.dtype).run or in_torch)(*args)

    def run_fake(*args):
        check(*args)
        return on_fakes(*args)

    _LIBRARY.define(schema, tags=_TAGS)
    _LIBRARY.impl(name, run, "CompositeExplicitAutograd")
    torch.library.register_fake(f"{NAMESPACE}::{name}", run_fake, lib=_LIBRARY)
    _register_autograd(name, reference)
    packet = getattr(getattr(torch.ops, NAMESPACE), name)
    op = Op(
        name=name,
        target=packet.default,
        arguments=tuple(argument.name for argument in packet.default._schema.arguments),
        results=len(packet.default._schema.returns),
        activations=activations,
        check=check,
        reference=reference,
        in_torch=in_torch,
        flops=flops,
        reach=reach,
        detail=detail,
        examples=examples,
    )
    if check_out is not None:
        _define_out(op, schema, check_out)
    _register_autocast(name, op.target)
    register_flop_formula(packet)(lambda *args, out_shape=None, **kwargs: flops(*args))
    return op


def _formatted(function: Callable) -> Callable:
    """``function`` with results in the memory format of its input."""

    def run(*args):
        image = _image(args)
        return tree_map(lambda y: y.contiguous(memory_format=memory_format(image)), function(*args))

    return run


def _define_out(op: Op, schema: str, check_out: Callable[..., None]) -> None:
    arguments = schema.partition("(")[2].partition(")")[0]

    def check_all(*args, out: Tensor) -> None:
        op.check(*args)
        check_out(*args, out=out)

    def run(*args, out: Tensor) -> None:
        check_all(*args, out=out)
        _memory.check(out, args)
        chosen = choose(op, out.device, out.dtype).run
        if chosen is None:
            out.copy_(op.reference(*args))
        else:
            chosen(*args, out=out)

    _LIBRARY.define(f"{op.name}.out({arguments}, *, Tensor(a!) out) -> ()", tags=_TAGS)
    _LIBRARY.impl(f"{op.name}.out", run, "CompositeExplicitAutograd")
    torch.library.register_fake(f"{NAMESPACE}::{op.name}.out", check_all, lib=_LIBRARY)


def _image(args: tuple) -> Tensor:
    """The tensor that decides backend and memory format: the input, or the first of the list."""
    return args[0] if isinstance(args[0], Tensor) else args[0][0]


def _register_autograd(name: str, reference: Callable) -> None:
    """Register the gradient of ``reference``, which is run again in the backward pass."""

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
