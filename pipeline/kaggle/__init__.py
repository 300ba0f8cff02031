"""The only room that knows the kaggle package: client, its failures, its CSV."""

COMPETITION = "digit-recognizer"
COMPETITION_PAGE = f"https://www.kaggle.com/competitions/{COMPETITION}"
