"""From any source to checked arrays and splits; pictures of one's own.

``sources`` fetch CSV files, ``csv_reader`` turns them into arrays, ``dataset`` opens those,
``folds`` splits them; ``picture`` and ``ink`` make a digit of any picture.
"""
