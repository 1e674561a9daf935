"""Contests: a network of ours beside plain torch, ``torch.compile`` and other runtimes, in turns.

The checkout's ``bench/`` runs them under pytest, ``esr-kernels bench`` for one network.
"""
