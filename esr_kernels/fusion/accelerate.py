"""The public functions that change a module: accelerate it in place, and undo that; its halo."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad

from .copying import any_global_hooks
from .given import NETWORK, Given, given_in
from .instance import Replacement, install, installed, uninstall
from .pictures import input_names
from .plan import apart, make_plan
from .plans import Plans


class Accelerated(Replacement):
    """The fast forward of one module instance.

    It goes the fast way for ``[N, C, H, W]`` tensors of the module's dtype on its device, in
    evaluation mode and without gradients, and the module's own way otherwise. Plans are a cache:
    they are not copied.
    """

    def __init__(
        self,
        module: nn.Module,
        compute_dtype: torch.dtype | None,
        cuda_graphs: bool,
        given: Given = NETWORK,
    ):
        super().__init__(module, module.__dict__.get("forward"))
        self.how = compute_dtype, cuda_graphs
        self.given = given
        self.names = input_names(module)
        self.warned = False
        self.plans = Plans(module, *self.how, given)

    def __getstate__(self) -> dict:
        return {**self.__dict__, "plans": None}

    def __setstate__(self, state: dict) -> None:
        self.__dict__.update(state)
        self.plans = Plans(self.module, *self.how, self.given)

    def __call__(self, *args, **kwargs):
        inputs = self._inputs(args, kwargs)
        if inputs and self._may_run(inputs):
            plan = self.plans.serving(inputs)
            if plan is not None:
                try:
                    return plan.compute(*inputs)
                except torch.OutOfMemoryError:
                    raise
                except (ValueError, RuntimeError) as error:
                    # An op refuses shapes that agreed on the test picture only by chance, and
                    # pictures too small for it: the module's own forward computes those, or says
                    # why not.
                    self.plans.refuse(inputs, error)
        return self.original(*args, **kwargs)

    def _inputs(self, args: tuple, kwargs: dict) -> tuple:
        """The arguments, if they are those that the module must be given and no others."""
        if kwargs:
            missing = self.names[len(args) :]
            if kwargs.keys() != set(missing):
                return ()
            args = (*args, *(kwargs[name] for name in missing))
        return args if all(type(x) is Tensor for x in args) else ()

    def _may_run(self, inputs: tuple[Tensor, ...]) -> bool:
        if self.module.training or _is_watched() or _is_autocast(inputs[0]):
            return False
        if not torch.is_grad_enabled():
            return True
        if not any(x.requires_grad for x in (*inputs, *self._parameters())):
            return True
        if not self.warned:
            self.warned = True
            warnings.warn(
                "this accelerated module runs its original forward, because gradients may be "
                "wanted; call it inside torch.inference_mode() to make it fast",
                stacklevel=5,
            )
        return False

    def _parameters(self):
        # Walking all modules costs more than asking whether the plan's list still holds.
        plan = self.plans.first
        current = plan is not None and plan.fingerprint.holds()
        return plan.fingerprint.parameters if current else self.module.parameters()


def _is_watched() -> bool:
    """Return true while something else records, counts or transforms what torch computes."""
    return bool(
        torch.compiler.is_compiling()
        or torch.jit.is_tracing()  # type: ignore[attr-defined]
        or torch._C._are_functorch_transforms_active()
        or torch._C._len_torch_dispatch_stack()
        or forward_ad._current_level >= 0
        or any_global_hooks()
    )


def _is_autocast(x: Tensor) -> bool:
    kind = x.device.type
    return torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind)


def module_of(model) -> nn.Module:
    """The module itself, or that of an object which has one as ``.model`` (spandrel)."""
    module = model if isinstance(model, nn.Module) else getattr(model, "model", None)
    if not isinstance(module, nn.Module):
        raise TypeError(
            f"expected a torch.nn.Module or an object with one as .model, "
            f"got {type(model).__name__}"
        )
    return module


def accelerate(model, *, compute_dtype: torch.dtype | None = None, cuda_graphs: bool = False):
    """Make a network fast, in place.

    Its forward is followed into a graph, the parts that fit are replaced by the ops of
    ``esr_kernels``, the result is compared with the original on a small picture, and what does not
    fit keeps running in torch (``explain`` says why). Class, parameters, ``state_dict`` and hooks
    stay as they are; copying, ``.to()``, ``.half()``, ``load_state_dict()``, edits of weights and
    attributes, and training stay right. Training mode, and calls where gradients are wanted, go the
    original way. A pickle is that of the plain module. What is not noticed by itself: on a GPU, an
    in-place write to a parameter's ``.data``. Call it again then.

    Args:
        model: an ``nn.Module``, or an object with one as ``.model``, as spandrel's descriptor.
        compute_dtype: a floating dtype to compute in; inputs and outputs keep the module's dtype.
        cuda_graphs: record what a GPU is given to do, for each of the last 8 shapes of input, and
            replay it as one launch: faster where pictures are small, at the price of memory for
            each shape and of one copy of input and output. Without effect on a CPU. A network of
            which a part runs as it is, or which cannot be recorded, runs without them, and
            ``explain`` says so.

    Returns:
        The same object.

    Raises:
        TypeError: ``model`` is no module, or ``compute_dtype`` is not a floating dtype.
        ValueError: ``ESR_KERNELS_BACKEND`` names no backend.
    """
    module = module_of(model)
    if compute_dtype is not None and not (
        isinstance(compute_dtype, torch.dtype) and compute_dtype.is_floating_point
    ):
        raise TypeError(
            f"compute_dtype must be a floating torch dtype such as torch.float16, "
            f"not {compute_dtype!r}"
        )
    uninstall(module)
    fast = Accelerated(module, compute_dtype, cuda_graphs)
    plan = fast.plans.current()
    if not isinstance(module, torch.jit.ScriptModule):
        install(fast)
    if not plan.retry:
        with apart():
            given = given_in(module)
        _accelerate_parts(fast, given, "")
    return model


def _accelerate_parts(whole: Accelerated, given: dict[str, Given], path: str) -> None:
    uncalled = Given(whole.given.share)
    for name, child in whole.module.named_children():
        inner = f"{path}.{name}".lstrip(".")
        part = Accelerated(child, *whole.how, given.get(inner, uncalled))
        plan = part.plans.current()
        if plan.gains and not isinstance(child, torch.jit.ScriptModule):
            install(part)
        if not plan.retry:
            _accelerate_parts(part, given, inner)


def restore(model):
    """Undo ``accelerate``, for the module and everything in it.

    Args:
        model: as for :func:`accelerate`. A module that is not accelerated stays as it is.

    Returns:
        The same object.

    Raises:
        TypeError: ``model`` is no module.
    """
    uninstall(module_of(model))
    return model


def halo(model) -> int | None:
    """Receptive-field radius of the network in pixels of its input.

    A tile cut out with a border of this many pixels gives, after the border is cropped, exactly
    what the whole picture gives there (SPAN: 21).

    Args:
        model: as for :func:`accelerate`; accelerated or not.

    Returns:
        The radius. None: the network sees the whole picture (ESA), or the radius is not known;
        tiles must then be blended.

    Raises:
        TypeError: ``model`` is no module.
    """
    module = module_of(model)
    fast = installed(module)
    plan = fast.plans.current() if isinstance(fast, Accelerated) else make_plan(module)
    return plan.halo
