"""Whether what we see is the node, or only a container on it."""

from typing import TYPE_CHECKING

import pytest

from nodediag.facts import cmdline, host_view, mount_lists, mounts, os_release
from nodediag.facts.fact import Fact, Known, Unknown
from nodediag.facts.host_view import HostView
from nodediag.facts.mounts import Mounts
from nodediag.host.host import Line
from nodediag.model.image import Answer
from nodediag.model.reason import Code, Reason

if TYPE_CHECKING:
    from tests.conftest import MakeHost

MISSING = Unknown(Reason(code=Code.NOT_CAPTURED, detail="not there"))
COS_CMDLINE = 'cros_efi root=/dev/dm-0 "dm-mod.create=vroot,,,ro,0 8 verity 0 PARTUUID=A" quiet'
POD_FILES = """\
29 1 8:1 /x /etc/hosts rw,relatime - ext4 /dev/sda1 rw,commit=30
30 1 8:1 /y /etc/hostname rw,nosuid,nodev,relatime - ext4 /dev/sda1 rw,commit=30
31 1 8:1 /z /dev/termination-log rw,relatime - ext4 /dev/sda1 rw,commit=30"""


def mountinfo(text: str) -> Known[Mounts]:
    return Known(mounts.parse(tuple(Line("/m", n, line) for n, line in enumerate(text.split("\n"), 1)), "/m"))


def printed(text: str) -> Known[Mounts]:
    lines = tuple(Line("/m", n, line) for n, line in enumerate(text.split("\n"), 1))
    return Known(mount_lists.parse_mount(lines, "/m"))


def root(fstype: str, source: str = "/dev/sda1", folder: str = "/") -> str:
    return f"20 1 0:9 {folder} / rw,relatime - {fstype} {source} rw\n21 20 0:5 / /proc rw - proc proc rw"


def derived(node: "MakeHost", table: Fact[Mounts], cgroup: str = "0::/init.scope", system: str = "") -> HostView:
    release = Known(os_release.parse((Line("/etc/os-release", 1, f"ID={system}"),))) if system else MISSING
    command = Known(cmdline.parse(Line(cmdline.PATH, 1, COS_CMDLINE)))
    return host_view.derive(node({host_view.CGROUP_PATH: cgroup}), table, release, command)


@pytest.mark.parametrize(
    "table",
    [
        pytest.param(mountinfo(root("ext2", "/dev/mapper/vroot")), id="COS"),
        pytest.param(mountinfo(root("ext4")), id="Ubuntu"),
        pytest.param(mountinfo(root("squashfs", "/dev/loop0")), id="squashfs"),
        pytest.param(mountinfo(root("erofs", "/dev/vda")), id="erofs"),
        pytest.param(mountinfo(root("btrfs")), id="btrfs"),
        pytest.param(mountinfo(root("btrfs", folder="/@")), id="a subvolume"),
        pytest.param(mountinfo(root("xfs", folder="/ostree/deploy/fedora-coreos/deploy/a.0")), id="OSTree"),
        pytest.param(mountinfo(root("overlay") + "\n22 20 8:1 / / ro - ext4 /dev/sda1 rw"), id="overlay covered"),
        pytest.param(mountinfo(root("ext4") + "\n22 20 0:9 / /etc rw - overlay overlayfs rw"), id="overlay on /etc"),
        pytest.param(mountinfo(root("ext4") + "\n22 20 8:1 /r /etc/resolv.conf rw - ext4 x rw"), id="one single file"),
        pytest.param(
            mountinfo(
                root("ext4") + "\n22 20 0:8 / /etc/hosts rw - tmpfs x rw\n23 20 0:8 / /etc/hostname rw - tmpfs x rw"
            ),
            id="files in memory",
        ),
        pytest.param(printed("/dev/mapper/vroot on / type ext2 (ro,relatime)"), id="printed by mount"),
    ],
)
def test_a_machines_table_is_the_node(host: "MakeHost", table: Fact[Mounts]) -> None:
    view = derived(host, table)
    assert (view.node, view.elsewhere) == (Answer.YES, None)
    assert view.says.startswith("/ is ")
    assert view.evidence


