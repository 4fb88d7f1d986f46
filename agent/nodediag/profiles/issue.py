"""A known issue: on which images and versions it is, what of it the node itself must show, what it does, what helps."""

import msgspec

from nodediag.model.image import ImageType
from nodediag.model.outcome import Severity


class Range(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A range of versions, compared number by number: `since` is in it, `before` is not."""

    since: str = ""
    before: str = ""


class Shown(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What must be seen on the node too; all keys that are there must agree."""

    noexec: str = ""  # a path from which programs cannot be started
    label: str = ""  # of the kubelet's --node-labels: KEY, or KEY=VALUE
    argument: str = ""  # of the kernel's command line: NAME, or NAME=VALUE
    cgroup: int | msgspec.UnsetType = msgspec.UNSET  # the version that the kubelet finds
    signature: str = ""  # the id of one that matched in the journal


class Issue(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One issue. Of each kind of version any range will do; kinds that are named must all agree."""

    id: str
    title: str
    severity: Severity
    image_types: tuple[ImageType, ...]
    gke: tuple[Range, ...] = ()  # of the kubelet: 1.20.5-gke.100
    milestone: tuple[Range, ...] = ()  # of COS, with its build: 121-18867.199.28
    kernel: tuple[Range, ...] = ()
    shows: Shown = Shown()
    where: str = ""  # what no node tells: it is then only said that the issue may apply, as info
    effect: str
    workaround: str
    source: str
    document: str = ""


class IssueFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file of known issues, and when it was last looked through."""

    date: str
    issue: tuple[Issue, ...]
