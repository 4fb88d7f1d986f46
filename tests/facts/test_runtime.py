"""containerd's configuration."""

from typing import TYPE_CHECKING

import pytest

from nodediag.errors import ParseError, ReadError
from nodediag.facts import containerd_files, runtime
from nodediag.facts.runtime import ContainerdConfig
from nodediag.model.evidence import FileEvidence
from nodediag.model.reason import Code

if TYPE_CHECKING:
    from tests.conftest import MakeHost

V1 = """\
[plugins.cri]
  sandbox_image = "k8s.gcr.io/pause:3.1"
  [plugins.cri.cni]
    bin_dir = "/home/kubernetes/bin"
"""
V2 = """\
version = 2
# bin_dir = "/nowhere"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "gke.gcr.io/pause:3.8"
[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "/home/kubernetes/bin"
  conf_template = "/home/containerd/cni.template"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
  SystemdCgroup = true
"""
V3 = """\
version = 3
[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = 'registry.k8s.io/pause:3.10'
[plugins.'io.containerd.cri.v1.runtime'.cni]
  bin_dirs = ['/opt/cni/bin', '/other']
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
  SystemdCgroup = false
"""


@pytest.mark.parametrize(
    ("text", "folder", "image", "systemd"),
    [
        pytest.param(V1, "/home/kubernetes/bin", "k8s.gcr.io/pause:3.1", "", id="version 1"),
        pytest.param(V2, "/home/kubernetes/bin", "gke.gcr.io/pause:3.8", "true", id="version 2"),
        pytest.param(V3, "/opt/cni/bin", "registry.k8s.io/pause:3.10", "false", id="version 3"),
        pytest.param("version = 2", "", "", "", id="nothing said"),
        pytest.param("", "", "", "", id="empty"),
        pytest.param("bin_dirs = []\nsandbox = {}\n[sandbox_image]\nx = 1", "", "", "", id="of other kinds"),
    ],
)
def test_the_keys_are_found_wherever_a_version_puts_them(text: str, folder: str, image: str, systemd: str) -> None:
    found = runtime.parse(text)
    assert found.present
    assert (found.cni_bin_dir, found.sandbox_image, found.systemd_cgroup) == (folder, image, systemd)


def test_each_key_keeps_its_line() -> None:
    assert runtime.parse(V2).lines["bin_dir"] == FileEvidence(
        path=containerd_files.PATH, line=6, text='bin_dir = "/home/kubernetes/bin"'
    )


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("bin_dir", id="no value"),
        pytest.param("[a]\n[a]", id="a table twice"),
        pytest.param("x = " + "[" * 5000, id="deep lists"),
        pytest.param("\n".join(f"[{'.'.join(['a'] * 499)}.b{n}.c]" for n in range(3)), id="deep tables"),
        pytest.param(".".join(["a"] * 200_000) + " = 1", id="a long dotted key"),
        pytest.param('x = "\\xff"', id="a byte that is not UTF-8"),
    ],
)
def test_what_containerd_could_not_read_is_refused(text: str) -> None:
    with pytest.raises(ParseError, match=r"config.toml: found .* wanted TOML"):
        runtime.parse(text)


def test_a_node_without_the_file_has_containerds_defaults(host: "MakeHost") -> None:
    assert runtime.collect(host({})) == ContainerdConfig(present=False)
    assert runtime.collect(host({containerd_files.PATH: V1})).present
    with pytest.raises(ReadError):
        runtime.collect(host({}, missing=Code.NOT_CAPTURED))
