"""Training forms: several branches for training that equal one convolution afterwards."""

from collections import OrderedDict

import torch
from torch import Tensor, nn

from .kernel import Kernel, convolution


class TrainingForm(nn.Module):
    """Base class of modules that are trained as several branches and equal one convolution.

    A subclass gives the branches and ``merge``. The convolution has stride 1 and zero padding that
    keeps H and W.

    Attributes:
        merged_name: The name of the convolution inside the module in published checkpoints of the
            merged network; "" where it takes the module's place.
    """

    merged_name = ""

    def merge(self, dtype: torch.dtype = torch.float64) -> Kernel:
        """Compute the weight ``[Co, Ci, k, k]`` and the bias ``[Co]`` (None if no branch has one).

        Gradients flow through it to the branches.

        Args:
            dtype: The dtype to compute in.
        """
        raise NotImplementedError

    def slim(self) -> nn.Module:
        """Return a merged copy, computed in float64, in the parameters' own dtype and device."""
        with torch.no_grad():
            kernel = self.merge()
        merged = convolution(kernel, like=next(self.parameters()))
        return named(self.merged_name, merged).train(self.training)


def merge_all(module: nn.Module) -> nn.Module:
    """Replace every training form inside ``module`` by its merged form, in place.

    A form that is used in several places is merged once.

    Returns:
        ``module``, or its merged form if it is a training form itself.
    """
    if isinstance(module, TrainingForm):
        return module.slim()
    merged: dict[TrainingForm, nn.Module] = {}
    for name, part in list(module.named_modules(remove_duplicate=False)):
        if isinstance(part, TrainingForm):
            if part not in merged:
                merged[part] = part.slim()
            module.set_submodule(name, merged[part])
    return module


def merged_parameters(module: nn.Module) -> dict[str, Tensor]:
    """Compute the parameters that ``merge_all`` would leave, as functions of those of ``module``.

    They are merged in the parameters' own dtype, as part of the autograd graph:
    ``functional_call(slim, merged_parameters(module), x)`` is ``module(x)`` with all its gradients,
    where ``slim = merge_all(copy.deepcopy(module))``.
    """
    if isinstance(module, TrainingForm):
        kernel = module.merge(next(module.parameters()).dtype)._asdict()
        prefix = module.merged_name and f"{module.merged_name}."
        return {f"{prefix}{name}": value for name, value in kernel.items() if value is not None}
    found: dict[str, Tensor] = dict(module.named_parameters(recurse=False))
    for name, child in module.named_children():
        found |= {f"{name}.{key}": value for key, value in merged_parameters(child).items()}
    return found


def named(name: str, child: nn.Module) -> nn.Module:
    """Wrap ``child`` in a module under ``name``; an empty name returns ``child`` itself."""
    return nn.Sequential(OrderedDict({name: child})) if name else child
