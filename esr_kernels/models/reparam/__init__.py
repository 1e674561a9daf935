"""Re-parameterisation: several branches for training that equal one convolution.

There is a file for each published training form: its branches, under their published parameter
names, and ``merge``, the one convolution they equal, at the borders too. ``merge_all`` replaces
them in a network; ``merged_parameters`` does so within the autograd graph, for training. The other
functions merge layers of a network's own checkpoint.
"""

from .collapsible import CollapsibleConv
from .conv3xc import Conv3XC
from .ecb import ECB
from .fold import fold_batch_norm, fold_batch_norms, fold_repeated_input
from .form import TrainingForm, merge_all, merged_parameters, named
from .parallel import ParallelConv3x3
from .repblock import RepBlock
from .rrrb import RRRB
from .sequence import merge_sequence

__all__ = [
    "ECB",
    "RRRB",
    "CollapsibleConv",
    "Conv3XC",
    "ParallelConv3x3",
    "RepBlock",
    "TrainingForm",
    "fold_batch_norm",
    "fold_batch_norms",
    "fold_repeated_input",
    "merge_all",
    "merge_sequence",
    "merged_parameters",
    "named",
]
