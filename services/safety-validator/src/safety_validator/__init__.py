"""Gives every context, thought and memory a verdict, by the rules of a policy."""
