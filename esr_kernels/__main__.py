"""``python -m esr_kernels`` is the ``esr-kernels`` command."""

import sys

from .cli import main

sys.exit(main())
