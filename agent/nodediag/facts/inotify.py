"""How many inotify instances and watches a user may have, see inotify(7). They are the kernel's, for all containers."""

from typing import Final

import msgspec

from nodediag.facts.pids import Limit, limit
from nodediag.host.ask import Namespace
from nodediag.host.host import Host

NAMESPACE: Final = Namespace.MOUNT  # a container may have its own numbers mounted over these files
PATH: Final = "/proc/sys/fs/inotify"


class Inotify(msgspec.Struct, frozen=True, kw_only=True):
    """The limits for each user; how many are in use the kernel does not tell."""

    instances: Limit
    watches: Limit


def collect(host: Host) -> Inotify:
    """Read both."""
    return Inotify(
        instances=limit(host.first_line(f"{PATH}/max_user_instances")),
        watches=limit(host.first_line(f"{PATH}/max_user_watches")),
    )
