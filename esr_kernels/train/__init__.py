"""Training of the embedded weights: see ``python -m esr_kernels.train --help``."""
