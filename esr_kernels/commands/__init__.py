"""The larger sub-commands of ``esr-kernels``: what they take, and what they print."""
