"""What the options of a run ask for, as far as the diagnosis itself must know."""

import msgspec


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """`profile` names one to judge by; without, the one that fits does.

    `only` and `skip` hold check ids or prefixes; an empty `only` selects all. Without logs, theirs are out.
    `deep` also asks what takes long: the checksums of packages.
    """

    profile: str = ""
    logs: bool = True
    deep: bool = False
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()

    def selects(self, check_id: str) -> bool:
        """Tell whether a check is wanted: an id, or a prefix of whole parts such as `mounts`."""
        if not self.logs and covers("logs", check_id):
            return False
        named = not self.only or any(covers(entry, check_id) for entry in self.only)
        return named and not any(covers(entry, check_id) for entry in self.skip)


def covers(entry: str, check_id: str) -> bool:
    """Tell whether an entry, an id or a prefix of whole parts, means a check."""
    return check_id == entry or check_id.startswith(entry + ".")
