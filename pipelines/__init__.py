"""Compositions of the stages: the demo world, the mini backbone, the benchmarks."""
