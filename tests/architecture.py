"""The architectures that nodes have: this machine's, and another, whose programs the kernel has qemu run."""

import os
from pathlib import Path
from subprocess import run
from typing import Final

# as Debian and container images name it, and as the kernel does
MACHINES: Final = {"amd64": "x86_64", "arm64": "aarch64"}
OURS: Final = {machine: name for name, machine in MACHINES.items()}.get(os.uname().machine, os.uname().machine)
_KERNEL: Final = Path("/proc/sys/fs/binfmt_misc")
_RULES: Final = Path("/usr/lib/binfmt.d")
_WHILE_OTHER_ROOT: Final = "F"  # qemu is opened when the rule is made, and so found from within any other root


def emulate(architecture: str) -> str:
    """Have programs of an architecture run here, as systemd-binfmt(8) does at boot; says what is lacking, if so."""
    if architecture == OURS:
        return ""
    name = f"qemu-{MACHINES[architecture]}"
    if not (_KERNEL / "register").exists():
        run(["mount", "-t", "binfmt_misc", "binfmt_misc", _KERNEL], check=False, capture_output=True)
    if not (_KERNEL / "register").exists():
        return "the kernel has no binfmt_misc, or we may not mount it"
    if not (_KERNEL / name).exists():
        rule = _RULES / f"{name}.conf"
        if not rule.exists():
            return "the Debian package qemu-user-static is not installed"
        (_KERNEL / "register").write_text(rule.read_text().strip())
    told = dict(line.partition(" ")[::2] for line in (_KERNEL / name).read_text().splitlines())
    if "enabled" not in told or _WHILE_OTHER_ROOT not in told["flags:"]:
        return f"{_KERNEL / name} is disabled, or has not the flag {_WHILE_OTHER_ROOT}"
    return ""
