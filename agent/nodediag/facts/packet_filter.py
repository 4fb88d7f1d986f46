"""The default policies of the packet filter's chains INPUT, FORWARD and OUTPUT, those that IPv4 goes through.

No file of a running node holds them: the kernel tells them to those alone who may change them (CAP_NET_ADMIN). It is
asked itself, since the commands that ask it may load modules and take iptables' lock. Of a capture, what they printed
is read.
"""

import re
from typing import Final, TypeAlias

import msgspec

from nodediag.errors import ParseError, ReadError
from nodediag.host.answer_parts import BaseChain, Policy
from nodediag.host.ask import Namespace, PacketFilter as Asked, place
from nodediag.host.host import EVIDENCE_CAP, Host, Line
from nodediag.model.evidence import FileEvidence, PacketFilterEvidence
from nodediag.model.reason import Code

NAMESPACE: Final = Namespace.MOUNT
_CAPTURE: Final = "/sos_commands"
_FOLDERS: Final = (f"{_CAPTURE}/firewall_tables", f"{_CAPTURE}/networking")
_NAMES: Final = ("iptables_-t_filter_-nvL", "iptables_-vnxL", "nft_-a_list_ruleset", "nft_list_ruleset")
PATHS: Final = tuple(f"{folder}/{name}" for folder in _FOLDERS for name in _NAMES)
CAP_BYTES: Final = 16 * 1024 * 1024
CAPTURED: Final = "what `iptables -vnxL` or `nft list ruleset` prints, as a sosreport keeps it"
NEEDS: Final = f"root with CAP_NET_ADMIN on the running node; of a capture, {CAPTURED}"
_MISSING: Final = {Code.NOT_CAPTURED: CAPTURED, Code.ABSENT: NEEDS}
CHAINS: Final = ("INPUT", "FORWARD", "OUTPUT")
NONE: Final = "none"
_FAMILIES: Final = frozenset({"ip", "inet"})
_TABLE: Final = re.compile(r"table (?P<family>[a-z0-9]+) ")
_IPTABLES: Final = re.compile(r"Chain (?P<chain>INPUT|FORWARD|OUTPUT) \(policy (?P<policy>ACCEPT|DROP)\b")
_NFT: Final = re.compile(
    r"\s*type filter hook (?P<chain>input|forward|output) priority [^;]{1,40}; policy (?P<policy>accept|drop);"
)


ChainEvidence: TypeAlias = FileEvidence | PacketFilterEvidence


class ChainPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of a packet that no rule of a chain decides on: ACCEPT or DROP, or `none` where no chain stands."""

    chain: str
    policy: str
    evidence: ChainEvidence


class PacketFilter(msgspec.Struct, frozen=True, kw_only=True):
    """The policies, one for each chain that has one."""

    policies: tuple[ChainPolicy, ...]


def collect(host: Host) -> PacketFilter:
    """Ask a running node; of a capture read the first of the lists that is there."""
    try:
        return derive(host.packet_filter().chains)
    except ReadError as error:
        if error.reason.code not in _MISSING:
            raise
        said = error.reason
    for path in PATHS if _has_captured(host) else ():
        try:
            return parse(host.lines(path, cap_bytes=CAP_BYTES), path)
        except ReadError as error:
            if error.reason.code not in _MISSING:
                raise
    known = said.needs if said.needs != place(Asked()) else ""  # a folder knows no more than what it lacks
    raise ReadError("packet filter", msgspec.structs.replace(said, needs=known or _MISSING[said.code]))


def _has_captured(host: Host) -> bool:
    try:
        return bool(host.list(_CAPTURE))
    except ReadError as error:
        if error.reason.code not in _MISSING:
            raise
        return False


def derive(chains: tuple[BaseChain, ...]) -> PacketFilter:
    """Give what becomes of a packet at each hook, of all chains that a kernel has: it passes where none drops it."""
    return PacketFilter(policies=tuple(_at(hook, chains) for hook in CHAINS))


def _at(hook: str, chains: tuple[BaseChain, ...]) -> ChainPolicy:
    here = [one for one in chains if one.hook.upper() == hook and one.family in _FAMILIES]
    if not here:
        text = f"no chain of type filter at the hook {hook.lower()}"
        return ChainPolicy(chain=hook, policy=NONE, evidence=PacketFilterEvidence(name="ip", text=text))
    one = next((one for one in here if one.policy is Policy.DROP), here[0])
    name = f"{one.family} {one.table} {one.chain} ({one.program})"[:EVIDENCE_CAP]
    evidence = PacketFilterEvidence(name=name, text=f"hook {one.hook}, policy {one.policy}")
    return ChainPolicy(chain=hook, policy=one.policy.upper(), evidence=evidence)


def parse(lines: tuple[Line, ...], path: str) -> PacketFilter:
    """Parse either list; a hook of nftables that drops by any chain drops. Raises ParseError where it has no policy."""
    found: dict[str, ChainPolicy] = {}
    family = "ip"
    for line in lines:
        table = _TABLE.match(line.text)
        family = table["family"] if table is not None else family
        if family not in _FAMILIES:
            continue
        said = _IPTABLES.match(line.text) or _NFT.match(line.text)
        if said is None:
            continue
        one = ChainPolicy(chain=said["chain"].upper(), policy=said["policy"].upper(), evidence=line.evidence)
        if one.chain not in found or one.policy == "DROP":
            found[one.chain] = one
    if not found:
        raise ParseError(path, lines[0].text if lines else "", "chains with a policy")
    return PacketFilter(policies=tuple(found[chain] for chain in CHAINS if chain in found))
