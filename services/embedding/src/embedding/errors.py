"""What can go wrong with the model; each docstring is the message."""


class ModelUnavailable(Exception):
    """The embedding model cannot be used. Run `make setup` to build it again."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"{self.__doc__} {reason}")
