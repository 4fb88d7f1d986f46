"""What every look at a running node asks, sent before its answers are wanted: the node works while we are imported.

Each stands in the module of its fact too, which is imported later; a test holds the two together.
"""

from typing import Final

from nodediag.facts.packages import CAP_BYTES, STATUS_PATH
from nodediag.facts.process_list import ASK
from nodediag.host.ask import Ask, List, Read, Readlink, Stat, Units
from nodediag.host.host import TEXT_CAP_BYTES

_FOLDERS: Final = (
    "/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin", "/opt/bin", "/etc", "/home/kubernetes/bin",
    "/var/lib/google", "/var/lib/google/bin", "/var/lib/toolbox", "/mnt/disks", "/nix", "/sos_commands",
)  # fmt: skip
_FILES: Final = (
    "/run/cloud-init/result.json", "/sys/module/module/parameters/sig_enforce", "/sys/kernel/security/lsm",
    "/home/kubernetes/npd-custom-plugins/configs/init-sysctls.conf",
)  # fmt: skip
ASKS: Final[tuple[Ask, ...]] = (
    ASK,
    Units(),
    Read(STATUS_PATH, CAP_BYTES),
    *(Readlink(path) for path in ("/bin", "/sbin")),
    *(List(path) for path in _FOLDERS),
    *(Stat(path) for path in ("/usr/bin/toolbox", "/usr/sbin/update_engine")),
    *(Read(path, TEXT_CAP_BYTES) for path in _FILES),
)
