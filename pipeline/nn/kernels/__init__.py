"""The arithmetic of a convolution: columns says it as one matrix product; bands and winograd do the
same faster, for few channels and for kernels of three rows.

Images and gradients may be views of any kind; the arrays that are filled are contiguous.
"""
