"""The default policies of the packet filter's chains INPUT, FORWARD and OUTPUT, from what iptables or nft printed.

No file of a running node holds them: the kernel tells them to those alone who may change them (CAP_NET_ADMIN), and the
commands that ask it may load modules and take iptables' lock. So they are known where a capture has their output, and
of a running node it is known at most that its kernel has no such tables.
"""

import re
from typing import Final

import msgspec

from nodediag.errors import ParseError, ReadError
from nodediag.host.ask import Namespace
from nodediag.host.host import Host, Line
from nodediag.model.evidence import FileEvidence
from nodediag.model.reason import Code, Reason

NAMESPACE: Final = Namespace.MOUNT
_CAPTURE: Final = "/sos_commands"
_FOLDERS: Final = (f"{_CAPTURE}/firewall_tables", f"{_CAPTURE}/networking")
_NAMES: Final = ("iptables_-t_filter_-nvL", "iptables_-vnxL", "nft_-a_list_ruleset", "nft_list_ruleset")
PATHS: Final = tuple(f"{folder}/{name}" for folder in _FOLDERS for name in _NAMES)
CAP_BYTES: Final = 16 * 1024 * 1024
NEEDS: Final = "what `iptables -vnxL` or `nft list ruleset` prints, as a sosreport keeps it"
CHAINS: Final = ("INPUT", "FORWARD", "OUTPUT")
_IPTABLES: Final = re.compile(r"Chain (?P<chain>INPUT|FORWARD|OUTPUT) \(policy (?P<policy>ACCEPT|DROP)\b")
_NFT: Final = re.compile(
    r"\s*type filter hook (?P<chain>input|forward|output) priority [^;]{1,40}; policy (?P<policy>accept|drop);"
)


class ChainPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of a packet that no rule of a chain decides on: ACCEPT or DROP."""

    chain: str
    policy: str
    evidence: FileEvidence


class PacketFilter(msgspec.Struct, frozen=True, kw_only=True):
    """The policies, one for each chain that has one."""

    policies: tuple[ChainPolicy, ...]


def collect(host: Host) -> PacketFilter:
    """Read the first of the captured lists that is there."""
    missing = Code.NOT_CAPTURED
    try:
        captured = host.list(_CAPTURE)
    except ReadError as error:
        if error.reason.code is not Code.ABSENT:
            needs = error.reason.needs or NEEDS
            raise ReadError(_CAPTURE, msgspec.structs.replace(error.reason, needs=needs)) from error
        captured, missing = (), Code.ABSENT
    for path in PATHS if captured else ():
        try:
            return parse(host.lines(path, cap_bytes=CAP_BYTES), path)
        except ReadError as error:
            if error.reason.code not in {Code.ABSENT, Code.NOT_CAPTURED}:
                raise
    detail = "the packet filter's policies stand in no file of a running node"
    raise ReadError("packet filter", Reason(code=missing, detail=detail, needs=NEEDS))


def parse(lines: tuple[Line, ...], path: str) -> PacketFilter:
    """Parse either list; a hook of nftables that drops by any chain drops. Raises ParseError where it has no policy."""
    found: dict[str, ChainPolicy] = {}
    for line in lines:
        said = _IPTABLES.match(line.text) or _NFT.match(line.text)
        if said is None:
            continue
        one = ChainPolicy(chain=said["chain"].upper(), policy=said["policy"].upper(), evidence=line.evidence)
        if one.chain not in found or one.policy == "DROP":
            found[one.chain] = one
    if not found:
        raise ParseError(path, lines[0].text if lines else "", "chains with a policy")
    return PacketFilter(policies=tuple(found[chain] for chain in CHAINS if chain in found))
