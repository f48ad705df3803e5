"""One statement a file, read by name."""

from importlib import resources


def load(name: str) -> str:
    """The text of `name.sql`."""
    return (resources.files(__package__) / f"{name}.sql").read_text()
