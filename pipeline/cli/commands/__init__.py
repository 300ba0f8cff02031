"""What one types: a file for each kind of question."""
