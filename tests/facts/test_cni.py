"""CNI configuration and plugins, and the snapshotter's place."""

from typing import TYPE_CHECKING

import pytest

from nodediag.errors import ReadError
from nodediag.facts import cni, runtime, snapshotter
from nodediag.host.answer import PathType
from nodediag.model.reason import Code

if TYPE_CHECKING:
    from tests.conftest import Files, MakeHost

CONFIG = runtime.parse(
    'version = 2\n[plugins."io.containerd.grpc.v1.cri".cni]\n  bin_dir = "/bin"\n  conf_dir = "/c"\n'
)
LIST = '{"name": "n", "plugins": [{"type": "ptp", "ipam": {"type": "host-local"}}, {"type": "portmap"}]}'
ELF = b"\x7fELF"
NODE: "Files" = {"/c/10-a.conflist": LIST, "/bin/ptp": ELF, "/bin/host-local": ELF, "/bin/portmap": ELF}


def test_the_first_configuration_names_the_programs(host: "MakeHost") -> None:
    seen = cni.derive(host({**NODE, "/c/20-b.conf": "{", "/c/00-readme.txt": "{"}), CONFIG)
    assert seen.configurations == ("10-a.conflist", "20-b.conf")
    assert [(one.name, one.path, one.executable) for one in seen.programs] == [
        ("ptp", "/bin/ptp", True), ("host-local", "/bin/host-local", True), ("portmap", "/bin/portmap", True),
    ]  # fmt: skip
    assert not seen.broken


@pytest.mark.parametrize(
    ("text", "words"),
    [("{", "JSON"), ("[]", "names the type"), ('{"plugins": [{"name": "x"}]}', "names the type"), ("", "JSON")],
)
def test_what_is_no_configuration_is_told(host: "MakeHost", text: str, words: str) -> None:
    assert words in cni.derive(host({**NODE, "/c/10-a.conflist": text}), CONFIG).broken


def test_a_program_that_is_missing_or_cannot_be_executed_is_told(host: "MakeHost") -> None:
    files = {path: held for path, held in NODE.items() if path != "/bin/portmap"}
    seen = cni.derive(host({**files, "/bin/ptp": "text"}), CONFIG)
    assert {one.name: (one.path, one.executable) for one in seen.programs} == {
        "ptp": ("/bin/ptp", False), "host-local": ("/bin/host-local", True), "portmap": ("", False),
    }  # fmt: skip


def test_folders_that_are_empty_or_not_there_are_told_apart(host: "MakeHost") -> None:
    assert not cni.derive(host({}), CONFIG).conf_dir.there
    seen = cni.derive(host({"/c/readme": ""}), CONFIG)
    assert seen.conf_dir.there
    assert seen.configurations == ()
    assert not seen.bin_dirs[0].there
    with pytest.raises(ReadError):
        cni.derive(host({}, missing=Code.NOT_CAPTURED), CONFIG)


def test_programs_that_were_not_captured_are_not_missing(host: "MakeHost") -> None:
    seen = cni.derive(host({"/c/10-a.conflist": LIST}, missing=Code.NOT_CAPTURED), CONFIG)
    assert seen.programs == ()
    assert seen.incomplete
    assert seen.incomplete.code is Code.NOT_CAPTURED


def test_without_a_word_on_it_containerds_own_folders_count(host: "MakeHost") -> None:
    seen = cni.derive(host({}), runtime.ContainerdConfig(present=False))
    assert (seen.conf_dir.path, [folder.path for folder in seen.bin_dirs]) == ("/etc/cni/net.d", ["/opt/cni/bin"])
    several = runtime.parse("version = 3\n[plugins.'io.containerd.cri.v1.runtime'.cni]\n  bin_dirs = ['/a', '/b']\n")
    assert [folder.path for folder in cni.derive(host({}), several).bin_dirs] == ["/a", "/b"]


@pytest.mark.parametrize(
    ("text", "path", "kind"),
    [
        pytest.param("", "/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs", "directory", id="by default"),
        pytest.param(
            'version = 2\nroot = "/r"\n[plugins."io.containerd.grpc.v1.cri".containerd]\n  snapshotter = "native"\n',
            "/r/io.containerd.snapshotter.v1.native", "directory", id="another",
        ),
        pytest.param(
            'version = 2\n[plugins."io.containerd.grpc.v1.cri".containerd]\n  snapshotter = "gcfs"\n'
            '[proxy_plugins.gcfs]\n  type = "snapshot"\n  address = "/run/gcfs.sock"\n',
            "/run/gcfs.sock", "socket", id="a service",
        ),
        pytest.param(
            "version = 3\n[plugins.'io.containerd.cri.v1.images']\n  snapshotter = 'zfs'\n"
            "[plugins.'io.containerd.snapshotter.v1.zfs']\n  root_path = '/z'\n",
            "/z", "directory", id="version 3, with a folder of its own",
        ),
    ],
)  # fmt: skip
def test_the_snapshotter_has_its_place(host: "MakeHost", text: str, path: str, kind: str) -> None:
    config = runtime.parse(text)
    seen = snapshotter.derive(host({f"{path}/x": ""}), config)
    assert (seen.path, seen.wanted) == (path, PathType(kind))
    assert seen.there is (kind == "directory")
    assert not snapshotter.derive(host({}), config).there
    with pytest.raises(ReadError):
        snapshotter.derive(host({}, missing=Code.NOT_CAPTURED), config)
