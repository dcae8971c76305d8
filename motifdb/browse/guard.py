"""What every request passes before a page sees it: asked by this machine, reading only, answered with nothing foreign.

A page on loopback is reachable from every other page in the same browser. So the name in the request's Host header must
be loopback's own (a foreign name that was made to resolve to 127.0.0.1, DNS rebinding, is refused), only GET and
HEAD are answered, and the policy sent along lets the page load scripts, styles, pictures and sound from here alone.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

HOSTS = ("127.0.0.1", "localhost", "[::1]")

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "media-src 'self' blob:",  # sound that the page has fetched from here and holds
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)

HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


def host_name(header: str) -> str:
    """The name in a Host header, without its port.

    >>> host_name("localhost:8080"), host_name("[::1]:8080"), host_name("127.0.0.1"), host_name("a.example:80")
    ('localhost', '[::1]', '127.0.0.1', 'a.example')
    """
    return re.sub(r":[0-9]*\Z", "", header).lower()


class Guard:
    """ASGI middleware that refuses foreign hosts and every method that could write, and adds the headers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        from starlette.responses import PlainTextResponse

        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # a websocket: there is none here
            await send({"type": "websocket.close", "code": 1008})
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *HEADERS]
            await send(message)

        named = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
        if len(named) != 1 or host_name(named[0]) not in HOSTS:
            refused = PlainTextResponse("motifdb: this page answers to 127.0.0.1 and localhost only\n", 421)
            await refused(scope, receive, sending)
            return
        if scope["method"] not in ("GET", "HEAD"):
            refused = PlainTextResponse("motifdb: this page only reads\n", 405, {"allow": "GET, HEAD"})
            await refused(scope, receive, sending)
            return
        await self._app(scope, receive, sending)
