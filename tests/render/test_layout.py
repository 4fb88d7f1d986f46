import msgspec
import pytest

from nodediag.facts.fact import Known, Unknown
from nodediag.facts.mounts import Mounts
from nodediag.facts.snapshot import Facts
from nodediag.model.reason import Code, Reason
from nodediag.model.report import Report
from nodediag.render.html import layout
from nodediag.render.html.layout import Layout, Row, size
from tests.render.conftest import MakeDiagnosis, MakeReport
from tests.scenarios.story import Node


def found(report: Report[Facts]) -> Layout:
    made = layout.of(report)
    assert isinstance(made, Layout)
    return made


def rows(made: Layout) -> dict[str, tuple[str, Row]]:
    return {row.path: (f"{group.name}/{part.name}", row) for group in made.groups for part in group.parts
            for row in part.rows}  # fmt: skip


def test_each_path_stands_on_its_disk_and_partition(report_of: MakeReport) -> None:
    places = {path: place for path, (place, _) in rows(found(report_of("healthy"))).items()}
    assert places["/"] == "sda/sda3"
    assert places["/var/lib/docker"] == places["/home"] == "sda/sda1"
    assert places["/usr/share/oem"] == "sda/sda8"
    assert places["/etc"] == "memory/overlay"
    assert places["/tmp"] == "memory/tmpfs"


def test_nothing_of_a_healthy_node_deviates_and_what_is_asked_is_told(report_of: MakeReport) -> None:
    shown = rows(found(report_of("healthy")))
    assert [path for path, (_, row) in shown.items() if row.deviates] == []
    told = [(aspect.actual, aspect.wanted) for aspect in shown["/var"][1].aspects]
    assert told == [("writable", "writable"), ("noexec", "noexec"), ("stateful", "stateful")]


@pytest.mark.parametrize(
    ("mount", "path", "wanted"),
    [
        ("/dev/sda1[/var] /var ext4 ro,nosuid,nodev,noexec,relatime", "/var", {"writable"}),
        ("/dev/sda1[/home] /home ext4 rw,relatime", "/home", {"noexec", "nosuid", "nodev"}),
        ("tmpfs /var/lib/docker tmpfs rw,nosuid,nodev", "/var/lib/docker", {"stateful"}),
        ("/dev/mapper/vroot / ext2 rw,relatime", "/", {"read-only"}),
    ],
)
def test_what_deviates_says_what_it_should_be(
    diagnosed: MakeDiagnosis, mount: str, path: str, wanted: set[str]
) -> None:
    row = rows(found(diagnosed(Node(base="cos_containerd", mount=[mount]))))[path][1]
    assert {aspect.wanted for aspect in row.aspects if aspect.deviates} == wanted
    assert row.notes


def test_a_path_without_a_mount_of_its_own_lies_on_another(diagnosed: MakeDiagnosis) -> None:
    shown = rows(found(diagnosed(Node(base="ubuntu_containerd"))))
    assert shown["/etc"][1].lies_on == "/"
    assert shown["/etc"][0] == shown["/"][0]


def test_mounts_of_pods_are_counted_not_drawn(diagnosed: MakeDiagnosis) -> None:
    pods = [f"tmpfs /var/lib/kubelet/pods/{number}/volumes/x tmpfs rw" for number in range(300)]
    without, made = (found(diagnosed(Node(base="cos_containerd", mount_on_top=rows))) for rows in ([], pods))
    assert made.passing == without.passing + 300
    assert rows(made).keys() == rows(without).keys()


def test_a_node_with_very_many_mounts_is_drawn_in_part_and_says_so(diagnosed: MakeDiagnosis) -> None:
    many = [f"/dev/sdb /srv/{number} ext4 rw" for number in range(500)]
    made = found(diagnosed(Node(base="cos_containerd", mount_on_top=many)))
    assert len(rows(made)) == 120
    assert made.cut > 380
    assert {"/", "/var", "/etc"} <= rows(made).keys()


def test_what_a_part_of_a_list_does_not_show_is_unseen_not_absent(report_of: MakeReport) -> None:
    report = report_of("healthy")
    fact = report.facts.mounts
    assert isinstance(fact, Known)
    few = Mounts(mounts=fact.value.mounts[:1], complete=False, path="/x")
    made = found(msgspec.structs.replace(report, facts=msgspec.structs.replace(report.facts, mounts=Known(few))))
    assert "/var" in made.unseen
    assert made.absent == ()


def test_mounts_that_could_not_be_seen_give_the_reason(report_of: MakeReport) -> None:
    report, reason = report_of("healthy"), Reason(code=Code.TIMED_OUT, detail="late")
    facts = msgspec.structs.replace(report.facts, mounts=Unknown(reason))
    assert layout.of(msgspec.structs.replace(report, facts=facts)) == reason


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0 B"), (512, "512 B"), (16 * 2**20, "16 MiB"), (int(5.9 * 2**30), "5.9 GiB"), (2**45, "32 TiB")],
)
def test_sizes_are_said_as_a_person_says_them(count: int, words: str) -> None:
    assert size(count) == words
