"""A profile recorded from a good node: what departs, what is new, and what was left out with its reason."""

from typing import TYPE_CHECKING, Final

import pytest

from nodediag.checks import CHECKS
from nodediag.checks.check import run
from nodediag.facts import mounts, os_release
from nodediag.facts.cgroups import CgroupMode, Cgroups
from nodediag.facts.fact import Known, NotKnownError, Unknown
from nodediag.facts.snapshot import Facts
from nodediag.host.host import Line
from nodediag.images.record import Recorded, record
from nodediag.model.evidence import FileEvidence
from nodediag.model.outcome import Outcome
from nodediag.model.reason import Code, Reason
from nodediag.model.request import Request
from nodediag.profiles.load import Catalogue, builtin, parse
from nodediag.profiles.profile import Persistence

if TYPE_CHECKING:
    from nodediag.profiles.profile import ProfileFile

ROWS: Final = """
/dev/mapper/vroot / ext2 ro,relatime
proc /proc proc rw
tmpfs /run tmpfs rw,nosuid,nodev
tmpfs /run/lock tmpfs rw,noexec
overlayfs /etc overlay rw,upperdir=/tmp/etc_overlay/etc
/dev/sda1 /mnt/stateful_partition ext4 rw,nosuid,nodev,noexec
/dev/sda1 /home ext4 rw,nosuid,nodev,noexec
/dev/sda1 /var ext4 rw,nosuid,nodev,noexec
/dev/sda1 /var/lib/google ext4 rw,nosuid,nodev
/dev/sda1 /var/lib/docker ext4 rw,nosuid,nodev
/dev/sda1 /var/lib/toolbox ext4 rw,nodev
tmpfs /var/lib/cloud tmpfs rw
tmpfs /tmp tmpfs rw,nosuid,nodev,noexec
tmpfs /mnt/disks tmpfs rw
/dev/sdb /mnt/disks/data ext4 rw
server:/x /var/lib/kubelet/plugins/x nfs4 rw
tmpfs /var/lib/kubelet/pods/7f/volumes/t tmpfs rw
"""
CATALOGUE: Final = Catalogue(builtin())
LAYOUT: Final = [check for check in CHECKS if check.id.startswith(("mounts.", "cgroups.")) and "root" not in check.id]
CGROUPS: Final = Cgroups(
    mode=CgroupMode.LEGACY, version=1, controllers=(), evidence=FileEvidence(path="/p", line=1, text="cgroup")
)


def facts(*rows: str) -> Facts:
    held = {row.split()[1]: row for row in (*ROWS.strip().split("\n"), *rows)}
    lines = []
    for number, row in enumerate(held.values(), 1):
        source, target, fstype, options = row.split()
        minor = {"/dev/sda1": "8:1", "/dev/sdb": "8:16"}.get(source, f"0:{number}")
        lines.append(Line(mounts.PATH, number, f"{number} 0 {minor} / {target} {options} - {fstype} {source} rw"))
    words = ("NAME=COS", "ID=cos", "VERSION_ID=121")
    release = os_release.parse(tuple(Line("/etc/os-release", place, word) for place, word in enumerate(words, 1)))
    table = mounts.parse(tuple(lines), mounts.PATH)
    return Facts(mounts=Known(table), os_release=Known(release), cgroups=Known(CGROUPS), cmdline=NOT_SEEN)


NOT_SEEN: Final = Unknown(Reason(code=Code.NOT_CAPTURED, detail="no command line"))


def recorded(node: Facts) -> tuple[Recorded, "ProfileFile"]:
    made = record(node, CATALOGUE.get("bare_cos"), "mine", "2026-02-03")
    return made, parse("mine.toml", made.text)


def test_only_what_the_fitting_profile_does_not_say_is_written() -> None:
    made, profile = recorded(facts())
    assert (profile.name, profile.extends, profile.date) == ("mine", "bare_cos", "2026-02-03")
    assert set(profile.paths) == set()
    assert [rule.version for rule in profile.cgroup] == [1]
    assert made.taken == ("cgroup version 1",)


@pytest.mark.parametrize(
    ("row", "path", "aspect", "value"),
    [
        ("/dev/sda1 /home ext4 rw,nosuid,nodev", "/home", "executable", True),
        ("/dev/sda1 /home ext4 ro,nosuid,nodev,noexec", "/home", "writable", False),
        ("/dev/sda1 /tmp ext4 rw,noexec", "/tmp", "persistence", Persistence.STATEFUL),
        ("/dev/sdb /home ext4 rw,nosuid,nodev,noexec", "/home", "on", ""),
        ("/dev/sdb /srv/data ext4 rw", "/srv/data", "executable", True),
        ("server:/x /srv/nfs nfs4 rw", "/srv/nfs", "persistence", Persistence.STATEFUL),
        ("tmpfs /srv/scratch tmpfs rw,noexec", "/srv/scratch", "persistence", Persistence.STATELESS),
    ],
)
def test_what_departs_is_written_and_the_node_passes_by_it(row: str, path: str, aspect: str, value: object) -> None:
    node = facts(row)
    made, profile = recorded(node)
    assert getattr(profile.paths[path], aspect) == value
    assert any(line.startswith(f"{path}: ") for line in made.taken)
    mine = Catalogue({**builtin(), "mine.toml": made.text}).get("mine")
    results = [run(check, node, mine, Request(logs=True)) for check in LAYOUT]
    assert {result.id: result.problems for result in results if result.outcome is Outcome.FAILED} == {}
    theirs = [run(check, node, CATALOGUE.get("bare_cos"), Request(logs=True)) for check in LAYOUT]
    fails = {result.id for result in theirs if result.outcome is Outcome.FAILED}
    assert fails or path.startswith("/srv"), "the node departs from what fits"


def test_what_was_left_out_is_said_with_its_reason() -> None:
    made, _ = recorded(facts())
    assert "/proc: the kernel's own file systems" in made.left_out
    assert "1 mounts below /var/lib/kubelet/pods: it comes and goes with pods" in made.left_out
    assert "/mnt/disks/data: expected by bare_cos with any options" in made.left_out
    assert any(line.startswith("thresholds") for line in made.left_out)
    for line in made.left_out:
        assert f"# Left out: {line}.\n" in made.text
    assert "7f" not in made.text, "a pod's id is no part of a profile"


def test_a_mount_whose_name_would_end_a_comment_does_not() -> None:
    made, profile = recorded(facts("/dev/sdb /mnt/disks/a\\012name=1 ext4 rw"))
    assert "# Left out: /mnt/disks/data, /mnt/disks/a?name=1: expected by bare_cos" in made.text
    assert profile.name == "mine"


def test_a_node_whose_mounts_were_not_seen_makes_no_profile() -> None:
    with pytest.raises(NotKnownError):
        record(Facts(), CATALOGUE.get("bare_cos"), "mine", "2026-02-03")
