"""The packet filter's base chains: from bytes as the kernel's headers lay them out, and of a real kernel."""

import os
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from nodediag.host import ip_tables, nf_tables, packet_filter
from nodediag.host.answer import Content, Failure, PacketFilterAnswer, Reply
from nodediag.host.answer_parts import Hook, Policy
from nodediag.host.ask import PacketFilter
from nodediag.host.live import LiveSource
from nodediag.host.tree import TreeSource
from nodediag.model.reason import Code, Reason

NF_DROP, NF_ACCEPT = 0, 1
INET, IPV4, IPV6, BRIDGE = 1, 2, 10, 7
NEWCHAIN = 0x0A03
HEAD = struct.pack("=BBH", IPV4, 0, 0)


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def message(kind: int, body: bytes, flags: int = 2) -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, flags, 1, 77) + body + bytes(-len(body) % 4)


def chain(
    name: bytes, family: int = IPV4, hook: int | None = 1, policy: int | None = NF_DROP, kind: bytes = b"filter"
) -> bytes:
    """Lay out what NFT_MSG_GETCHAIN is answered with: a base chain has a hook, a type and a policy."""
    body = struct.pack("=BBH", family, 0, 0) + attribute(1, b"filter\0") + attribute(2, bytes(8))
    body += attribute(3, name + b"\0") + attribute(6, struct.pack("!I", 3))
    if hook is not None:
        nested = attribute(1, struct.pack("!I", hook)) + attribute(2, struct.pack("!i", -5))
        body += attribute(4 | 0x8000, nested) + attribute(7, kind + b"\0")
    if policy is not None:
        body += attribute(5, struct.pack("!I", policy))
    return message(NEWCHAIN, body)


DONE = message(3, struct.pack("=i", 0))


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (chain(b"INPUT"), [("ip", "INPUT", Hook.INPUT, Policy.DROP)]),
        (chain(b"F", IPV6, 2, NF_ACCEPT), [("ip6", "F", Hook.FORWARD, Policy.ACCEPT)]),
        (chain(b"\xff\n\x1b", INET, 3), [("inet", "\\xff\n\x1b", Hook.OUTPUT, Policy.DROP)]),
        (
            chain(b"a") + chain(b"b", hook=2),
            [("ip", "a", Hook.INPUT, Policy.DROP), ("ip", "b", Hook.FORWARD, Policy.DROP)],
        ),
        (chain(b"prerouting", hook=0), []),
        (chain(b"KUBE-SERVICES", hook=None, policy=None), []),
        (chain(b"masquerade", hook=3, kind=b"nat"), []),
        (chain(b"of a bridge", BRIDGE), []),
        (message(1, b""), []),
        (b"", []),
    ],
)  # fmt: skip
def test_base_chains_are_told_from_all_others(data: bytes, wanted: list[tuple[str, ...]]) -> None:
    found, more = nf_tables.parse(data)
    assert [(one.family, one.chain, one.hook, one.policy) for one in found] == wanted
    assert more
    assert nf_tables.parse(data + DONE) == (found, False)


@pytest.mark.parametrize("cut", [1, 15, 16, 18, 20, 24, 40, 60])
def test_a_message_that_was_cut_is_no_answer(cut: int) -> None:
    with pytest.raises(ValueError, match="ends"):
        nf_tables.parse(chain(b"INPUT")[:cut])


@pytest.mark.parametrize("cut", [1, 3, 5, 6, 10, 30, 58])
def test_an_attribute_that_was_cut_is_no_answer(cut: int) -> None:
    body = chain(b"INPUT")[16:-cut]
    with pytest.raises(ValueError, match="ends"):
        nf_tables.parse(struct.pack("=IHHII", 16 + len(body), NEWCHAIN, 2, 1, 77) + body)


