"""The state of APT and dpkg beyond the packages themselves: an interrupted run, a reboot that is due, a new release.

dpkg(1) leaves files in /var/lib/dpkg/updates when it is interrupted; Ubuntu's packages write /run/reboot-required;
do-release-upgrade(8) keeps its log in /var/log/dist-upgrade.
"""

from typing import Final

import msgspec

from nodediag.errors import ReadError
from nodediag.facts.fact import Fact, Unknown
from nodediag.facts.packages import Packages
from nodediag.host.host import EVIDENCE_CAP, Host
from nodediag.model.evidence import FileEvidence, PathEvidence
from nodediag.model.reason import Code, Reason

UPDATES_PATH: Final = "/var/lib/dpkg/updates"
REBOOT_PATH: Final = "/run/reboot-required"
UPGRADE_PATH: Final = "/var/log/dist-upgrade"
_UPGRADE_LOG: Final = "main.log"
_MOST: Final = 50


class Apt(msgspec.Struct, frozen=True, kw_only=True):
    """What was found, where there is dpkg; `unseen` has a reason by path for what could not be looked at."""

    present: bool
    interrupted: tuple[PathEvidence, ...] = ()
    reboot: tuple[FileEvidence, ...] = ()
    reboot_packages: tuple[str, ...] = ()
    upgraded: tuple[PathEvidence, ...] = ()
    unseen: dict[str, Reason] = {}


def derive(host: Host, packages: Fact[Packages]) -> Apt:
    """Look, where there is dpkg at all; raises ReadError where that is not known."""
    if isinstance(packages, Unknown):
        raise ReadError("dpkg", packages.reason)
    if not packages.value.manager:
        return Apt(present=False)
    unseen: dict[str, Reason] = {}
    updates = _names(host, UPDATES_PATH, unseen)
    logs = _names(host, UPGRADE_PATH, unseen)
    due = _text(host, REBOOT_PATH, unseen)
    wanting = _text(host, f"{REBOOT_PATH}.pkgs", {}) if due is not None else None
    return Apt(
        present=True,
        interrupted=tuple(PathEvidence(path=f"{UPDATES_PATH}/{name}", type="file") for name in updates[:_MOST]),
        reboot=(FileEvidence(path=REBOOT_PATH, line=0, text=due[:EVIDENCE_CAP].strip()),) if due is not None else (),
        reboot_packages=tuple(dict.fromkeys((wanting or "").split()))[:_MOST],
        upgraded=tuple(
            PathEvidence(path=f"{UPGRADE_PATH}/{name}", type="file") for name in logs if name == _UPGRADE_LOG
        ),
        unseen=unseen,
    )


def _names(host: Host, path: str, unseen: dict[str, Reason]) -> tuple[str, ...]:
    try:
        return host.list(path)
    except ReadError as error:
        _note(error, path, unseen)
        return ()


def _text(host: Host, path: str, unseen: dict[str, Reason]) -> str | None:
    try:
        return host.text(path)
    except ReadError as error:
        _note(error, path, unseen)
        return None


def _note(error: ReadError, path: str, unseen: dict[str, Reason]) -> None:
    if error.reason.code is not Code.ABSENT:
        unseen[path] = error.reason
