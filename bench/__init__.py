"""How fast the kernels are, beside plain torch, ``torch.compile`` and other runtimes.

    pytest bench/ --benchmark-only            # everything; prints the table, writes latest.json
    pytest bench/ --benchmark-only -k spab    # one part
    python bench/report.py --keep             # keep that result under the machine's name
    python bench/report.py                    # tables and chart from the newest kept results

Every case asserts first and times then; its contestants take turns within each round.
"""