@pytest.mark.parametrize(
    "data",
    [
        chain(b"x", policy=7),
        message(NEWCHAIN, HEAD + attribute(4, b"") + attribute(5, b"\0") + attribute(7, b"filter")),
        message(NEWCHAIN, HEAD + struct.pack("=HH", 3, 1)),
        struct.pack("=IHHII", 8, NEWCHAIN, 2, 1, 0),
    ],
)  # fmt: skip
def test_what_no_kernel_says_is_no_answer(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        nf_tables.parse(data)


def test_a_refusal_is_told_and_a_change_meanwhile_too() -> None:
    with pytest.raises(PermissionError):
        nf_tables.parse(message(2, struct.pack("=i", -1) + bytes(16)))
    with pytest.raises(nf_tables.ChangedError):
        nf_tables.parse(message(NEWCHAIN, chain(b"INPUT")[16:], flags=2 | 0x10))


def rule(verdict: int, *, name: bytes = b"", match: bytes = b"") -> bytes:
    """Lay out a struct ipt_entry with a standard target."""
    target = 112 + len(match)
    head = bytes(84) + struct.pack("=IHHIQQ", 0, target, target + 40, 0, 0, 0)
    assert len(head) == 112
    return head + match + struct.pack("@H29sBi", 40, name, 0, verdict) + bytes(4)


def info(rules: bytes, hooks: int = 0b01110, underflow: tuple[int, ...] = (0, 0, 152, 304, 0)) -> ip_tables.Info:
    """Lay out a struct ipt_getinfo."""
    numbers = (*underflow, *underflow)
    return ip_tables.Info(struct.pack("=32sI10III", b"filter", hooks, *numbers, 4, len(rules)))


RULES = rule(-1) + rule(-2) + rule(-1)


def test_a_policy_is_the_last_rule_of_a_chain_of_a_table() -> None:
    found = ip_tables.parse(info(RULES), RULES)
    assert [(one.chain, one.hook, one.policy) for one in found] == [
        ("INPUT", Hook.INPUT, Policy.DROP),
        ("FORWARD", Hook.FORWARD, Policy.ACCEPT),
        ("OUTPUT", Hook.OUTPUT, Policy.DROP),
    ]
    longer = rule(-2, match=bytes(48)) + RULES
    behind = info(longer, underflow=(0, 200, 0, 504, 0))
    assert [one.policy for one in ip_tables.parse(behind, longer)] == [Policy.DROP, Policy.ACCEPT, Policy.DROP]
    assert [one.hook for one in ip_tables.parse(info(RULES, hooks=0b00100), RULES)] == [Hook.FORWARD]


@pytest.mark.parametrize(
    ("rules", "underflow"),
    [
        (RULES, (0, 0, 152, 456, 0)),
        (RULES[:-60], (0, 0, 152, 304, 0)),
        (rule(-5) * 3, (0, 0, 152, 304, 0)),
        (rule(0) * 3, (0, 0, 152, 304, 0)),
        (rule(-1, name=b"REJECT") * 3, (0, 0, 152, 304, 0)),
        (bytes(456), (0, 0, 152, 304, 0)),
        (b"", (0, 0, 0, 0, 0)),
    ],
)
def test_rules_that_hold_no_policy_are_no_answer(rules: bytes, underflow: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="the chain"):
        ip_tables.parse(info(RULES, underflow=underflow), rules)


def test_a_description_that_was_cut_is_no_answer() -> None:
    with pytest.raises(ValueError, match="length"):
        ip_tables.Info(bytes(83))


def node(files: dict[str, bytes | Code]) -> Callable[[str], Reply]:
    """Give what reads a node's files."""

    def read(path: str) -> Reply:
        held = files.get(path, Code.ABSENT)
        return Content(held) if isinstance(held, bytes) else Failure(Reason(code=held, detail=f"{path}: {held}"))

    return read


TABLES, MODULES = packet_filter.TABLES_PATH, packet_filter.MODULES_PATH
BUILT_IN = "/lib/modules/6.6.97+/modules.builtin"
OTHERS = b"nf_tables_set 1 0 - Live 0x0\nnfnetlink 20480 1 - Live 0x0\n"


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({MODULES: OTHERS, BUILT_IN: b"kernel/fs/ext4/ext4.ko\nkernel/net/x_nf_tables.ko\n"}, None),
        ({TABLES: b"nat\nmangle\n", MODULES: OTHERS, BUILT_IN: b""}, None),
        ({MODULES: OTHERS, f"/usr{BUILT_IN}": b"kernel/fs/ext4/ext4.ko\n"}, None),
        ({MODULES: OTHERS}, Code.ABSENT),
        ({MODULES: OTHERS, BUILT_IN: Code.NOT_PERMITTED}, Code.ABSENT),
        ({TABLES: Code.NOT_PERMITTED, MODULES: OTHERS, BUILT_IN: b""}, Code.NOT_PERMITTED),
        ({MODULES: Code.NOT_CAPTURED}, Code.NOT_CAPTURED),
    ],
)
def test_what_might_load_a_module_is_not_asked(files: dict[str, bytes | Code], code: Code | None) -> None:
    """Nothing of these is of this machine's kernel: asking it would give chains, or be refused."""
    reply = packet_filter.ask(node(files), "6.6.97+")
    if code is None:
        assert reply == PacketFilterAnswer(())
    else:
        assert isinstance(reply, Failure)
        assert (reply.reason.code, bool(reply.reason.needs)) == (code, True)


ASK = """
import os, sys, msgspec
from nodediag.host.ask import PacketFilter
from nodediag.host.live import LiveSource
if sys.argv[1] != "0":
    os.setuid(int(sys.argv[1]))
sys.stdout.write(msgspec.json.encode(LiveSource("/").answer(PacketFilter())).decode())
"""
NOT_LOADED = """
import sys, msgspec
from nodediag.host import packet_filter
from nodediag.host.answer import Content, Failure
from nodediag.model.reason import Code, Reason
files = {packet_filter.TABLES_PATH: b"nat\\n", packet_filter.MODULES_PATH: b"nf_conntrack 1 0 - Live 0x0\\n"}
def read(path):
    return Content(files.get(path, b"kernel/fs/ext4/ext4.ko\\n"))
sys.stdout.write(msgspec.json.encode(packet_filter.ask(read, "6.1")).decode())
"""
CANNOT = 77


