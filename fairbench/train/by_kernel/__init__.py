"""Training by the compiled kernel: common layers in a sequence with linear heads, on a CPU."""
