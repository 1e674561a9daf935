"""Networks as readable torch modules, and everything between a checkpoint file and one of them.

``load(source)`` returns a plain module; ``list_models()`` lists the known names. All networks take
and return pictures in [0, 1]. Nothing here knows of acceleration: the modules are also the
reference that the fast paths are tested against.
"""

from .architectures.rlfn import RLFN
from .architectures.span import SPAN
from .catalogue import list_models
from .loader import OFFICIAL_WEIGHTS, load
from .registry import find

__all__ = ["OFFICIAL_WEIGHTS", "RLFN", "SPAN", "find", "list_models", "load"]
