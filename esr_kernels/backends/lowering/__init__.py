"""Lowering of fused graphs to programs: partition, builder, eager programs, weight cache."""
