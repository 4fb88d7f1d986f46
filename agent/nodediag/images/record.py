"""Facts of a known-good node to a profile: what departs from the profile that fits, and what that does not have."""

from fnmatch import fnmatchcase
from typing import Final

import msgspec

from nodediag.facts.fact import known, need
from nodediag.facts.mounts import Backing, Mount, Mounts
from nodediag.facts.snapshot import Facts
from nodediag.profiles.profile import CgroupRule, PathRule, Persistence, Profile, ProfileFile
from nodediag.profiles.write import as_toml

_PERSISTENCE: Final = {
    Backing.DISK: Persistence.STATEFUL, Backing.NETWORK: Persistence.STATEFUL, Backing.MEMORY: Persistence.STATELESS,
}  # fmt: skip
_ASPECTS: Final = ("writable", "executable", "suid", "devices")
_WHY: Final = "the node that this was recorded from has it so, and is well"
_REMEDY: Final = "find what changed it since, or record the profile anew if that was meant"
_BOOT: Final = "made anew at every boot"
_PODS: Final = "it comes and goes with pods"
_PASSING: Final = {
    "/proc": _BOOT, "/sys": _BOOT, "/dev": _BOOT, "/run": _BOOT, "/snap": "it comes and goes with packages",
    "/var/lib/kubelet/pods": _PODS, "/var/lib/kubelet/plugins": _PODS, "/var/lib/containerd": _PODS,
    "/var/lib/docker": _PODS, "/var/lib/containers": _PODS, "/var/log/pods": _PODS,
}  # fmt: skip
_BELOW: Final = "below "
_MOST_NAMED: Final = 5
_NEVER: Final = (
    "sizes, device names and the order of mounts: they differ between releases, disks and machines",
    "thresholds, severities, storage drivers: a node has none of its own; those of the profile it extends hold",
)


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """The text of a profile; `taken` and `left_out` say what was written into it, and what was not and why."""

    text: str
    taken: tuple[str, ...]
    left_out: tuple[str, ...]


def record(facts: Facts, fitting: Profile, name: str, date: str) -> Recorded:
    """Write a profile that extends the one that fits; raises NotKnownError where the mount table was not seen."""
    mounts = need(facts.mounts)
    source = _source(facts, date)
    departing = {path: rule for path, old in fitting.paths.items() if (rule := _departing(mounts, path, old, source))}
    added, left_out = _added(mounts, fitting, source)
    cgroup = _cgroup(facts, source)
    written = ProfileFile(
        name=name, version="1", date=date, document=fitting.document, source=source, extends=fitting.name,
        paths={**departing, **added}, cgroup=cgroup,
    )  # fmt: skip
    taken = (
        *(f"{path}: it departs from {fitting.name}" for path in departing),
        *(f"{path}: {fitting.name} does not have it" for path in added),
        *(f"cgroup version {rule.version}" for rule in cgroup),
    )
    refused = (*_NEVER, *left_out)
    notes = "".join(f"# Left out: {_line(note)}.\n" for note in refused)
    head = "# Recorded by `nodediag profile record`. It fits no node by itself: judge by it with `--profile FILE`.\n"
    return Recorded(text=head + notes + as_toml(written), taken=taken, left_out=refused)


def _source(facts: Facts, date: str) -> str:
    """Say which system the node has, and not which node it was."""
    release, kernel = known(facts.os_release), known(facts.kernel)
    fields = release.fields if release is not None else {}
    words = [fields.get(key, "") for key in ("NAME", "VERSION_ID", "BUILD_ID")]
    system = " ".join(filter(None, words)) or "a node whose system was not seen"
    return f"recorded on {date} from {system}" + (f", kernel {kernel.release}" if kernel is not None else "")


def _departing(mounts: Mounts, path: str, rule: PathRule, source: str) -> PathRule | None:
    """Give what holds at a path where it is not what the rule asks; None where it is, or was not seen."""
    mount = mounts.at(path) or (None if rule.optional or not mounts.complete else mounts.holding(path))
    if mount is None or not mount.options_known:
        return None
    asked = {key: getattr(rule, key) for key in _ASPECTS if getattr(rule, key) is not msgspec.UNSET}
    found = {key: getattr(mount, key) for key in asked}
    kept = rule.persistence if rule.persistence is msgspec.UNSET else _PERSISTENCE.get(mount.backing, rule.persistence)
    home = mounts.at(rule.on) if rule.on else None
    together = home is None or (mount.device, mount.source) == (home.device, home.source)
    if found == asked and kept == rule.persistence and together:
        return None
    return PathRule(
        **found, persistence=kept, on=rule.on if together else "", severity=rule.severity, why=_WHY, source=source,
        document=rule.document, remedy=_REMEDY,
    )  # fmt: skip


def _added(mounts: Mounts, fitting: Profile, source: str) -> tuple[dict[str, PathRule], tuple[str, ...]]:
    """Take the mounts that no rule names, and say of each other one why it was left out."""
    added: dict[str, PathRule] = {}
    left_out: dict[str, list[str]] = {}
    for mount in mounts.visible():
        if mount.target in fitting.paths:
            continue
        reason = _reason(mount, fitting)
        if reason:
            left_out.setdefault(reason, []).append(mount.target)
        else:
            added[mount.target] = PathRule(
                writable=mount.writable, executable=mount.executable, persistence=_PERSISTENCE[mount.backing],
                why=_WHY, source=source, remedy=_REMEDY,
            )  # fmt: skip
    return added, tuple(_summed(reason, paths) for reason, paths in left_out.items())


def _reason(mount: Mount, fitting: Profile) -> str:
    """Say why a mount is no part of a profile; empty where it is."""
    if mount.backing is Backing.KERNEL:
        return "the kernel's own file systems"
    for folder, reason in _PASSING.items():
        if mount.target == folder or mount.target.startswith(folder + "/"):
            return f"{_BELOW}{folder}: {reason}"
    patterns = (path for entry in fitting.expected_mounts for path in entry.paths)
    if any(fnmatchcase(mount.target, pattern) for pattern in patterns):
        return f"expected by {fitting.name} with any options"
    if mount.backing not in _PERSISTENCE:
        return "what keeps its data was not seen"
    return "" if mount.options_known else "its options were not seen"


def _summed(reason: str, paths: list[str]) -> str:
    """Name the paths, but not those that are another node's under another name: of them the number is enough."""
    if reason.startswith(_BELOW):
        return f"{len(paths)} mounts {reason}"
    more = f" and {len(paths) - _MOST_NAMED} more" if len(paths) > _MOST_NAMED else ""
    return f"{', '.join(paths[:_MOST_NAMED])}{more}: {reason}"


def _cgroup(facts: Facts, source: str) -> tuple[CgroupRule, ...]:
    """Keep the cgroup version for this release of the system."""
    cgroups, release = known(facts.cgroups), known(facts.os_release)
    number = release.fields.get("VERSION_ID", "") if release is not None else ""
    if cgroups is None or not number:
        return ()
    return (CgroupRule(version=cgroups.version, since=number, until=number, why=_WHY, source=source, remedy=_REMEDY),)


def _line(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)
