"""Trains the classifier: `python -m training --data FILE`."""
