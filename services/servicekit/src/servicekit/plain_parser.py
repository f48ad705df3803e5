"""A parser of requests for a server that speaks HTTP/1.1 and nothing else."""

from typing import Protocol

from httptools import HttpParserUpgrade, HttpRequestParser

__all__ = ["PlainParser"]


class Listener(Protocol):
    """Who hears of the requests, and has the parser of their connection."""

    parser: "PlainParser"
    url: bytes
    headers: list[tuple[bytes, bytes]]

    def new_parser(self) -> "PlainParser":
        """A parser that begins with a request."""


class PlainParser(HttpRequestParser):
    """Reads a request that asks for another protocol as one that does not.

    A server may ignore the wish (RFC 9110, 7.8). The parser beneath cannot: it would
    take the body for the next request. So another one reads the head anew, without the
    wish; of the first one's end of head and of message, nothing is to be made.
    """

    def __init__(self, listener: Listener) -> None:
        super().__init__(listener)
        self._listener = listener

    def asks_to_upgrade(self) -> bool:
        """Whether the head asks for another protocol: it is read once more."""
        return self.should_upgrade() and self.get_method() != b"CONNECT"

    def feed_data(self, data: bytes) -> None:  # type: ignore[override]
        """Reads on."""
        parser, rest = self, memoryview(data)
        while True:
            try:
                HttpRequestParser.feed_data(parser, rest)
            except HttpParserUpgrade as asked:
                if not parser.asks_to_upgrade():
                    raise
                rest = rest[asked.args[0] :]
                head = parser.plain_head()
                parser = self._listener.parser = self._listener.new_parser()
                HttpRequestParser.feed_data(parser, head)
            else:
                return

    def plain_head(self) -> bytes:
        """The head without the wish."""
        url, version = self._listener.url, self.get_http_version().encode()
        return b"".join(
            (
                b"%b %b HTTP/%b\r\n" % (self.get_method(), url, version),
                *(
                    b"%b: %b\r\n" % (name, value)
                    for name, value in self._listener.headers
                    if name.lower() != b"upgrade"
                ),
                b"\r\n",
            )
        )
