"""Containers of the image that users build, started by the node's own containerd."""

import shutil
import subprocess
from pathlib import Path
from typing import Final

from tests.engine import AGENT
from tests.lab.node import Node

# the namespaces of the node that `kubectl debug node/NAME` shares
DEBUG: Final = ("--net-host", "--with-ns", "pid:/proc/1/ns/pid", "--with-ns", "ipc:/proc/1/ns/ipc")
HOST: Final = ("--mount", "type=bind,src=/,dst=/host,options=rbind:rw:rprivate")  # as the kubelet mounts it there
_TRIES: Final = 2
_TAR: Final = "/var/nodediag.tar"


class Pod:
    """Containers on a node."""

    def __init__(self, node: Node, image: Path) -> None:
        self.node = node
        self._runs = 0
        shutil.copyfile(image, node.path(_TAR))
        node.run("ctr", "images", "import", _TAR)
        node.run("rm", _TAR)

    def run(self, *command: str, options: tuple[str, ...] = (*DEBUG, *HOST)) -> subprocess.CompletedProcess[str]:
        """Run a command in a container of its own, as `kubectl debug --image=IMAGE -- COMMAND` does.

        When a task ends, ctr closes what it copies the output from before it has copied all (Task.Delete of
        containerd's client), and a busy machine loses the end of it: then it is run again.
        """
        for _ in range(_TRIES):
            done = self._once(*command, options=options)
            if not done.stdout or done.stdout.endswith("\n"):
                return done
        return self._once(*command, options=options)

    def _once(self, *command: str, options: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
        self._runs += 1
        return self.node.run("ctr", "run", "--rm", *options, AGENT, f"lab{self._runs}", *command, check=False)
