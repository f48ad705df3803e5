"""Which files a .dockerignore lets into a build, by the rules that Docker documents."""

import re


class Ignored:
    """Its patterns: the last that fits a file or a folder above it decides."""

    def __init__(self, text: str) -> None:
        lines = [line for line in text.splitlines() if line and line[0] != "#"]
        self._rules = [
            (line[0] != "!", _expression(line.removeprefix("!"))) for line in lines
        ]

    def lets_in(self, path: str) -> bool:
        """Whether a file, named from the root, is part of the build."""
        steps = path.split("/")
        above = ["/".join(steps[:count]) for count in range(1, len(steps) + 1)]
        ignored = False
        for ignores, expression in self._rules:
            if any(expression.fullmatch(name) for name in above):
                ignored = ignores
        return not ignored


def _expression(pattern: str) -> re.Pattern[str]:
    text = re.escape(pattern).replace(r"\*\*/", "(?:.*/)?").replace(r"\*", "[^/]*")
    return re.compile(text)
