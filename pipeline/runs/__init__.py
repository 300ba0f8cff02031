"""What a run left behind, read back, measured, listed, blended."""
