"""The name that Kubernetes knows the node by, as it told our own pod: spec.nodeName, by the downward API."""

import re
from typing import Final

import msgspec

from nodediag.errors import ParseError
from nodediag.model.evidence import InputEvidence

VARIABLE: Final = "NODEDIAG_NODE_NAME"
_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")  # a DNS subdomain, as Kubernetes names objects


class NodeName(msgspec.Struct, frozen=True, kw_only=True):
    """The name, and the variable of our environment that holds it."""

    name: str
    evidence: InputEvidence


def parse(text: str) -> NodeName:
    """Take the variable's value; raises ParseError where no node can have such a name."""
    if not _NAME.fullmatch(text):
        raise ParseError(VARIABLE, text, "the node's name, as spec.nodeName of the pod has it")
    return NodeName(name=text, evidence=InputEvidence(option=VARIABLE, path="", text=text))
