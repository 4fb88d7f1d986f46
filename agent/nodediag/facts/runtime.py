"""containerd's configuration, as far as it tells whose node this is; see containerd-config.toml(5).

Versions 1 to 3 of the file put the CRI plugin's tables at different places and renamed some keys, so the keys are
looked for wherever they stand.
"""

import tomllib
from typing import Final, TypeAlias

import msgspec

from nodediag.errors import ParseError, ReadError
from nodediag.host.ask import Namespace
from nodediag.host.host import EVIDENCE_CAP, Host
from nodediag.model.evidence import FileEvidence
from nodediag.model.reason import Code

NAMESPACE: Final = Namespace.MOUNT
PATH: Final = "/etc/containerd/config.toml"
_MOST_DOTS: Final = 500  # tomllib takes quadratic time for a dotted key

Toml: TypeAlias = "dict[str, Toml] | list[Toml] | str | int | float | bool"


class ContainerdConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What the file says; `present` is false where there is none and containerd's defaults hold."""

    present: bool
    root: str = ""
    cni_bin_dir: str = ""
    sandbox_image: str = ""
    systemd_cgroup: str = ""
    lines: dict[str, FileEvidence] = {}


def collect(host: Host) -> ContainerdConfig:
    """Read the file at containerd's default place."""
    try:
        text = host.text(PATH)
    except ReadError as error:
        if error.reason.code is Code.ABSENT:
            return ContainerdConfig(present=False)
        raise
    return parse(text)


def parse(text: str) -> ContainerdConfig:
    """Parse the file; raises ParseError where it is no TOML (containerd would not start then)."""
    crowded = next((line for line in text.split("\n") if line.count(".") > _MOST_DOTS), None)
    if crowded is not None:
        raise ParseError(PATH, crowded, f"TOML with at most {_MOST_DOTS} dots in a line")
    try:
        table: Toml = tomllib.loads(text)
        return ContainerdConfig(
            present=True,
            root=_top(table, "root"),
            cni_bin_dir=_find(table, ("bin_dir", "bin_dirs")),
            sandbox_image=_find(table, ("sandbox_image", "sandbox")),
            systemd_cgroup=_find(table, ("SystemdCgroup",)),
            lines=_lines(text),
        )
    except (ValueError, RecursionError) as error:
        raise ParseError(PATH, text.partition("\n")[0], f"TOML: {error}") from error


def _top(table: Toml, name: str) -> str:
    value = table.get(name) if isinstance(table, dict) else ""
    return value if isinstance(value, str) else ""


def _find(value: Toml, names: tuple[str, ...]) -> str:
    """Give the first of some keys that stands anywhere in the tables, as text; empty where none does."""
    if not isinstance(value, dict):
        return ""
    for name in names:
        found = value.get(name)
        if isinstance(found, list):
            found = found[0] if found else ""
        if found is not None and not isinstance(found, dict):
            return str(found).lower() if isinstance(found, bool) else str(found)
    return next((found for table in value.values() if (found := _find(table, names))), "")


def _lines(text: str) -> dict[str, FileEvidence]:
    """Keep the lines that set the keys we look for, as evidence."""
    found: dict[str, FileEvidence] = {}
    for number, line in enumerate(text.split("\n"), 1):
        key = line.partition("=")[0].strip()
        if key in {"bin_dir", "bin_dirs", "sandbox_image", "sandbox", "SystemdCgroup"}:
            found.setdefault(key, FileEvidence(path=PATH, line=number, text=line.strip()[:EVIDENCE_CAP]))
    return found
