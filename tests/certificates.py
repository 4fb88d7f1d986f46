"""Makes certificates as text, with any names and dates; what signs them is nonsense, since nobody here verifies it."""

import base64
from datetime import UTC, datetime
from typing import Final

_EC_KEY: Final = bytes.fromhex("301306072a8648ce3d020106082a8648ce3d030107") + b"\x03\x03\x00\x04\x01"
_ALGORITHM: Final = bytes.fromhex("300a06082a8648ce3d040302")
_AUTHORITY: Final = bytes.fromhex("a3133011300f0603551d130101ff040530030101ff")
_OIDS: Final = {"CN": "0603550403", "O": "060355040a"}
KEY: Final = (
    "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg\n-----END PRIVATE KEY-----\n"
)


def element(tag: int, *content: bytes) -> bytes:
    """Give one element of DER."""
    held = b"".join(content)
    size = len(held)
    length = bytes((size,)) if size < 128 else bytes((0x82,)) + size.to_bytes(2, "big")
    return bytes((tag,)) + length + held


def name(text: str) -> bytes:
    """Give a distinguished name of `O=a,CN=b`."""
    pairs = (word.partition("=") for word in text.split(",") if word)
    return element(
        0x30,
        *(
            element(0x31, element(0x30, bytes.fromhex(_OIDS[key]), element(0x0C, value.encode())))
            for key, _, value in pairs
        ),
    )


def der(subject: str, since: datetime, until: datetime, *, issuer: str = "CN=ca", authority: bool = False) -> bytes:
    """Give a certificate in DER."""
    times = (element(0x18, time.astimezone(UTC).strftime("%Y%m%d%H%M%SZ").encode()) for time in (since, until))
    signed = element(
        0x30,
        bytes.fromhex("a003020102"),
        element(0x02, b"\x00\x81\x02"),
        _ALGORITHM,
        name(issuer),
        element(0x30, *times),
        name(subject),
        element(0x30, _EC_KEY),
        _AUTHORITY if authority else b"",
    )
    return element(0x30, signed, _ALGORITHM, element(0x03, b"\x00\x01"))


def pem(data: bytes) -> str:
    """Give it as text."""
    coded = base64.b64encode(data).decode()
    lines = (coded[at : at + 64] for at in range(0, len(coded), 64))
    return "\n".join(("-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", ""))
