"""The NTIRE 2024 efficient SR challenge: evaluate networks as its test script does, and rank them.

    evaluations = challenge.evaluate(["rlfn", "my_net.py:Net"], "data", splits=["valid"])
    board = challenge.leaderboard(challenge.read_entrants(["results.json"]))

The metrics and counts behind both are public too: ``psnr``, ``psnr_y``, ``ssim``, ``modcrop``,
``complexity``, ``score``. Names are imported on first use; ``__init__.pyi`` lists them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
