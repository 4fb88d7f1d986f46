"""What may differ from the image: kernel modules, packages' states, kernel parameters, the packet filter's policies."""

from typing import TYPE_CHECKING

import msgspec
import pytest

from nodediag.errors import ParseError, ReadError
from nodediag.facts import apt, modules, package_files, packages, packet_filter, sysctls
from nodediag.facts.fact import Known, Unknown
from nodediag.facts.kernel import Kernel
from nodediag.host.answer import Digested, Failure, PacketFilterAnswer, Reply
from nodediag.host.answer_parts import BaseChain, Hook, Policy
from nodediag.host.ask import Ask, Digest
from nodediag.host.host import Host, Seen
from nodediag.host.live import LiveSource
from nodediag.model.evidence import PacketFilterEvidence, UnameEvidence
from nodediag.model.reason import Code, Reason
from nodediag.model.report import Origin
from tests.conftest import PACKET_FILTER

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import MakeHost, MakeLines

MODULES = """\
nvidia_uvm 1540096 0 - Live 0xffffffffc0a00000 (POE)
nf_conntrack 180224 3 nf_nat,xt_conntrack, Live 0x0000000000000000
gone 8192 0 - Unloading 0x0000000000000000 (O-)
"""
STATUS = """\
Package: bash
Status: install ok installed
Version: 5

Package: docker.io
Status: install reinstreq half-installed
Version: 20

Package: containerd
Status: hold ok installed
Version: 1.7

Package: old
Status: deinstall ok config-files
Version: 1
"""
IPTABLES = """\
Chain INPUT (policy DROP 5 packets, 300 bytes)
    pkts      bytes target     prot opt in     out     source               destination
       0        0 ACCEPT     all  --  lo     *       0.0.0.0/0            0.0.0.0/0
Chain FORWARD (policy ACCEPT 0 packets, 0 bytes)
Chain KUBE-FIREWALL (1 references)
"""
NFT = """\
table inet filter { # handle 1
  chain input { # handle 2
    type filter hook input priority filter; policy accept;
  }
  chain other { # handle 3
    type filter hook input priority 10; policy drop;
    type nat hook output priority -100; policy accept;
  }
}
table ip6 filter { # handle 4
  chain FORWARD {
    type filter hook forward priority filter; policy drop;
  }
}
"""
LISTED = f"{'a' * 32}  usr/bin/containerd\n{'b' * 32}  usr/bin/ctr\n"
REFUSED = Failure(Reason(code=Code.NOT_PERMITTED, detail="no"))


def test_modules_that_taint_are_listed_with_their_letters(lines: "MakeLines") -> None:
    found = modules.parse(lines(MODULES))
    assert found.loaded == 3
    assert [(one.name, one.taints, one.unsigned) for one in found.tainting] == [
        ("nvidia_uvm", "POE", True), ("gone", "O-", False),
    ]  # fmt: skip
    assert found.tainting[0].evidence.line == 1
    with pytest.raises(ParseError):
        modules.parse(lines("nf_conntrack 180224\n"))


def test_the_guards_are_as_the_kernel_tells_them_and_a_kernel_without_modules_has_none(host: "MakeHost") -> None:
    files = {modules.ENFORCE_PATH: "Y\n", modules.LSM_PATH: "capability,loadpin\n"}
    found = modules.collect(host({**files}))
    assert (found.loaded, found.list_reason) == (
        0,
        modules.Modules(loaded=0, tainting=(), tainting_total=0).list_reason,
    )
    assert getattr(found.lsm, "text", "") == "capability,loadpin"
    partly = modules.collect(host({**files}, missing=Code.NOT_CAPTURED))
    assert isinstance(partly.list_reason, Reason)
    with pytest.raises(ReadError):
        modules.collect(host({}, missing=Code.NOT_CAPTURED))


