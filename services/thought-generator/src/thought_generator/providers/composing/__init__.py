"""Composes a thought from what was recalled, without a model."""
