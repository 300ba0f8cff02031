"""The arithmetic of a convolution: columns says it as one matrix product; winograd does the same in
a fraction of the multiplications, where it can."""
