"""``python -m esr_kernels`` is the ``esr-kernels`` command."""

import sys

from .cli.main import main

sys.exit(main())
