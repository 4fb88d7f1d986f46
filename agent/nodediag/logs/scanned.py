"""What a scan came to, before it is known on which image: the same words may mean another thing on another one."""

import msgspec

from nodediag.model.image import OsFamily
from nodediag.model.logs import LogFinding, LogResult
from nodediag.model.outcome import Severity


class Scanned(msgspec.Struct, frozen=True, kw_only=True):
    """A result, and by signature the severity on each image that gives it one of its own.

    A fault only when repeated is info until it was, on every image. `excerpt` is packed, see excerpt.py.
    """

    result: LogResult
    on_image: dict[str, dict[OsFamily, Severity]]
    excerpt: bytes = b""
    masked: dict[str, int] = {}  # in the excerpt, by the rule's id
    took_us: int = 0

    def judged(self, family: OsFamily) -> LogResult:
        """Give what it means on an image, the worst first."""

        def meant(finding: LogFinding) -> LogFinding:
            severity = self.on_image.get(finding.id, {}).get(family, finding.severity)
            return msgspec.structs.replace(finding, severity=severity)

        order = list(Severity)
        findings = sorted(
            map(meant, self.result.signatures), key=lambda one: (order.index(one.severity), -one.count, one.id)
        )
        return msgspec.structs.replace(self.result, signatures=tuple(findings))
