"""Fast forwards for modules that others wrote: ``torch.fx`` graph in, graph of ops out.

``accelerate`` works on the instance and leaves class, parameters and ``state_dict`` alone. Blocks
are known by the structure of what they compute, never by the name of a class.
"""

from .accelerate import accelerate, halo, restore
from .explain import explain
from .report import Line, Report

__all__ = ["Line", "Report", "accelerate", "explain", "halo", "restore"]
