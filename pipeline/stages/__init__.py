"""The stages of the pipeline: one file each, with a function of the same name; none knows another."""
