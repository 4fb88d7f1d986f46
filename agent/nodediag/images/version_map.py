"""What Google's map of versions says of this node."""

from datetime import datetime

from nodediag.facts.gke_versions import GkeVersions, VersionMap
from nodediag.facts.snapshot import Facts
from nodediag.images import told
from nodediag.images.version import parse_version


def about(whole: VersionMap, facts: Facts, at: datetime) -> GkeVersions:
    """Take the entries of the node's version, compared as numbers; `at` is when the node was seen."""
    version = told.gke_version(facts)
    wanted = parse_version(version[0]) if version is not None else None
    numbered = [(parsed, one) for one in whole.entries if (parsed := parse_version(one.gke_version)) is not None]
    newest = max(numbered, key=lambda pair: pair[0], default=None)
    return GkeVersions(
        path=whole.path,
        created=whole.created,
        age_days=(at - whole.created).days,
        total=len(whole.entries),
        newest=newest[1].gke_version if newest is not None else "none",
        entries=tuple(one for parsed, one in numbered if parsed == wanted),
    )
