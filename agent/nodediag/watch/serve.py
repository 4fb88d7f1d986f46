"""`/healthz`, `/readyz`, `/metrics`: HTTP/1.1 as far as probes and scrapers need it, GET and HEAD alone."""

import re
from collections.abc import Callable
from typing import Final

import msgspec

from nodediag.errors import UsageError
from nodediag.render.exposition import CONTENT_TYPE

QUESTION: Final = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
_PLAIN: Final = "text/plain; charset=utf-8"
_REQUEST: Final = re.compile(rb"([A-Z]{1,16}) (/[!-~]*) HTTP/1\.[01]\r?\n")
_REASONS: Final = {
    200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed", 503: "Service Unavailable",
}  # fmt: skip
_ADDRESS: Final = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<four>[0-9.]+|localhost)?):(?P<port>\d{1,5})")
_MOST_PORT: Final = 65535


class Page(msgspec.Struct, frozen=True):
    """What is answered."""

    status: int
    body: str
    content_type: str = _PLAIN


class Pages(msgspec.Struct, frozen=True, kw_only=True):
    """What there is: why we are not well, why there is nothing to tell yet (empty when all is well), the metrics."""

    sick: Callable[[], str]
    unready: Callable[[], str]
    metrics: Callable[[], str]


def answer(pages: Pages, question: bytes) -> bytes | None:
    """Answer a question; None as long as it is not whole."""
    if b"\r\n\r\n" not in question and b"\n\n" not in question:
        return None
    asked = _REQUEST.match(question)
    if asked is None:
        return _said(Page(400, "this is no HTTP/1.1 request\n"), head=False)
    method, path = asked[1], asked[2].partition(b"?")[0]
    if method not in {b"GET", b"HEAD"}:
        return _said(Page(405, "GET and HEAD only\n"), head=False)
    return _said(_page(pages, path), head=method == b"HEAD")


def _page(pages: Pages, path: bytes) -> Page:
    match path:
        case b"/healthz":
            return _probe(pages.sick())
        case b"/readyz":
            return _probe(pages.unready())
        case b"/metrics":
            return Page(200, pages.metrics(), CONTENT_TYPE)
        case b"/":
            return Page(200, "/healthz\n/readyz\n/metrics\n")
        case _:
            return Page(404, "there are /healthz, /readyz and /metrics\n")


def _probe(why_not: str) -> Page:
    return Page(503, f"{why_not}\n") if why_not else Page(200, "ok\n")


def _said(page: Page, *, head: bool) -> bytes:
    body = page.body.encode("utf-8", "backslashreplace")
    allow = "Allow: GET, HEAD\r\n" if page.status == 405 else ""  # noqa: PLR2004 - as RFC 9110 wants it
    start = (
        f"HTTP/1.1 {page.status} {_REASONS[page.status]}\r\nContent-Type: {page.content_type}\r\n"
        f"Content-Length: {len(body)}\r\n{allow}Cache-Control: no-store\r\nConnection: close\r\n\r\n"
    )
    return start.encode() + (b"" if head else body)


def address(text: str) -> tuple[str, int] | None:
    """Parse `--listen`: an address and a port, no address for all of them, or `none`; raises UsageError."""
    if text == "none":
        return None
    found = _ADDRESS.fullmatch(text)
    if found is None or int(found["port"]) > _MOST_PORT:
        raise UsageError(f"--listen {text!r}: wanted an address and a port such as 127.0.0.1:9753, or none")
    host = found["six"] or found["four"] or "0.0.0.0"  # noqa: S104 - who leaves the address out asks for it
    return "127.0.0.1" if host == "localhost" else host, int(found["port"])


def parse(reply: bytes) -> tuple[int, str]:
    """Give status and body of an answer of ours; 0 where it is none."""
    head, _, body = reply.partition(b"\r\n\r\n")
    words = head.split(b" ", 2)
    status = int(words[1]) if len(words) > 1 and words[1].isdigit() and head.startswith(b"HTTP/1.") else 0
    return status, body.decode("utf-8", "backslashreplace")
