"""What the DaemonSet's pod sees of a node and may do to it: its mounts made by hand, root without capabilities."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
import yaml

if TYPE_CHECKING:
    from tests.host.conftest import Enter

pytestmark = pytest.mark.root
MANIFEST: Final = Path(__file__).parents[2] / "packaging/kubernetes/base/daemonset.yaml"
# A node with the paths that every node with systemd has, sockets where they are, and /etc as an overlay, as COS has it.
NODE: Final = f"""\
PYTHON="{sys.executable}"
mount -t tmpfs none /run; mount -t tmpfs none /var/log
mkdir -p /run/udev/data /run/log/journal /run/dbus /run/containerd /run/up /run/work /var/log/journal
mount -t overlay -o lowerdir=/etc,upperdir=/run/up,workdir=/run/work none /etc
echo 0123456789abcdef0123456789abcdef > /etc/machine-id
"$PYTHON" -I -c 'import socket
for path in ("/run/udev/control", "/run/dbus/system_bus_socket", "/run/containerd/containerd.sock"):
    socket.socket(socket.AF_UNIX).bind(path)'
if grep -q binfmt_misc /proc/filesystems && ! grep -q binfmt_misc /proc/self/mountinfo
then mount -t binfmt_misc none /proc/sys/fs/binfmt_misc || true; fi
"""
LINK: Final = "rm -f /etc/os-release; ln -s ../usr/lib/os-release /etc/os-release\n"
FILE: Final = "rm -f /etc/os-release; echo ID=cos > /etc/os-release\n"
BARE: Final = ("setpriv", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs", sys.executable, "-I")
ALLOWED: Final = """\
import json, os, stat
told = {"writable": [], "sockets": [], "roots": []}
with open("/proc/self/mountinfo") as file:
    targets = [line.split()[4] for line in file]
for target in targets:
    if target.startswith("/host/") and os.path.lexists(target) and not os.statvfs(target).f_flag & os.ST_RDONLY:
        told["writable"].append(target)
for folder, folders, files in os.walk("/host"):
    folders[:] = [name for name in folders if os.path.join(folder, name) not in ("/host/proc", "/host/sys")]
    told["sockets"] += [path for name in files if stat.S_ISSOCK(os.lstat(path := os.path.join(folder, name)).st_mode)]
for pid in {*filter(str.isdigit, os.listdir("/host/proc"))} - {os.readlink("/host/proc/self")}:
    try:
        told["roots"] += os.listdir(f"/host/proc/{pid}/root")
    except PermissionError:
        pass
with open("/proc/self/status") as file:
    told["capabilities"] = next(line.split()[1] for line in file if line.startswith("CapEff"))
print(json.dumps(told))
"""


def mounts() -> str:
    """Give the shell that mounts what the manifest says, as a runtime without recursive read-only mounts does."""
    pod = yaml.safe_load(MANIFEST.read_text())["spec"]["template"]["spec"]
    given = {volume["name"]: volume.get("hostPath") for volume in pod["volumes"]}
    lines = []
    for mount in sorted(pod["containers"][0]["volumeMounts"], key=lambda mount: mount["mountPath"].count("/")):
        volume, target = given[mount["name"]], f'"$new{mount["mountPath"]}"'
        if volume is None:
            lines.append(f"mkdir -p {target}; mount -t tmpfs {'-o ro' if mount.get('readOnly') else ''} none {target}")
            continue
        folder = volume["type"] == "Directory"
        made = f"mkdir -p {target}" if folder else f"mkdir -p $(dirname {target}); : > {target}"
        lines.append(f'{made}; mount --rbind "{volume["path"]}" {target}; mount -o remount,ro,bind {target}')
    return "\n".join(lines)


@pytest.mark.parametrize(("release", "system"), [(LINK, None), (FILE, "cos")], ids=["os-release a link", "a file"])
def test_as_root_without_capabilities_all_that_was_given_is_known(
    enter: "Enter", release: str, system: str | None
) -> None:
    done = enter(mounts(), program=(*BARE, "-m", "nodediag"), node=NODE + release)
    report = json.loads(done.stdout)
    assert (report["view"]["origin"], report["view"]["uid"]) == ("pod", 0)
    unknown = {
        name: fact["reason"]["code"]
        for name, fact in report["facts"].items()
        if fact["state"] == "unknown" and fact["reason"]["code"] not in {"absent", "not_asked", "one_sample"}
    }
    assert unknown == {
        "lsb_release": "not_captured",
        "hostname": "other_namespace",
        **dict.fromkeys(("containerd_config", "cni", "snapshotter", "runtime_sockets", "cri"), "not_captured"),
        **dict.fromkeys(("kubelet_certificates", "kubelet_files"), "not_captured"),
        "file_handles": "not_captured",  # /proc/sys/fs is covered
        "inotify": "not_captured",
        "kubepods": "not_captured",  # nor is it given the cgroups
        "packages": "not_captured",
        "units": "not_captured",  # no socket
        "unit_files": "not_captured",
        "journald": "not_captured",
        **dict.fromkeys(("software", "toolbox", "cloud_init", "update_engine", "apt", "sysctls"), "not_captured"),
        "packet_filter": "not_permitted",  # without CAP_NET_ADMIN
        "stray_processes": "not_captured",  # whose programs are not shown to it
    }
    if system is not None:
        assert report["node"]["os"]["id"] == system
    (kubelet,) = (check for check in report["checks"] if check["id"] == "kubelet.running")
    assert kubelet["outcome"] == "unknown"  # /var/lib/kubelet was not given, so its absence is no sign


def test_nothing_of_the_node_can_be_written_entered_or_connected_to(enter: "Enter") -> None:
    done = enter(mounts(), program=(*BARE, "-c", ALLOWED), node=NODE + LINK)
    assert json.loads(done.stdout or "{}") == {
        "writable": [], "sockets": [], "roots": [], "capabilities": "0" * 16,
    }, done.stderr  # fmt: skip


def test_what_the_covers_are_for(enter: "Enter") -> None:
    bare = "\n".join(line for line in mounts().split("\n") if "tmpfs" not in line)
    done = enter(bare, program=(*BARE, "-c", ALLOWED), node=NODE + LINK)
    told = json.loads(done.stdout)
    if not any("binfmt_misc" in line for line in Path("/proc/filesystems").read_text().split("\n")):
        pytest.skip("this kernel has no binfmt_misc, so nothing below /proc is writable")
    if Path("/proc/sys/fs/binfmt_misc").is_mount():
        pytest.skip("binfmt_misc is mounted here already, so its empty folder cannot be reached")
    assert told["writable"] == ["/host/proc/sys/fs/binfmt_misc"]
