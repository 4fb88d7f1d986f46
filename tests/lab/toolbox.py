"""The toolbox of COS: a container with a Debian userland of its own, the node's namespaces and its root at /media/root.

COS's /usr/bin/toolbox pulls an image, unpacks it below /var/lib/toolbox and starts it by systemd-nspawn with the binds
of /etc/default/toolbox; here the userland is a part of the one that the node itself is made of.
"""

import subprocess
from typing import Final

from tests.lab.node import Node

ROOT: Final = "/var/lib/toolbox/root-gcr.io_cos-cloud_toolbox-latest"
_BINDS: Final = ("/:/media/root", "/mnt/disks:/media/root/mnt/disks", "/var:/media/root/var", "/home:/media/root/home")
_PARTS: Final = "bin sbin lib lib64 usr/bin usr/sbin usr/lib usr/lib64 etc/passwd etc/group"
_LEFT_OUT: Final = ("containerd*", "ctr", "systemd*", "perl*", "gconv")
_RELEASE: Final = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nNAME="Debian GNU/Linux"\nVERSION_ID="12"\nID=debian\n'


class Toolbox:
    """A toolbox on a node, with a nodediag in it."""

    def __init__(self, node: Node) -> None:
        self._node = node
        out = " ".join(f"--exclude='{name}'" for name in _LEFT_OUT)
        node.run("mkdir", "-p", f"{ROOT}/etc", f"{ROOT}/media/root", f"{ROOT}/root", f"{ROOT}/opt")
        node.run("sh", "-ec", f"tar -C / {out} -c {_PARTS} | tar -C {ROOT} -x")
        node.run("sh", "-ec", f"rm -f {ROOT}/usr/lib/os-release; cat >{ROOT}/etc/os-release", text=_RELEASE)
        node.run("cp", "-a", node.program, f"{ROOT}/opt")
        node.run("mkdir", "-p", f"{ROOT}/usr/local/bin")
        node.run("ln", "-s", "/opt/nodediag/nodediag", f"{ROOT}/usr/local/bin/nodediag")

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in it, as `toolbox COMMAND` does."""
        return self._node.run(*self._starting(*command), check=False)

    def command(self, *command: str) -> list[str]:
        """Give the command that does the same from outside of the node."""
        return self._node.entering(*self._starting(*command))

    @staticmethod
    def _starting(*command: str) -> list[str]:
        binds = [f"--bind={bind}" for bind in _BINDS]
        nspawn = ["systemd-nspawn", "--quiet", f"--directory={ROOT}", "--capability=all", *binds, "--user=root"]
        service = ["systemd-run", "--quiet", "--pipe", "--wait", "--collect", "--setenv=SYSTEMD_NSPAWN_SHARE_SYSTEM=1"]
        return [*service, *nspawn, *command]
