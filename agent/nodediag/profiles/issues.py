"""TOML to known issues. An error names the file, the record, the key and the reason."""

import re
from typing import Final

from nodediag.errors import ProfileError
from nodediag.host import package, toml_text
from nodediag.profiles.issue import Issue, IssueFile, Range

_ID: Final = re.compile(r"issue\.[a-z0-9-]+")
_VERSION: Final = re.compile(r"\d+(?:\.\d+)*(?:-(?:gke\.)?\d+(?:\.\d+)*)?", re.ASCII)


def builtin() -> dict[str, str]:
    """Give the texts of the known issues that come with this release, by file name."""
    return package.texts("profiles/data/issues")


def parse(file: str, text: str) -> tuple[Issue, ...]:
    """Decode and lint a file; raises ProfileError at the first record that is wrong."""
    issues = toml_text.decode(file, text, IssueFile).issue
    for issue in issues:
        _lint(file, issue)
    return issues


def merge(files: dict[str, str]) -> tuple[Issue, ...]:
    """Parse several files; a record of a later one takes the place of an earlier one's with its id."""
    merged: dict[str, Issue] = {}
    for file, text in files.items():
        issues = parse(file, text)
        ids = [issue.id for issue in issues]
        twice = next((one for one in ids if ids.count(one) > 1), None)
        if twice is not None:
            raise ProfileError(file, twice, "this id stands twice")
        merged |= {issue.id: issue for issue in issues}
    return tuple(merged.values())


def _lint(file: str, issue: Issue) -> None:
    if _ID.fullmatch(issue.id) is None:
        raise ProfileError(file, issue.id, "wanted an id such as issue.cos-docker-clusterip-reset")
    if not issue.image_types:
        raise ProfileError(file, f"{issue.id}.image_types", "found none, wanted one at least")
    for kind in ("gke", "milestone", "kernel"):
        ranges: tuple[Range, ...] = getattr(issue, kind)
        for number, one in enumerate(ranges):
            for key in ("since", "before"):
                version = getattr(one, key)
                if version and _VERSION.fullmatch(version) is None:
                    place = f"{issue.id}.{kind}[{number}].{key}"
                    raise ProfileError(file, place, f"found {version!r}, wanted numbers such as 1.20.5-gke.100")
            if one == Range():
                raise ProfileError(file, f"{issue.id}.{kind}[{number}]", "found no key, wanted since or before")
    if issue.shows.noexec and not issue.shows.noexec.startswith("/"):
        raise ProfileError(file, f"{issue.id}.shows.noexec", "wanted an absolute path")
