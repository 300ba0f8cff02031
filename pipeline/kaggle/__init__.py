"""The only room that knows the kaggle package: client, its failures, its CSV."""
