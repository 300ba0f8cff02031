"""The only room that knows the kaggle package: client, its failures, its CSV.

``credentials`` needs nothing but the standard library. ``client`` and ``kernels`` are what
stages use: they talk through ``package``, within ``limits``, and turn failures into ``errors``;
``answers`` are what Kaggle says. ``submission_csv`` writes and checks what it takes.
"""

COMPETITION = "digit-recognizer"
COMPETITION_PAGE = f"https://www.kaggle.com/competitions/{COMPETITION}"