def in_new_network(setup: str, *, init: bool = True, program: str = ASK, uid: int = 0, without: str = "") -> Reply:
    """Set up a packet filter in a network namespace, and ask there as PID 1 or not; skips where this machine cannot."""
    if os.geteuid() != 0:
        pytest.skip("a new network namespace needs root")
    spaces = ("--pid", "--fork", "--mount-proc") if init else ()
    run = f"setpriv --bounding-set=-{without} --" if without else ""
    done = subprocess.run(
        ["unshare", "--net", *spaces, "sh", "-c", f'({setup}) || exit {CANNOT}; exec {run} "$0" -c "$1" "$2"',
         sys.executable, program, str(uid)],
        capture_output=True, text=True, check=False, timeout=60,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    if done.returncode == CANNOT or done.stderr.startswith("unshare:"):
        pytest.skip(f"this machine makes no such packet filter: {done.stderr.strip()[-200:]}")
    assert (done.returncode, done.stderr) == (0, "")
    return msgspec.json.decode(done.stdout, type=PacketFilterAnswer | Failure)


CLOSED = "-P INPUT DROP && {0} -P FORWARD DROP && {0} -A INPUT -i lo -j ACCEPT && {0} -N OWN && {0} -A OWN -j DROP"


@pytest.mark.parametrize(
    ("front", "program"),
    [("iptables-legacy", "ip_tables"), ("iptables-nft", "nf_tables")],
    ids=["ip_tables", "nf_tables"],
)
def test_a_real_kernel_tells_its_policies(front: str, program: str) -> None:
    reply = in_new_network(f"{front} {CLOSED.format(front)} && {front} -P OUTPUT ACCEPT")
    wanted = ((Hook.INPUT, Policy.DROP), (Hook.FORWARD, Policy.DROP), (Hook.OUTPUT, Policy.ACCEPT))
    assert isinstance(reply, PacketFilterAnswer)
    assert {(one.hook, one.policy) for one in reply.chains} == set(wanted)
    assert [
        (one.program, one.family, one.table, one.chain) for one in sorted(reply.chains, key=lambda one: one.chain)
    ] == [(program, "ip", "filter", name) for name in ("FORWARD", "INPUT", "OUTPUT")]


def test_a_real_kernel_without_a_table_is_not_made_to_have_one() -> None:
    assert in_new_network("true") == PacketFilterAnswer(())
    names = "cat /proc/self/net/ip_tables_names"
    assert in_new_network(f'test -e /proc/self/net/ip_tables_names && test -z "$({names})"') == PacketFilterAnswer(())


def test_more_chains_than_one_datagram_holds_are_read_to_the_end() -> None:
    chains = "".join(f":C{number:04} - [0:0]\\n" for number in range(2000))
    rules = f"*filter\\n:OUTPUT DROP [0:0]\\n{chains}COMMIT\\n"
    reply = in_new_network(f"printf '{rules}' | iptables-nft-restore")
    assert isinstance(reply, PacketFilterAnswer)
    assert [(one.chain, one.policy) for one in reply.chains] == [("OUTPUT", Policy.DROP)]


def test_a_kernel_that_would_load_a_module_is_not_asked() -> None:
    both = f"iptables-legacy {CLOSED.format('iptables-legacy')} && iptables-nft {CLOSED.format('iptables-nft')}"
    assert in_new_network(both, program=NOT_LOADED) == PacketFilterAnswer(())


@pytest.mark.parametrize(("uid", "without"), [(65534, ""), (0, "net_admin")])
@pytest.mark.parametrize("front", ["iptables-legacy", "iptables-nft"])
def test_who_may_not_change_them_is_told_nothing(front: str, uid: int, without: str) -> None:
    reply = in_new_network(f"{front} -P INPUT DROP", uid=uid, without=without)
    assert isinstance(reply, Failure)
    assert (reply.reason.code, reply.reason.needs) == (Code.NOT_PERMITTED, packet_filter.NEEDS)


def test_the_filter_of_another_namespace_is_not_told_as_the_nodes() -> None:
    reply = in_new_network("iptables-legacy -P INPUT DROP", init=False)
    assert isinstance(reply, Failure)
    assert reply.reason.code is Code.OTHER_NAMESPACE


def test_a_folder_has_none(tmp_path: Path) -> None:
    reply = TreeSource(LiveSource(str(tmp_path))).answer(PacketFilter())
    assert isinstance(reply, Failure)
    assert reply.reason.code is Code.NOT_CAPTURED
