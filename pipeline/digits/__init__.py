"""From any source to checked arrays and splits; pictures of one's own.

``sources`` fetch CSV files, ``dialect`` tells how each is written, ``csv_reader`` turns them into
arrays if ``plausibility`` has no doubts, ``dataset`` opens those, ``folds`` splits them;
``picture`` and ``ink`` make a digit of any picture.
"""
