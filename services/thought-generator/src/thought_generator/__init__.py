"""Thinks all the time, in several streams."""
