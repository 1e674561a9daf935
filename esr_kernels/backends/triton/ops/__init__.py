"""Ops of this backend: a module per op, each with a function of the op's name."""
