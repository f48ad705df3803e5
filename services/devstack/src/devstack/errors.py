"""What keeps the stack from running, in words for the person who started it."""


class StackError(Exception):
    """The stack cannot start or go on; the message is one line and complete."""
