"""Training forms: several branches while a network learns, exactly one convolution afterwards."""

from collections import OrderedDict

import torch
from torch import Tensor, nn

from .kernel import Kernel, convolution


class TrainingForm(nn.Module):
    """A module whose forward is the branches it is trained as, equal to one convolution.

    A subclass gives the branches and ``merge``. ``merged_name``: what published checkpoints of the
    merged network call the convolution inside the module; "" where it takes the module's place.
    The convolution has stride 1 and zero padding that keeps H and W.
    """

    merged_name = ""

    def merge(self, dtype: torch.dtype = torch.float64) -> Kernel:
        """Weight ``[Co, Ci, k, k]`` and bias ``[Co]`` (None if no branch has one), in ``dtype``.

        Gradients flow through it to the branches.
        """
        raise NotImplementedError

    def slim(self) -> nn.Module:
        """A merged copy, computed in float64, in the parameters' own dtype and device."""
        with torch.no_grad():
            kernel = self.merge()
        merged = convolution(kernel, like=next(self.parameters()))
        return named(self.merged_name, merged).train(self.training)


def merge_all(module: nn.Module) -> nn.Module:
    """Replace every training form inside ``module`` by its merged form, in place.

    Returns ``module``, or its merged form if it is a training form itself. A form that stands in
    several places is merged once, and the merged form stands there.
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
    """The parameters that ``merge_all`` would leave, as functions of those of ``module``.

    Merged in the parameters' own dtype, as part of the autograd graph:
    ``functional_call(slim, merged_parameters(module), x)`` is ``module(x)`` with all its
    gradients, where ``slim = merge_all(copy.deepcopy(module))``.
    """
    if isinstance(module, TrainingForm):
        kernel = module.merge(next(module.parameters()).dtype)._asdict()
        prefix = module.merged_name and f"{module.merged_name}."
        return {f"{prefix}{name}": value for name, value in kernel.items() if value is not None}
    found: dict[str, Tensor] = {**dict(module.named_parameters(recurse=False))}
    for name, child in module.named_children():
        found |= {f"{name}.{key}": value for key, value in merged_parameters(child).items()}
    return found


def named(name: str, child: nn.Module) -> nn.Module:
    """A module that is ``child`` under ``name``, or ``child`` itself if ``name`` is ""."""
    return nn.Sequential(OrderedDict({name: child})) if name else child
