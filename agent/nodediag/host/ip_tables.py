"""The policies of the table `filter` of ip_tables, asked of the kernel as iptables(8) asks, by getsockopt(2).

The structures are those of linux/netfilter_ipv4/ip_tables.h and linux/netfilter/x_tables.h: the policy of a chain is
the verdict of the last rule in it, which stands at the chain's `underflow`. Asking for a table that is not there would
have the kernel load the module that makes it: whoever asks must know that it is. Any call here may block; it runs in a
child, see sacrifice.py.
"""

import ctypes
import errno
import os
import socket
import struct
from typing import Final

from nodediag.host.answer_parts import BaseChain, Policy
from nodediag.host.nf_tables import HOOKS

NAME: Final = "ip_tables"
TABLE: Final = "filter"
_CHAINS: Final = 5  # NF_INET_NUMHOOKS
_GET_INFO: Final = 64  # IPT_SO_GET_INFO
_GET_ENTRIES: Final = 65  # IPT_SO_GET_ENTRIES
_NAME_BYTES: Final = 32  # XT_TABLE_MAXNAMELEN
_INFO: Final = struct.Struct(f"={_NAME_BYTES}sI{_CHAINS}I{_CHAINS}III")  # struct ipt_getinfo
_ENTRIES: Final = struct.Struct(f"@{_NAME_BYTES}sI0Q")  # struct ipt_get_entries, before its rules
_ENTRY_BYTES: Final = 112  # struct ipt_entry: the match 84, nfcache 4, two offsets 2 each, comefrom 4, counters 16
_TARGET_AT: Final = struct.Struct("@H")
_OFFSETS_AT: Final = 88  # of target_offset in struct ipt_entry
_TARGET: Final = struct.Struct("@H29sBi")  # struct xt_standard_target: size, name, revision, verdict
_POLICIES: Final = {-1: Policy.DROP, -2: Policy.ACCEPT}  # -NF_DROP - 1, -NF_ACCEPT - 1
_MOST_BYTES: Final = 16 * 1024 * 1024  # some 50,000 rules
_ATTEMPTS: Final = 5


class Info:
    """What the kernel tells of a table: where each chain ends, and how long its rules are in all."""

    def __init__(self, data: bytes) -> None:
        if len(data) != _INFO.size:
            raise ValueError("a description of another length")
        _, self.hooks, *numbers, self.rules, self.size = _INFO.unpack(data)
        self.underflow: tuple[int, ...] = tuple(numbers[_CHAINS:])


def base_chains() -> tuple[BaseChain, ...]:
    """Give the chains of the table `filter` of IPv4, of our network namespace.

    Raises OSError, ValueError for an answer that is none, OverflowError beyond the bound.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        for _ in range(_ATTEMPTS):
            try:
                info = Info(_asked(asking, _GET_INFO, TABLE.encode().ljust(_INFO.size, b"\0")))
                if info.size > _MOST_BYTES:
                    raise OverflowError(f"more than {_MOST_BYTES} bytes of rules")
                request = _ENTRIES.pack(TABLE.encode(), info.size) + bytes(info.size)
                return parse(info, _asked(asking, _GET_ENTRIES, request)[_ENTRIES.size :])
            except OSError as error:
                if error.errno == errno.EAGAIN:  # the table was changed between the two questions
                    continue
                if error.errno in {errno.ENOENT, errno.ENOPROTOOPT}:  # it has gone since
                    return ()
                raise
    raise OSError(errno.EAGAIN, "the table changes all the time")


def parse(info: Info, rules: bytes) -> tuple[BaseChain, ...]:
    """Find the policies in a table's rules; raises ValueError where they are none."""
    found: list[BaseChain] = []
    for number, hook in HOOKS.items():
        if not info.hooks & (1 << number):
            continue
        at = info.underflow[number]
        if at + _ENTRY_BYTES > len(rules):
            raise ValueError(f"the chain {hook} ends beyond its table")
        (target,) = _TARGET_AT.unpack_from(rules, at + _OFFSETS_AT)
        if target < _ENTRY_BYTES or at + target + _TARGET.size > len(rules):
            raise ValueError(f"the last rule of the chain {hook} ends beyond its table")
        _, name, _, verdict = _TARGET.unpack_from(rules, at + target)
        if name.strip(b"\0") or verdict not in _POLICIES:
            raise ValueError(f"the last rule of the chain {hook} is no policy")
        policy = _POLICIES[verdict]
        found.append(BaseChain(program=NAME, family="ip", table=TABLE, chain=hook.upper(), hook=hook, policy=policy))
    return tuple(found)


def _asked(asking: socket.socket, option: int, request: bytes) -> bytes:
    """Ask by getsockopt(2), whose buffer holds the question; Python's takes none, and gives no more than 1024 bytes."""
    buffer = ctypes.create_string_buffer(request, len(request))
    length = ctypes.c_uint32(len(request))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.getsockopt(asking.fileno(), socket.IPPROTO_IP, option, buffer, ctypes.byref(length)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return buffer.raw[: length.value]
