"""Benchmarks of our networks and ops against plain torch, ``torch.compile`` and other runtimes.

A benchmark is a contest: all implementations compute the same problem and take turns, so that a
machine that slows down slows all of them. The checkout's ``bench/`` runs contests under pytest,
``esr-kernels bench`` runs them for one network.
"""