def test_packages_by_halves_and_on_hold_are_found_with_their_lines(host: "MakeHost") -> None:
    found = packages.collect(host({packages.STATUS_PATH: STATUS}))
    assert [(one.name, one.status, one.evidence.line) for one in found.unsettled] == [
        ("docker.io", "install reinstreq half-installed", 6)
    ]
    assert [(one.name, one.status) for one in found.held] == [("containerd", "hold ok installed")]
    assert packages.parse_states(STATUS.split("\n\n", maxsplit=1)[0]) == ((), ())


def test_apt_tells_of_an_interrupted_run_a_due_reboot_and_a_new_release(host: "MakeHost") -> None:
    files = {
        f"{apt.UPDATES_PATH}/0001": "", apt.REBOOT_PATH: "*** System restart required ***\n",
        f"{apt.REBOOT_PATH}.pkgs": "linux-image\nlibc6\nlinux-image\n", f"{apt.UPGRADE_PATH}/main.log": "",
    }  # fmt: skip
    dpkg = Known(packages.Packages(manager=True, installed=()))
    found = apt.derive(host({**files}), dpkg)
    assert [one.path for one in found.interrupted] == [f"{apt.UPDATES_PATH}/0001"]
    assert found.reboot_packages == ("linux-image", "libc6")
    assert len(found.upgraded) == 1
    assert apt.derive(host({}), dpkg) == apt.Apt(present=True)
    refused = apt.derive(host({apt.REBOOT_PATH: REFUSED}, missing=Code.NOT_CAPTURED), dpkg)
    assert set(refused.unseen) == {apt.REBOOT_PATH, apt.UPDATES_PATH, apt.UPGRADE_PATH}
    assert not apt.derive(host({}), Known(packages.Packages(manager=False, installed=()))).present
    with pytest.raises(ReadError):
        apt.derive(host({}), Unknown(Reason(code=Code.NOT_CAPTURED, detail="no")))


class Digests:
    """A host whose files have digests."""

    def __init__(self, host: Host, md5: dict[str, str]) -> None:
        self._host = host
        self._md5 = md5

    def answer(self, ask: Ask) -> Reply:
        if isinstance(ask, Digest) and ask.path in self._md5:
            return Digested(self._md5[ask.path])
        return self._host._source.answer(ask)  # noqa: SLF001 - a test's own host


def test_files_of_packages_are_compared_with_their_lists(host: "MakeHost") -> None:
    lists = {
        f"{package_files.FOLDER}/containerd:amd64.md5sums": LISTED,
        f"{package_files.FOLDER}/linux-image-6.6.1.md5sums": f"{'c' * 32}  boot/vmlinuz-6.6.1\n",
        f"{package_files.FOLDER}/bash.md5sums": f"{'d' * 32}  bin/bash\n",
    }
    digests = Digests(host({**lists}), {"/usr/bin/containerd": "e" * 32, "/boot/vmlinuz-6.6.1": "c" * 32})
    evidence = UnameEvidence(text="6.6.1")
    kernel = Known(Kernel(release="6.6.1", version="", machine="", taints=(), taints_known=True, evidence=evidence))
    dpkg = Known(packages.Packages(manager=True, installed=()))
    node = Host(digests, Seen(origin=Origin.LIVE, root="/", uid=0))
    found = package_files.derive(node, kernel, dpkg)
    assert set(found.packages) == {"containerd", "linux-image-6.6.1"}
    assert [(one.path, one.missing) for one in found.changed] == [
        ("/usr/bin/containerd", False),
        ("/usr/bin/ctr", True),
    ]
    assert (found.compared, found.unseen) == (3, 0)
    assert package_files.derive(node, kernel, Known(packages.Packages(manager=False, installed=()))).packages == ()


def test_a_live_host_gives_the_digest_of_a_file(tmp_path: "Path") -> None:
    (tmp_path / "a").write_bytes(b"hello")
    source = LiveSource(str(tmp_path))
    assert source.answer(Digest("/a", 5)) == Digested("5d41402abc4b2a76b9719d911017c592")
    too_large = source.answer(Digest("/a", 4))
    assert isinstance(too_large, Failure)
    assert too_large.reason.code is Code.TOO_LARGE
    assert isinstance(source.answer(Digest("/", 4)), Failure)


