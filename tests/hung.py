# The device and namespaces are opened by descriptor.
"""A real file system that never answers: FUSE, served by hand, see Linux' include/uapi/linux/fuse.h."""

import ctypes
import os
import signal
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

FSTYPE: Final = b"fuse.nodediag-hung-test"
_LIBC: Final = ctypes.CDLL(None, use_errno=True)
_INIT: Final = 26
_MNT_DETACH: Final = 2
_NOSUID_NODEV: Final = 2 | 4
_CLONE_NEWNS: Final = 0x00020000
_PR_SET_PDEATHSIG: Final = 1


class HungMount:
    """A mounted file system whose server takes every question and answers none but the greeting."""

    def __init__(self, target: Path, node: int | None = None) -> None:
        """Mount it at a path, which is one of the process `node` where that is given."""
        self._target = target
        self._node = node
        try:
            device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
        except OSError as refused:
            pytest.skip(f"FUSE is not to be had here: {refused}")
        options = f"fd={device},rootmode=40000,user_id=0,group_id=0,allow_other".encode()
        error = self._inside(lambda: _LIBC.mount(b"none", os.fsencode(target), FSTYPE, _NOSUID_NODEV, options))
        if error:
            os.close(device)
            pytest.skip(f"FUSE cannot be mounted here: {os.strerror(error)}")
        self._server = os.fork()
        if self._server == 0:
            _serve(device)
        os.close(device)

    def _inside(self, call: Callable[[], int]) -> int:
        """Make a system call where the node's mounts are; gives the error number, 0 when it went well."""
        if self._node is None:
            return ctypes.get_errno() if call() != 0 else 0
        child = os.fork()
        if child == 0:
            mounts = os.open(f"/proc/{self._node}/ns/mnt", os.O_RDONLY)
            failed = _LIBC.setns(mounts, _CLONE_NEWNS) != 0 or call() != 0
            os._exit(ctypes.get_errno() if failed else 0)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    def abort(self) -> None:
        """End the server; the kernel then answers every waiting question with an error."""
        if self._server:
            os.kill(self._server, signal.SIGKILL)
            os.waitpid(self._server, 0)
            self._server = 0
            self._inside(lambda: _LIBC.umount2(os.fsencode(self._target), _MNT_DETACH))


def _serve(device: int) -> None:
    """Answer INIT: in: len, opcode, unique, ...; out: len, error, unique, then fuse_init_out of version 7.31."""
    try:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # whoever waits for an answer then gets an error
        while True:
            asked = os.read(device, 1 << 18)
            _, opcode, unique = struct.unpack_from("<IIQ", asked)
            if opcode == _INIT:
                answer = struct.pack("<IIIIHHIIHHI28x", 7, 31, 1 << 17, 0, 12, 9, 1 << 17, 1, 0, 0, 0)
                os.write(device, struct.pack("<IiQ", 16 + len(answer), 0, unique) + answer)
    finally:
        os._exit(0)
