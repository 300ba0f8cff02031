"""What one asks afterwards, of a digit, a run, several runs, a score."""