def test_parameters_are_held_against_the_snapshot(host: "MakeHost") -> None:
    kept = (
        "vm.swappiness = 60\nkernel.core_pattern = |/bin/x  %P\nnet.ipv4.ip_forward = 1\nvm.panic_on_oom = 0\na = 1\n"
    )
    now = {
        sysctls.PATH: kept, "/proc/sys/vm/swappiness": "1\n", "/proc/sys/kernel/core_pattern": "|/bin/x %P\n",
        "/proc/sys/net/ipv4/ip_forward": "1\n",
    }  # fmt: skip
    found = sysctls.collect(host({**now}))
    assert [(one.name, one.was, one.value) for one in found.changed] == [("vm.swappiness", "60", "1")]
    assert (found.compared, found.unseen) == (3, ("vm.panic_on_oom",))
    assert sysctls.collect(host({})) == sysctls.Sysctls(snapshot=False)
    with pytest.raises(ParseError):
        sysctls.collect(host({sysctls.PATH: "no parameter\n"}))


def test_policies_are_read_as_iptables_and_nft_print_them(lines: "MakeLines", host: "MakeHost") -> None:
    printed = packet_filter.parse(lines(IPTABLES), "/file").policies
    assert [(one.chain, one.policy, one.evidence) for one in printed] == [
        ("INPUT", "DROP", lines(IPTABLES)[0].evidence),
        ("FORWARD", "ACCEPT", lines(IPTABLES)[3].evidence),
    ]
    assert [(one.chain, one.policy) for one in packet_filter.parse(lines(NFT), "/file").policies] == [("INPUT", "DROP")]
    with pytest.raises(ParseError):
        packet_filter.parse(lines("Chain KUBE-FIREWALL (1 references)\n"), "/file")
    saved = host({packet_filter.PATHS[3]: NFT, packet_filter.PATHS[1]: IPTABLES})
    assert len(packet_filter.collect(saved).policies) == 2


def test_of_a_running_node_the_kernel_is_asked_first(host: "MakeHost") -> None:
    chain = BaseChain(
        program="nf_tables", family="inet", table="\x1b", chain="c", hook=Hook.INPUT, policy=Policy.ACCEPT
    )  # fmt: skip
    drops = msgspec.structs.replace(chain, policy=Policy.DROP)
    elsewhere = msgspec.structs.replace(chain, family="ip6", hook=Hook.OUTPUT)
    running = host({PACKET_FILTER: PacketFilterAnswer((chain, drops, elsewhere)), packet_filter.PATHS[1]: IPTABLES})
    told = [(one.chain, one.policy, one.evidence) for one in packet_filter.collect(running).policies]
    assert told == [
        ("INPUT", "DROP", PacketFilterEvidence(name="inet \x1b c (nf_tables)", text="hook input, policy drop")),
        ("FORWARD", "none", PacketFilterEvidence(name="ip", text="no chain of type filter at the hook forward")),
        ("OUTPUT", "none", PacketFilterEvidence(name="ip", text="no chain of type filter at the hook output")),
    ]


@pytest.mark.parametrize("code", [Code.NOT_PERMITTED, Code.OTHER_NAMESPACE, Code.TOO_LARGE, Code.TIMED_OUT])
def test_a_kernel_that_does_not_tell_is_no_capture(host: "MakeHost", code: Code) -> None:
    refused = Failure(Reason(code=code, detail="no", needs="more"))
    with pytest.raises(ReadError) as caught:
        packet_filter.collect(host({PACKET_FILTER: refused, packet_filter.PATHS[1]: IPTABLES}))
    assert caught.value.reason == refused.reason


@pytest.mark.parametrize("missing", [Code.ABSENT, Code.NOT_CAPTURED])
def test_where_neither_is_known_it_says_what_is_needed(host: "MakeHost", missing: Code) -> None:
    with pytest.raises(ReadError) as caught:
        packet_filter.collect(host({}, missing=missing))
    assert caught.value.reason.code is missing
    wanted = packet_filter.CAPTURED if missing is Code.NOT_CAPTURED else packet_filter.NEEDS
    assert caught.value.reason.needs == wanted
