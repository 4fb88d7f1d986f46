"""X.509 certificates, reduced to their public parts where they are read: RFC 5280, section 4.1, in PEM (RFC 7468).

A file that holds a private key too, as kubelet-client-current.pem does, is read here and forgotten: only what stands
in `Certificate` goes on, and no error quotes the file. Signatures are not verified: the question is for dates.
"""

import binascii
import re
from typing import Final, NamedTuple

from nodediag.host import der
from nodediag.host.answer import Certificate, CertificateList, Content, Failure, Reply
from nodediag.host.der import Part, Tag
from nodediag.model.reason import Code, Reason

CAP_BYTES: Final = 1024 * 1024
MOST: Final = 20
_MOST_NAMES: Final = 20
_MOST_LETTERS: Final = 200
_LEAST_FIELDS: Final = 6  # serial, algorithm, issuer, validity, subject, key
_MOST_KEY_BITS: Final = 1 << 16
_PEM: Final = re.compile(rb"-----BEGIN CERTIFICATE-----\s([^-]*)-----END CERTIFICATE-----")
_NAMES: Final = {
    "2.5.4.3": "CN", "2.5.4.5": "serialNumber", "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "ST", "2.5.4.10": "O",
    "2.5.4.11": "OU",
}  # fmt: skip
_RSA: Final = "1.2.840.113549.1.1.1"
_EC: Final = "1.2.840.10045.2.1"
_KEYS: Final = {_RSA: "RSA", _EC: "EC", "1.3.101.112": "Ed25519", "1.3.101.113": "Ed448"}
_CURVES: Final = {"1.2.840.10045.3.1.7": "P-256", "1.3.132.0.34": "P-384", "1.3.132.0.35": "P-521"}
_BASIC_CONSTRAINTS: Final = "2.5.29.19"


def answer(path: str, read: Reply) -> Reply:
    """Make what reading a file gave the answer to a question for its certificates."""
    if not isinstance(read, Content):
        return read
    try:
        return in_pem(read.data)
    except ValueError as error:
        return unreadable(path, error)


def unreadable(path: str, error: ValueError) -> Failure:
    """Say that a file is not what it should be; the error is one of ours, which quotes nothing."""
    return Failure(Reason(code=Code.UNPARSABLE, detail=f"{path}: {error}", needs="certificates in PEM"))


def in_pem(data: bytes) -> CertificateList:
    """Read the certificates of a PEM file, in their order; raises ValueError where there is none, or one is damaged."""
    blocks = _PEM.findall(data)
    if not blocks:
        raise ValueError("it holds no certificate in PEM")
    found: list[Certificate] = []
    for number, block in enumerate(blocks[:MOST], 1):
        try:
            found.append(parse(binascii.a2b_base64(block)))
        except (ValueError, StopIteration, OverflowError) as error:  # binascii.Error and UnicodeError are ValueErrors
            why = str(error) if type(error) is ValueError else "not in base64, or cut short"
            raise ValueError(f"certificate {number} cannot be read: {why}") from None
    return CertificateList(tuple(found), len(blocks))


class _Signed(NamedTuple):
    """The fields of a TBSCertificate that we read."""

    serial: bytes
    issuer: bytes
    validity: bytes
    subject: bytes
    key: bytes
    rest: tuple[Part, ...]


def parse(data: bytes) -> Certificate:
    """Read one certificate in DER; raises ValueError."""
    whole, *_ = _of(data, 1)
    signed = _signed(whole.of(Tag.SEQUENCE))
    before, after, *_ = _of(signed.validity, 2)
    return Certificate(
        subject=_name(signed.subject),
        issuer=_name(signed.issuer),
        serial=signed.serial.lstrip(b"\0")[:_MOST_NAMES].hex(),
        not_before=der.time(before),
        not_after=der.time(after),
        key=_key(signed.key),
        authority=_authority(signed.rest),
    )


def _signed(whole: bytes) -> _Signed:
    tbs, *_ = _of(whole, 1)
    fields = list(der.parts(tbs.of(Tag.SEQUENCE)))
    if fields and fields[0].tag == Tag.VERSION:
        del fields[0]
    if len(fields) < _LEAST_FIELDS:
        raise ValueError("fields are missing")
    serial, _, issuer, validity, subject, key, *rest = fields
    return _Signed(
        serial=serial.of(Tag.INTEGER),
        issuer=issuer.of(Tag.SEQUENCE),
        validity=validity.of(Tag.SEQUENCE),
        subject=subject.of(Tag.SEQUENCE),
        key=key.of(Tag.SEQUENCE),
        rest=tuple(rest),
    )


def _of(data: bytes, least: int) -> list[Part]:
    found = list(der.parts(data))
    if len(found) < least:
        raise ValueError("elements are missing")
    return found


def _name(content: bytes) -> str:
    """Give a distinguished name in its own order, such as `O=system:nodes,CN=system:node:gke-a`."""
    words: list[str] = []
    for relative in der.parts(content):
        for pair in der.parts(relative.of(Tag.SET)):
            kind, value, *_ = _of(pair.of(Tag.SEQUENCE), 2)
            name = der.oid(kind.of(Tag.OID))
            words.append(f"{_NAMES.get(name, name)}={_text(value)}")
    return ",".join(words[:_MOST_NAMES])


def _text(value: Part) -> str:
    coded = "utf-16-be" if value.tag == Tag.BMP_STRING else "utf-8"
    return value.content[: 2 * _MOST_LETTERS].decode(coded, "backslashreplace")[:_MOST_LETTERS]


def _key(content: bytes) -> str:
    """Name the key's algorithm and its size: `RSA 2048`, `EC P-256`."""
    algorithm, bits, *_ = _of(content, 2)
    kind, *parameters = _of(algorithm.of(Tag.SEQUENCE), 1)
    number = der.oid(kind.of(Tag.OID))
    name = _KEYS.get(number, number)
    if number == _EC and parameters and parameters[0].tag == Tag.OID:
        curve = der.oid(parameters[0].content)
        return f"{name} {_CURVES.get(curve, curve)}"
    if number == _RSA:
        pair, *_ = _of(bits.of(Tag.BIT_STRING)[1:], 1)  # the first byte tells of unused bits
        modulus, *_ = _of(pair.of(Tag.SEQUENCE), 1)
        size = int.from_bytes(modulus.of(Tag.INTEGER)[: _MOST_KEY_BITS // 8], "big").bit_length()
        return f"{name} {size}"
    return name


def _authority(rest: tuple[Part, ...]) -> bool:
    """Tell whether it may sign others: basicConstraints, RFC 5280, 4.2.1.9."""
    held = next((part.content for part in rest if part.tag == Tag.EXTENSIONS), b"")
    for listed in der.parts(held):
        for extension in der.parts(listed.of(Tag.SEQUENCE)):
            kind, *more = _of(extension.of(Tag.SEQUENCE), 2)
            if der.oid(kind.of(Tag.OID)) == _BASIC_CONSTRAINTS:
                constraints, *_ = _of(more[-1].of(Tag.OCTET_STRING), 1)
                first = next(der.parts(constraints.of(Tag.SEQUENCE)), None)
                return first is not None and first.tag == Tag.BOOLEAN and first.content == b"\xff"
    return False
