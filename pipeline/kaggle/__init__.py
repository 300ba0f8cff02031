"""The only room that knows the kaggle package: client, its failures, its CSV.

``credentials``, and the ``credential_files`` that hold them, need nothing but the standard library.
``client`` and ``kernels`` are what stages use: they talk through ``package``, whose requests go
through an ``adapter`` within ``limits``, by the way that the ``surroundings`` describe, and turn
failures into ``errors``; ``answers`` are what Kaggle says. ``submission_csv`` writes and checks
what it takes.
"""

COMPETITION = "digit-recognizer"
COMPETITION_PAGE = f"https://www.kaggle.com/competitions/{COMPETITION}"
SETTINGS = "https://www.kaggle.com/settings"  # where an account gets its tokens
