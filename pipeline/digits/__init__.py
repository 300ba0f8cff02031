"""From any source to checked arrays and splits; pictures of one's own."""
