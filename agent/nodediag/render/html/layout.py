"""The node's layout as a tree: disk, partition, path; each path with what it is and what the profile asks of it.

Everything is taken from the report: the mounts, the block devices, `profile.layout`, and the problems about paths.
"""

import re
from collections.abc import Iterable
from typing import Final

import msgspec

from nodediag.facts.fact import Unknown, known
from nodediag.facts.mounts import Backing, Mount, Mounts
from nodediag.facts.partitions import BlockDevice, Partitions
from nodediag.facts.snapshot import Facts
from nodediag.model.reason import Reason
from nodediag.model.report import LayoutRule, Report

_MOST_ROWS: Final = 120
# Mounts of containers, and folders of the system in memory: there may be thousands, and no layout speaks of them.
_PASSING: Final = re.compile(
    r"/var/lib/kubelet/(pods|plugins)/|/run/|/dev/|/sys/|/proc/|/var/lib/(docker|containerd)/.|/var/run/|"
    r"/snap/|.*/containerized_mounter/rootfs/"
)
_KINDS: Final = frozenset({"path", "filesystem"})  # subjects of problems that are named by a path
_KEPT: Final = {
    Backing.DISK: "stateful", Backing.NETWORK: "stateful", Backing.MEMORY: "stateless", Backing.KERNEL: "kernel",
    Backing.UNKNOWN: "kept: unknown",
}  # fmt: skip
_MEMORY, _NETWORK, _OTHER = "memory", "network", "other"
_ABOUT: Final = {
    _MEMORY: "what is written here is gone at reboot", _NETWORK: "kept elsewhere",
    _OTHER: "what keeps it is not told by the table",
}  # fmt: skip


class Aspect(msgspec.Struct, frozen=True, kw_only=True):
    """One property of a path: what it is, and what it should be; empty where nothing is asked."""

    actual: str
    wanted: str = ""

    @property
    def deviates(self) -> bool:
        """Whether it is not as it should be; what is not known does not deviate."""
        return bool(self.wanted) and self.wanted != self.actual and "unknown" not in self.actual


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A path. One that is no mount of its own says on which it lies; `notes` are problems that no aspect tells."""

    path: str
    source: str
    lies_on: str
    depth: int
    aspects: tuple[Aspect, ...]
    document: str = ""
    optional: bool = False
    notes: tuple[str, ...] = ()

    @property
    def deviates(self) -> bool:
        """Whether something is not as it should be."""
        return bool(self.notes) or any(aspect.deviates for aspect in self.aspects)


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A partition, or what else holds a file system, with the paths on it."""

    name: str
    about: str
    rows: tuple[Row, ...]


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """A disk, or memory, or the network; `bare` are its partitions without a mount."""

    name: str
    about: str
    parts: tuple[Part, ...]
    bare: tuple[str, ...] = ()


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """All of it; what was left out is counted, and what could not be seen is named."""

    groups: tuple[Group, ...]
    unseen: tuple[str, ...]
    absent: tuple[str, ...]
    passing: int
    cut: int


def of(report: Report[Facts]) -> Layout | Reason:
    """Give the layout of a node; where its mounts are not known, why."""
    fact = report.facts.mounts
    if isinstance(fact, Unknown):
        return fact.reason
    mounts = fact.value
    rules = {rule.path: rule for rule in report.profile.layout} if report.profile is not msgspec.UNSET else {}
    notes = _notes(report)
    held = {path: _judged_by(mounts, path, rule) for path, rule in rules.items()}
    shown = {path: mount for path, mount in held.items() if mount is not None}
    others = [mount for mount in mounts.visible() if mount.target not in shown and mount.backing is not Backing.KERNEL]
    lasting = [mount for mount in others if mount.target in notes or _PASSING.match(mount.target) is None]
    shown |= {mount.target: mount for mount in lasting}
    kept = dict(sorted(shown.items(), key=lambda pair: (pair[0] not in notes, pair[0] not in rules))[:_MOST_ROWS])
    lacking = [rules[path] for path, mount in held.items() if mount is None]
    return Layout(
        groups=_groups(kept, rules, notes, known(report.facts.partitions)),
        unseen=tuple(rule.path for rule in lacking if not (rule.optional and mounts.complete)),
        absent=tuple(rule.path for rule in lacking if rule.optional and mounts.complete),
        passing=len(others) - len(lasting),
        cut=len(shown) - len(kept),
    )


def _judged_by(mounts: Mounts, path: str, rule: LayoutRule) -> Mount | None:
    """Give the mount that a path is judged by; None where it need not be there, or the list cannot tell."""
    return mounts.at(path) or (mounts.holding(path) if mounts.complete and not rule.optional else None)


def _notes(report: Report[Facts]) -> dict[str, tuple[str, ...]]:
    """Give what problems say of paths, by path."""
    found: dict[str, tuple[str, ...]] = {}
    for check in report.checks:
        for problem in check.problems:
            if problem.subject.kind in _KINDS:
                found[problem.subject.name] = (*found.get(problem.subject.name, ()), problem.message)
    return found


def _groups(
    wanted: dict[str, Mount], rules: dict[str, LayoutRule], notes: dict[str, tuple[str, ...]],
    partitions: Partitions | None,
) -> tuple[Group, ...]:  # fmt: skip
    places: dict[str, dict[str, dict[str, Mount]]] = {}
    for path, mount in wanted.items():
        group, part = _place(mount, partitions)
        places.setdefault(group, {}).setdefault(part, {})[path] = mount
    groups: list[Group] = []
    for name in sorted(places, key=lambda name: (name in _ABOUT, name)):
        inside = places[name]
        parts = (_part(part, inside[part], rules, notes, partitions) for part in sorted(inside, key=_natural))
        disk = partitions.named(name) if partitions is not None else None
        bare = _bare(disk, partitions, inside) if disk is not None and partitions is not None else ()
        about = _ABOUT.get(name) or f"disk{_size(disk)}"
        groups.append(Group(name=name, about=about, parts=tuple(parts), bare=bare))
    return tuple(groups)


