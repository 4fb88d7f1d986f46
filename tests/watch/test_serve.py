import pytest

from nodediag.errors import UsageError
from nodediag.watch.serve import QUESTION, Pages, address, answer, parse

WELL = Pages(sick=lambda: "", unready=lambda: "", metrics=lambda: "m 1\n# EOF\n")
SICK = Pages(sick=lambda: "it hangs", unready=lambda: "not yet", metrics=lambda: "# EOF\n")


def asked(pages: Pages, line: str) -> tuple[int, str]:
    reply = answer(pages, f"{line}\r\nHost: x\r\n\r\n".encode())
    assert reply is not None
    status, body = parse(reply)
    assert f"Content-Length: {len(body)}\r\n".encode() in reply or line.startswith("HEAD")
    return status, body


@pytest.mark.parametrize(
    ("pages", "line", "wanted"),
    [
        (WELL, "GET /healthz HTTP/1.1", (200, "ok\n")),
        (SICK, "GET /healthz HTTP/1.1", (503, "it hangs\n")),
        (WELL, "GET /readyz HTTP/1.0", (200, "ok\n")),
        (SICK, "GET /readyz HTTP/1.1", (503, "not yet\n")),
        (WELL, "GET /metrics?x=1 HTTP/1.1", (200, "m 1\n# EOF\n")),
        (WELL, "HEAD /metrics HTTP/1.1", (200, "")),
        (SICK, "HEAD /healthz HTTP/1.1", (503, "")),
        (WELL, "GET /../etc/passwd HTTP/1.1", (404, "there are /healthz, /readyz and /metrics\n")),
        (WELL, "POST /healthz HTTP/1.1", (405, "GET and HEAD only\n")),
        (WELL, "DELETE / HTTP/1.1", (405, "GET and HEAD only\n")),
        (WELL, "GET /healthz HTTP/2", (400, "this is no HTTP/1.1 request\n")),
        (WELL, "GET  HTTP/1.1", (400, "this is no HTTP/1.1 request\n")),
        (WELL, "\x16\x03\x01", (400, "this is no HTTP/1.1 request\n")),
    ],
)
def test_each_request_has_its_answer(pages: Pages, line: str, wanted: tuple[int, str]) -> None:
    assert asked(pages, line) == wanted


@pytest.mark.parametrize("part", [b"", b"GET", b"GET /healthz HTTP/1.1\r\n", QUESTION[:-1]])
def test_a_request_that_is_not_whole_is_waited_for(part: bytes) -> None:
    assert answer(WELL, part) is None


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("127.0.0.1:9753", ("127.0.0.1", 9753)),
        ("localhost:1", ("127.0.0.1", 1)),
        (":9753", ("0.0.0.0", 9753)),
        ("[::1]:80", ("::1", 80)),
        ("none", None),
    ],
)
def test_where_to_listen(text: str, wanted: tuple[str, int] | None) -> None:
    assert address(text) == wanted


@pytest.mark.parametrize("text", ["", "9753", "127.0.0.1", "node.example:80", "127.0.0.1:99999", "::1:80", "x\n:1"])
def test_what_is_no_address_is_bad_usage(text: str) -> None:
    with pytest.raises(UsageError, match="--listen"):
        address(text)
