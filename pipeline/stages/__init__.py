"""The stages of the pipeline: one file each, with a function of its name; none knows another."""
