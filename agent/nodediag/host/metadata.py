"""Compute Engine's metadata server: a few named values, within one short deadline.

No proxy, no redirect, nothing that did not say `Metadata-Flavor: Google`; see "About VM metadata" in Compute Engine's
documentation. GKE's own metadata server, which pods get in its place, hides some values: that is no answer, not a no.
Any call here may block; it runs in a child, see sacrifice.py.
"""

import http.client
import time
from contextlib import closing
from http import HTTPStatus
from typing import Final

from nodediag.host.answer import Failure, MetadataAnswer, Reply
from nodediag.model.reason import Code, Reason

SERVER: Final = "169.254.169.254"  # its name would need a name server that answers
DEADLINE_S: Final = 1.0
_PREFIX: Final = "/computeMetadata/v1/"
_FLAVOR: Final = "Google"
_CAP_BYTES: Final = 64 * 1024
_CODES: Final = {HTTPStatus.NOT_FOUND: Code.ABSENT, HTTPStatus.FORBIDDEN: Code.NOT_PERMITTED}
_NEEDS: Final = "a metadata server that answers, or --instance FILE"


class _WrongError(Exception):
    """What answers is no metadata server."""


def fetch(keys: tuple[str, ...], server: str) -> Reply:
    """Ask for each key; a server that is late, absent or not what it should be is a failure as a whole."""
    address = server or SERVER
    until = time.monotonic() + DEADLINE_S
    values: dict[str, str] = {}
    refused: dict[str, Reason] = {}
    named = ""
    try:
        for key in keys:
            status, named, body = _get(address, key, until - time.monotonic())
            if status == HTTPStatus.OK and len(body) <= _CAP_BYTES:
                values[key] = body.decode("utf-8", "backslashreplace").strip()
            else:
                refused[key] = _refusal(key, status)
    except TimeoutError:
        return _failed(Code.TIMED_OUT, f"no answer from {address} within {DEADLINE_S:g} s")
    except _WrongError as error:
        return _failed(Code.WRONG_KIND, f"{address} {error}")
    except (OSError, http.client.HTTPException, ValueError) as error:
        return _failed(Code.NOT_PERMITTED, f"{address}: {error!s:.200}")
    return MetadataAnswer(address, named, values, refused)


def _get(address: str, key: str, left_s: float) -> tuple[int, str, bytes]:
    if left_s <= 0:
        raise TimeoutError
    with closing(http.client.HTTPConnection(address, timeout=left_s)) as connection:
        connection.request("GET", _PREFIX + key, headers={"Metadata-Flavor": _FLAVOR})
        answer = connection.getresponse()
        if answer.headers.get("Metadata-Flavor") != _FLAVOR:
            raise _WrongError(f"answers without Metadata-Flavor: {_FLAVOR}, so it is no metadata server")
        named = str(answer.headers.get("Server", "")).encode("utf-8", "backslashreplace").decode()[:100]
        return answer.status, named, answer.read(_CAP_BYTES + 1)


def _refusal(key: str, status: int) -> Reason:
    if status == HTTPStatus.OK:
        return Reason(code=Code.TOO_LARGE, detail=f"{key} holds more than {_CAP_BYTES} bytes")
    code = _CODES.get(HTTPStatus(status), Code.UNSUPPORTED) if status in set(HTTPStatus) else Code.UNSUPPORTED
    return Reason(code=code, detail=f"the metadata server answered {status} for {key}", needs=_NEEDS)


def _failed(code: Code, detail: str) -> Failure:
    return Failure(Reason(code=code, detail=f"the metadata server: {detail}", needs=_NEEDS))
