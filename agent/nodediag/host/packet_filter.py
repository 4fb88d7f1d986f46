"""The packet filter's base chains, asked of the kernel without having it load a module, as any question to it may.

A table of ip_tables is asked for where /proc/net/ip_tables_names lists it. nf_tables is asked where /proc/modules lists
it, where modules.builtin does (see kbuild in the kernel's documentation), or where the kernel can load nothing at all.
"""

from collections.abc import Callable
from typing import Final

from nodediag.host import ip_tables, nf_tables
from nodediag.host.answer import Content, Failure, PacketFilterAnswer, Reply
from nodediag.host.answer_parts import BaseChain
from nodediag.model.reason import Code, Reason

TABLES_PATH: Final = "/proc/1/net/ip_tables_names"
MODULES_PATH: Final = "/proc/modules"
NEEDS: Final = "root with CAP_NET_ADMIN in the node's network namespace"
_FOLDERS: Final = ("/lib", "/usr/lib")  # one and the same, but a pod may be given one alone
_BUILT_IN: Final = f"/{nf_tables.NAME}.ko"

Look = Callable[[str], Reply]


def ask(read: Look, release: str) -> Reply:
    """Ask whatever is there; `read` reads a file of the node, `release` is that of its kernel."""
    found: list[BaseChain] = []
    for present, chains in ((_has_filter(read), ip_tables.base_chains), (_has_nf_tables(read, release), _nf_tables)):
        if isinstance(present, Failure):
            return present
        if not present:
            continue
        try:
            found += chains()
        except OSError as error:
            return _refused(error)
        except nf_tables.ChangedError:
            return _failed(Code.CRASHED, "its chains change while they are listed")
        except OverflowError as error:
            return _failed(Code.TOO_LARGE, str(error))
        except ValueError as error:
            return _failed(Code.UNPARSABLE, f"the kernel told {error}")
    return PacketFilterAnswer(tuple(found))


def _nf_tables() -> tuple[BaseChain, ...]:
    return nf_tables.base_chains()


def _has_filter(read: Look) -> bool | Failure:
    """Tell whether the table is there; the file is not where ip_tables is not loaded."""
    reply = read(TABLES_PATH)
    if isinstance(reply, Content):
        return ip_tables.TABLE.encode() in reply.data.split()
    return _nothing(reply)


def _has_nf_tables(read: Look, release: str) -> bool | Failure:
    loaded = read(MODULES_PATH)
    if not isinstance(loaded, Content):
        may_load = _nothing(loaded)
        return may_load if isinstance(may_load, Failure) else True
    if any(line.startswith(f"{nf_tables.NAME} ".encode()) for line in loaded.data.split(b"\n")):
        return True
    path = f"/modules/{release}/modules.builtin"
    for folder in _FOLDERS:
        built_in = read(folder + path)
        if isinstance(built_in, Content):
            return any(line.endswith(_BUILT_IN.encode()) for line in built_in.data.split(b"\n"))
    path = _FOLDERS[0] + path
    detail = f"without {path} it is not known whether {nf_tables.NAME} is built in, and asking might load it"
    return Failure(Reason(code=Code.ABSENT, detail=detail, needs=path))


def _nothing(reply: Reply) -> bool | Failure:
    """Give False for a file that the kernel does not have."""
    if not isinstance(reply, Failure):
        return _failed(Code.UNPARSABLE, "an answer of another kind")
    if reply.reason.code is Code.ABSENT:
        return False
    return Failure(Reason(code=reply.reason.code, detail=reply.reason.detail, needs=NEEDS))


def _refused(error: OSError) -> Failure:
    if isinstance(error, TimeoutError):
        return _failed(Code.TIMED_OUT, "no answer in time")
    if isinstance(error, PermissionError):
        return _failed(Code.NOT_PERMITTED, "the kernel tells its policies to those alone who may change them", NEEDS)
    return _failed(Code.CRASHED, f"{error.strerror or error}")


def _failed(code: Code, why: str, needs: str = "") -> Failure:
    return Failure(Reason(code=code, detail=f"the packet filter: {why}", needs=needs))