@pytest.mark.parametrize(
    ("table", "marks"),
    [
        pytest.param(mountinfo(f"{root('overlay', 'overlay')}\n{POD_FILES}"), 1, id="a pod"),
        pytest.param(mountinfo(root("overlay", "overlay")), 1, id="kind"),
        pytest.param(mountinfo(root("aufs", "none")), 1, id="an old docker"),
        pytest.param(mountinfo(root("ext4", folder="/var/lib/toolbox/root-gcr.io")), 1, id="COS's toolbox"),
        pytest.param(mountinfo(root("xfs", folder="/var/lib/lxc/c1/rootfs")), 1, id="LXC"),
        pytest.param(mountinfo(f"{root('virtiofs', 'kataShared')}\n{POD_FILES}"), 3, id="a VM of Kata"),
        pytest.param(mountinfo(f"{root('ext4', '/dev/mapper/docker-8')}\n{POD_FILES}"), 3, id="devicemapper"),
        pytest.param(mountinfo(POD_FILES), 3, id="files alone"),
        pytest.param(
            printed(
                "/dev/sda1 on /etc/hosts type ext4 (rw,relatime,commit=30)\n"
                "/dev/sda1 on /etc/hostname type ext4 (rw,nosuid,nodev,relatime,commit=30)\n"
                "/dev/sda1 on /dev/termination-log type ext4 (rw,relatime,commit=30)"
            ),
            3,
            id="a list of files alone",
        ),
        pytest.param(
            mountinfo(
                f"{root('ext4')}\n22 20 0:8 / /var/run/secrets/kubernetes.io/serviceaccount ro - tmpfs x rw\n"
                "23 20 8:1 / /etc/hosts rw - ext4 /dev/sda1 rw"
            ),
            2,
            id="a service account's secret",
        ),
    ],
)
def test_a_containers_table_is_not_the_node(host: "MakeHost", table: Fact[Mounts], marks: int) -> None:
    view = derived(host, table)
    assert view.node is Answer.NO
    assert len(view.evidence) == marks
    reason = view.elsewhere
    assert reason is not None
    assert (reason.code, reason.needs) == (Code.OTHER_NAMESPACE, host_view.NEEDS)
    assert reason.detail.startswith("this is a container's own view, not the node's: ")


@pytest.mark.parametrize(
    "cgroup",
    [
        "0::/kubepods.slice/kubepods-burstable.slice/cri-containerd-0a.scope",
        "12:memory:/kubepods/besteffort/pod1/2\n11:cpu:/kubepods/besteffort/pod1/2",
        "4:memory:/docker/0a1b",
        "0::/system.slice/docker-0a1b.scope",
        "0::/machine.slice/libpod-1.scope/container",
        "0::/lxc.payload.x/init.scope",
        "0::/kubepods/" + "x" * 100_000,
    ],
)
def test_pid_1_in_a_containers_cgroup_is_not_the_nodes(host: "MakeHost", cgroup: str) -> None:
    for table in (mountinfo(root("ext4")), MISSING):
        view = derived(host, table, cgroup)
        assert view.node is Answer.NO
        assert len(view.says) < 400
        assert view.evidence[0] is not None


@pytest.mark.parametrize(
    "cgroup",
    ["0::/init.scope", "0::/", "1:name=systemd:/init.scope", "0::/machine.slice/systemd-nspawn@x.service/payload", ""],
)
def test_pid_1_of_a_machine_is_in_no_containers_cgroup(host: "MakeHost", cgroup: str) -> None:
    assert derived(host, mountinfo(root("ext4")), cgroup).node is Answer.YES


@pytest.mark.parametrize(
    ("first", "second", "answer"),
    [
        ("nodediag", "nodediag", Answer.NO),
        ("bash", None, Answer.NO),
        ("unshare", "bash", Answer.NO),
        ("systemd", "kthreadd", Answer.YES),
        ("process_api", "kthreadd", Answer.YES),
        ("systemd", None, Answer.YES),
        ("init", "udevd", Answer.YES),
        (None, None, Answer.YES),
        (None, "kthreadd", Answer.YES),
    ],
)
def test_a_pid_1_that_is_no_init_and_has_no_kernel_beside_it_is_not_the_nodes(
    host: "MakeHost", first: str | None, second: str | None, answer: Answer
) -> None:
    given = {host_view.INIT_PATH: first, host_view.KERNEL_PATH: second, host_view.CGROUP_PATH: "0::/user.slice"}
    node = host({path: f"{text}\n" for path, text in given.items() if text is not None})
    view = host_view.derive(node, mountinfo(root("ext4")), MISSING, MISSING)
    assert view.node is answer
    if answer is Answer.NO:
        assert f"PID 1 is {first}, no init" in view.says
        assert [type(evidence).__name__ for evidence in view.evidence] == ["FileEvidence"]


def test_what_was_not_captured_of_pid_1_tells_nothing(host: "MakeHost") -> None:
    node = host({host_view.INIT_PATH: "bash\n"}, missing=Code.NOT_CAPTURED)
    assert host_view.derive(node, mountinfo(root("ext4")), MISSING, MISSING).node is Answer.YES


def test_coss_kernel_below_debians_files_is_cloud_shell(host: "MakeHost") -> None:
    view = derived(host, MISSING, system="debian")
    assert view.node is Answer.NO
    assert "debian" in view.says
    assert [evidence.path for evidence in view.evidence if hasattr(evidence, "path")] == [
        "/etc/os-release",
        cmdline.PATH,
    ]


@pytest.mark.parametrize("system", ["cos", ""])
def test_without_a_table_a_kernel_that_fits_its_files_tells_nothing(host: "MakeHost", system: str) -> None:
    view = derived(host, MISSING, system=system)
    assert (view.node, view.elsewhere, view.evidence) == (Answer.UNKNOWN, None, ())


def test_a_list_without_a_root_tells_nothing(host: "MakeHost") -> None:
    view = derived(host, printed("/dev/sda1 on /var type ext4 (rw)"), system="cos")
    assert view.node is Answer.UNKNOWN


def test_without_pid_1s_cgroup_the_table_decides(host: "MakeHost") -> None:
    view = host_view.derive(host({}), mountinfo(root("ext4")), MISSING, MISSING)
    assert view.node is Answer.YES
