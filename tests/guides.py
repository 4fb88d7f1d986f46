"""The commands in the guides' code blocks, word for word."""

import re
from pathlib import Path
from typing import Final

import msgspec

FOLDER: Final = Path(__file__).parents[1] / "docs"
GUIDES: Final = ("on-a-gke-node", "in-the-toolbox", "as-a-daemonset", "kubectl-debug", "on-ubuntu")
_BLOCK: Final = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_COMMENT: Final = re.compile(r"\s{2,}# .*$", re.MULTILINE)


class Command(msgspec.Struct, frozen=True):
    """What follows a prompt, without the comment beside it, and what the guide shows that it prints."""

    prompt: str
    text: str
    prints: str


def commands(guide: str) -> list[Command]:
    """Give the commands of a guide in their order."""
    found: list[Command] = []
    for block in _BLOCK.findall((FOLDER / f"{guide}.md").read_text()):
        for part in re.split(r"^(?=[$#] )", block, flags=re.MULTILINE):
            if part:
                line, _, prints = part.replace("\\\n", "").partition("\n")
                found.append(Command(part[0], re.sub(r" {2,}", " ", _COMMENT.sub("", line[2:])).strip(), prints))
    return found
