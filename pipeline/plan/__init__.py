"""What was asked for, and where its files are."""