def _place(mount: Mount, partitions: Partitions | None) -> tuple[str, str]:
    """Give the group and the part in which a mount is shown."""
    device = partitions.numbered(mount.device) if partitions is not None else None
    if device is None and partitions is not None:
        device = partitions.named(mount.source.rpartition("/")[2])
    if device is not None and partitions is not None:
        below = partitions.below(device)
        lowest = below[0] if below else device
        return lowest.parent or _disk(lowest.name), lowest.name
    match mount.backing:
        case Backing.MEMORY:
            return _MEMORY, mount.fstype
        case Backing.NETWORK:
            return _NETWORK, mount.source
        case Backing.DISK:
            name = mount.source.removeprefix("/dev/")
            return _disk(name), name
        case Backing.KERNEL | Backing.UNKNOWN:
            return _OTHER, mount.fstype


def _disk(name: str) -> str:
    """Give the disk of a partition by their names: sda1, nvme0n1p1."""
    found = re.fullmatch(r"((?:sd|vd|xvd|hd)[a-z]+)\d+|((?:nvme\d+n\d+|mmcblk\d+|nbd\d+|loop\d+))p\d+", name)
    return (found[1] or found[2]) if found is not None else name


def _part(
    name: str, mounts: dict[str, Mount], rules: dict[str, LayoutRule], notes: dict[str, tuple[str, ...]],
    partitions: Partitions | None,
) -> Part:  # fmt: skip
    device = partitions.named(name) if partitions is not None else None
    kinds = sorted({mount.fstype for mount in mounts.values()})
    labels = sorted(device.names) if device is not None else []
    said = ", ".join(one for one in (*labels, *kinds) if one != name) + _size(device)
    if partitions is not None:
        for mapped in {mount.device: partitions.numbered(mount.device) for mount in mounts.values()}.values():
            if mapped is not None and mapped.name != name:
                said += f", by {mapped.dm_name or mapped.name}{' (read-only)' if mapped.read_only else ''}"
    paths = sorted(mounts)
    rows = tuple(_row(path, mounts[path], rules.get(path), notes.get(path, ()), paths) for path in paths)
    return Part(name=name, about=said, rows=rows)


def _row(path: str, mount: Mount, rule: LayoutRule | None, notes: tuple[str, ...], paths: list[str]) -> Row:
    above = [other for other in paths if other != path and path.startswith(other.rstrip("/") + "/")]
    aspects = _aspects(mount, rule)
    own = mount.target == path
    return Row(
        path=path,
        source=_source(mount),
        lies_on="" if own else mount.target,
        depth=len(above),
        aspects=aspects,
        document=rule.document if rule is not None else "",
        optional=rule is not None and rule.optional,
        notes=notes,
    )


def _source(mount: Mount) -> str:
    inside = mount.root if mount.root not in {"", "/"} else ""
    return f"{mount.fstype} on {mount.source}{inside}" if mount.source != mount.fstype else mount.fstype + inside


def _aspects(mount: Mount, rule: LayoutRule | None) -> tuple[Aspect, ...]:
    kept = rule.persistence if rule is not None else ""
    if not mount.options_known:
        return (Aspect(actual="options unknown"), Aspect(actual=_KEPT[mount.backing], wanted=kept))
    writable = rule.writable if rule is not None else msgspec.UNSET
    executable = rule.executable if rule is not None else msgspec.UNSET
    aspects = [
        _aspect(mount.writable, writable, "writable", "read-only"),
        _aspect(mount.executable, executable, "executable", "noexec"),
    ]
    if kept or mount.writable:  # where nothing can be written, nothing need be kept
        aspects.append(Aspect(actual=_KEPT[mount.backing], wanted=kept))
    if rule is not None:  # said only where they are not as they should be
        more = (_aspect(mount.suid, rule.suid, "suid", "nosuid"), _aspect(mount.devices, rule.devices, "dev", "nodev"))
        aspects += [aspect for aspect in more if aspect.deviates]
    return tuple(aspects)


def _aspect(actual: bool, wanted: bool | msgspec.UnsetType, good: str, bad: str) -> Aspect:  # noqa: FBT001 - a value
    asked = "" if wanted is msgspec.UNSET else good if wanted else bad
    return Aspect(actual=good if actual else bad, wanted=asked)


def _bare(disk: BlockDevice, partitions: Partitions, used: Iterable[str]) -> tuple[str, ...]:
    shown = frozenset(used)
    bare = [one for one in partitions.devices if one.parent == disk.name and one.name not in shown]
    labels = {one.name: f"{one.name}{f' {label}' if (label := one.part_label or one.label) else ''}" for one in bare}
    return tuple(labels[name] for name in sorted(labels, key=_natural))


def _natural(name: str) -> tuple[str, int]:
    """Sort sda2 before sda10."""
    found = re.fullmatch(r"(.*?)(\d{1,9})", name)
    return (found[1], int(found[2])) if found is not None else (name, -1)


def _size(device: BlockDevice | None) -> str:
    return f", {size(device.size_bytes)}" if device is not None and device.size_bytes >= 0 else ""


def size(count: int) -> str:
    """Give a number of bytes as a person says it."""
    value, unit = float(count), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if value < 1024:  # noqa: PLR2004 - what makes the next larger unit
            break
        value, unit = value / 1024, larger
    return f"{value:.0f} {unit}" if value >= 10 or value == int(value) else f"{value:.1f} {unit}"  # noqa: PLR2004
