"""The ``esr-kernels`` command: ``main``, and one file per sub-command."""
