"""The base chains of nf_tables, asked of the kernel by netlink(7), as nft(8) asks; nothing is changed.

Messages and attributes are those of linux/netfilter/nfnetlink.h and linux/netfilter/nf_tables.h; numbers inside an
attribute are in network order. Any call here may block; it runs in a child, see sacrifice.py.
"""

import errno
import os
import socket
import struct
import time
from collections.abc import Iterator
from typing import Final

from nodediag.host.answer_parts import BaseChain, Hook, Policy

NAME: Final = "nf_tables"
DEADLINE_S: Final = 1.5
HOOKS: Final = {1: Hook.INPUT, 2: Hook.FORWARD, 3: Hook.OUTPUT}  # NF_INET_LOCAL_IN, _FORWARD, _LOCAL_OUT
_NETLINK_NETFILTER: Final = 12
_SUBSYSTEM: Final = 10 << 8  # NFNL_SUBSYS_NFTABLES
_NEWCHAIN: Final = _SUBSYSTEM | 3
_GETCHAIN: Final = _SUBSYSTEM | 4
_REQUEST_DUMP: Final = 0x1 | 0x100 | 0x200  # NLM_F_REQUEST | NLM_F_DUMP
_CHANGED_MEANWHILE: Final = 0x10  # NLM_F_DUMP_INTR
_ERROR: Final = 2
_DONE: Final = 3
_HEADER: Final = struct.Struct("=IHHII")
_NFGENMSG_BYTES: Final = 4
_ATTRIBUTE: Final = struct.Struct("=HH")
_TYPE_MASK: Final = 0x3FFF  # without NLA_F_NESTED and NLA_F_NET_BYTEORDER
_TABLE, _CHAIN, _HOOK, _POLICY, _TYPE = 1, 3, 4, 5, 7
_HOOKNUM: Final = 1
_FAMILIES: Final = {1: "inet", 2: "ip", 10: "ip6"}
_POLICIES: Final = {0: Policy.DROP, 1: Policy.ACCEPT}
_DATAGRAM_BYTES: Final = 1 << 16  # twice the most that the kernel puts into one
_MOST_BYTES: Final = 64 * 1024 * 1024
_MOST_CHAINS: Final = 500
_ATTEMPTS: Final = 5
# a kernel that takes no modules, and has no nf_tables either
_NONE: Final = frozenset({errno.EPROTONOSUPPORT, errno.EINVAL, errno.EOPNOTSUPP})


class ChangedError(Exception):
    """The chains were changed while they were listed; what was told may be neither the old nor the new ones."""


def base_chains(*, deadline_s: float = DEADLINE_S) -> tuple[BaseChain, ...]:
    """Give the chains of type `filter` at the three hooks, of our network namespace.

    Raises OSError (TimeoutError among them), ValueError for an answer that is none, OverflowError beyond the bounds,
    ChangedError.
    """
    until = time.monotonic() + deadline_s
    for _ in range(_ATTEMPTS):
        try:
            return tuple(_listed(until))
        except ChangedError:
            continue
        except OSError as error:
            if error.errno in _NONE:
                return ()
            raise
    raise ChangedError


def _listed(until: float) -> Iterator[BaseChain]:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER) as kernel:
        kernel.bind((0, 0))
        kernel.settimeout(_left(until))
        length = _HEADER.size + _NFGENMSG_BYTES
        kernel.send(_HEADER.pack(length, _GETCHAIN, _REQUEST_DUMP, 1, 0) + bytes(_NFGENMSG_BYTES))
        heard = count = 0
        while True:
            kernel.settimeout(_left(until))
            data, _, flags, sender = kernel.recvmsg(_DATAGRAM_BYTES)
            if sender[0] != 0:
                continue  # any process may send here
            heard += len(data)
            if heard > _MOST_BYTES:
                raise OverflowError(f"more than {_MOST_BYTES} bytes of chains")
            if flags & socket.MSG_TRUNC:
                raise ValueError("a message that is longer than the kernel's may be")
            chains, more = parse(data)
            for chain in chains:
                count += 1
                if count > _MOST_CHAINS:
                    raise OverflowError(f"more than {_MOST_CHAINS} base chains")
                yield chain
            if not more:
                return


def parse(data: bytes) -> tuple[list[BaseChain], bool]:
    """Give the base chains in one datagram, and whether another follows; raises ValueError, OSError, ChangedError."""
    found: list[BaseChain] = []
    at = 0
    while at < len(data):
        if at + _HEADER.size > len(data):
            raise ValueError("a message that ends within its header")
        length, kind, flags, _, _ = _HEADER.unpack_from(data, at)
        if length < _HEADER.size or at + length > len(data):
            raise ValueError("a message that ends before its length")
        body = data[at + _HEADER.size : at + length]
        at += _aligned(length)
        if flags & _CHANGED_MEANWHILE:
            raise ChangedError
        if kind in {_ERROR, _DONE}:
            number = struct.unpack_from("=i", body)[0] if len(body) >= struct.calcsize("=i") else 0
            if number < 0:
                raise OSError(-number, os.strerror(-number))
            return found, False
        chain = _chain(body) if kind == _NEWCHAIN else None
        if chain is not None:
            found.append(chain)
    return found, True


def _chain(body: bytes) -> BaseChain | None:
    """Give a chain that decides on what no rule names; None for one that is jumped to, or of another kind."""
    if len(body) < _NFGENMSG_BYTES:
        raise ValueError("a chain that ends within its header")
    told = dict(_attributes(body[_NFGENMSG_BYTES:]))
    family = _FAMILIES.get(body[0])
    if family is None or _HOOK not in told or _POLICY not in told or _text(told.get(_TYPE, b"")) != "filter":
        return None
    hook = HOOKS.get(_number(dict(_attributes(told[_HOOK])).get(_HOOKNUM, b"")))
    if hook is None:
        return None
    number = _number(told[_POLICY])
    if number not in _POLICIES:
        raise ValueError(f"a policy that is {number}")
    table, name = _text(told.get(_TABLE, b"")), _text(told.get(_CHAIN, b""))
    return BaseChain(program=NAME, family=family, table=table, chain=name, hook=hook, policy=_POLICIES[number])


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(data):
        if at + _ATTRIBUTE.size > len(data):
            raise ValueError("an attribute that ends within its header")
        length, kind = _ATTRIBUTE.unpack_from(data, at)
        if length < _ATTRIBUTE.size or at + length > len(data):
            raise ValueError("an attribute that ends before its length")
        yield kind & _TYPE_MASK, data[at + _ATTRIBUTE.size : at + length]
        at += _aligned(length)


def _number(data: bytes) -> int:
    if len(data) != struct.calcsize("!I"):
        raise ValueError("a number that has not four bytes")
    return int.from_bytes(data, "big")


def _text(data: bytes) -> str:
    return data.partition(b"\0")[0].decode("utf-8", "backslashreplace")


def _aligned(length: int) -> int:
    return (length + 3) & ~3


def _left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
