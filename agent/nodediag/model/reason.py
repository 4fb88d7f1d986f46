"""Why something is not known: a closed code for machines, a detail for people, and what would be needed."""

from enum import StrEnum

import msgspec


class Code(StrEnum):
    """Every way in which a question to a node can stay unanswered."""

    NOT_PERMITTED = "not_permitted"
    ABSENT = "absent"
    TIMED_OUT = "timed_out"
    TOO_LARGE = "too_large"
    UNPARSABLE = "unparsable"
    WRONG_KIND = "wrong_kind"
    ESCAPES_ROOT = "escapes_root"
    CRASHED = "crashed"
    NOT_CAPTURED = "not_captured"
    NOT_ASKED = "not_asked"
    OTHER_NAMESPACE = "other_namespace"
    ONE_SAMPLE = "one_sample"
    UNSUPPORTED = "unsupported"


class Reason(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why an answer is missing; `needs` says what would bring it, where that is known."""

    code: Code
    detail: str
    needs: str = ""


class BlindSpot(msgspec.Struct, frozen=True, kw_only=True):
    """Something this report could not see: a fact by its name, or a path of the node."""

    what: str
    reason: Reason
