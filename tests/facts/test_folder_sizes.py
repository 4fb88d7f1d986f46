"""What fills the folders of the runtime, the kubelet and the logs."""

from typing import Final

import pytest

from nodediag.errors import ReadError
from nodediag.facts import folder_sizes
from nodediag.host.answer import Failure, Reply, SizesBelow
from nodediag.host.answer_parts import Size
from nodediag.host.ask import Ask, Sizes
from nodediag.host.host import Host, Seen
from nodediag.model.reason import Code, Reason
from nodediag.model.report import Origin

LOGS: Final = SizesBelow((Size("pods/default_web_1", 700, 3),), 900, 9, complete=True)
ABSENT: Final = Failure(Reason(code=Code.ABSENT, detail="not there"))
REFUSED: Final = Failure(Reason(code=Code.NOT_PERMITTED, detail="no"))


class Folders:
    """A node of which only the sizes of some folders are told."""

    def __init__(self, told: dict[str, Reply]) -> None:
        self._told = told

    def answer(self, ask: Ask) -> Reply:
        return self._told.get(ask.path, ABSENT) if isinstance(ask, Sizes) else ABSENT


def node(told: dict[str, Reply]) -> Host:
    return Host(Folders(told), Seen(origin=Origin.LIVE, root="/", uid=0))


def test_folders_that_are_there_are_told_with_the_nodes_own_paths() -> None:
    found = folder_sizes.collect(node({"/var/log": LOGS, "/var/lib/kubelet": REFUSED}))
    (folder,) = found.folders
    assert (folder.path, folder.bytes, folder.complete) == ("/var/log", 900, True)
    assert [entry.path for entry in folder.largest] == ["/var/log/pods/default_web_1"]
    assert found.unread == {"/var/lib/kubelet": REFUSED.reason}


def test_where_none_could_be_looked_into_it_is_not_known() -> None:
    with pytest.raises(ReadError):
        folder_sizes.collect(node({"/var/log": REFUSED}))


def test_a_node_without_any_of_them_has_none() -> None:
    assert folder_sizes.collect(node({})).folders == ()
