"""A pod that is given some paths of a node: what it was not given is never told as absent. With real namespaces."""

import json
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.host.conftest import Enter

pytestmark = pytest.mark.root
ASK = """\
import json, sys
from nodediag.errors import ReadError
from nodediag.host.origin import open_host

opened = open_host(None, budget_s=20)
told = {"": opened.host.seen.origin.value}
for question in sys.argv[1:]:
    way, _, path = question.partition(" ")
    try:
        getattr(opened.host, way)(path)
        told[path] = "known"
    except ReadError as error:
        told[path] = error.reason.code.value
opened.close()
print(json.dumps(told))
"""
PROGRAM = (sys.executable, "-I", "-c", ASK)
# /mnt of the node: a folder that may be given, with links out of it, and what is beside it.
NODE = """\
mount -t tmpfs none /mnt
mkdir -p /mnt/given/below /mnt/other
for file in given/file given/new given/below/file other/file; do echo node > "/mnt/$file"; done
ln -s ../other/file /mnt/given/out; ln -s ../other/nothing /mnt/given/astray; ln -s nothing /mnt/given/within
ln -s /mnt/given/file /mnt/given/absolute
"""
GIVE = """\
give() {
  if [ -d "$1" ]; then mkdir -p "$new/host$1"; else mkdir -p "$new/host${1%/*}"; : > "$new/host$1"; fi
  mount --rbind "$1" "$new/host$1"
}
give /proc
"""
WHOLE = 'mkdir -p "$new/host"; mount --rbind / "$new/host"'


def told(enter: "Enter", setup: str, *questions: str) -> dict[str, str]:
    done = enter(setup, *questions, program=PROGRAM, node=NODE)
    assert done.returncode == 0, done.stderr
    answers: dict[str, str] = json.loads(done.stdout)
    assert answers.pop("") == "pod"
    return answers


BESIDE = {
    "read /mnt/given/file": "known",
    "stat /mnt/given": "known",
    "list /mnt/given/below": "known",
    "read /mnt/given/absolute": "known",
    "readlink /mnt/given/out": "known",
    "read /mnt/given/none": "absent",
    "read /mnt/given/none/file": "absent",
    "read /mnt/given/file/none": "absent",
    "read /mnt/given/within": "absent",
    "read /mnt/given/out": "not_captured",
    "read /mnt/given/astray": "not_captured",
    "read /mnt/other/file": "not_captured",
    "list /mnt/other": "not_captured",
    "list /mnt/nothing": "not_captured",
    "stat /mnt": "not_captured",
    "list /": "not_captured",
    "readlink /var/lib/docker": "not_captured",
}


def test_what_lies_beside_the_paths_that_were_given_is_not_called_absent(enter: "Enter") -> None:
    answers = told(enter, GIVE + "give /mnt/given", *BESIDE)
    assert answers == {question.partition(" ")[2]: answer for question, answer in BESIDE.items()}


def test_through_a_recursive_bind_of_the_whole_root_what_is_not_there_is_absent(enter: "Enter") -> None:
    questions = dict.fromkeys(("read /mnt/other/file", "read /mnt/given/out", "stat /mnt", "list /"), "known")
    questions |= dict.fromkeys(("list /mnt/nothing", "read /mnt/given/astray", "read /no/such"), "absent")
    assert told(enter, WHOLE, *questions) == {question[5:]: answer for question, answer in questions.items()}


@pytest.mark.parametrize(
    ("setup", "path"),
    [
        ('mkdir "$new/host/mnt"; echo image > "$new/host/mnt/own"', "/mnt/own"),
        ('mkdir -p "$new/host/srv"; mount --bind /mnt/given "$new/host/srv"', "/srv/file"),
        ('give /mnt/given; mount -t tmpfs none "$new/host/mnt/given/below"', "/mnt/given/below/file"),
        ('mount -t tmpfs none "$new/host/proc/sys/fs"', "/proc/sys/fs/file-nr"),
        ("give /mnt/given/file; mv /mnt/given/new /mnt/given/file", "/mnt/given/file"),
        ("give /mnt/given/file; rm /mnt/given/file", "/mnt/given/file"),
    ],
    ids=[
        "of the image", "of another path of the node", "below a volume", "below a volume in procfs",
        "replaced since", "removed since",
    ],
)  # fmt: skip
def test_what_is_not_the_node_s_at_that_path_now_is_not_told_as_its(enter: "Enter", setup: str, path: str) -> None:
    assert told(enter, GIVE + setup, f"read {path}") == {path: "not_captured"}


@pytest.mark.parametrize("view", [GIVE + "give /mnt/given", WHOLE], ids=["named", "whole"])
def test_what_the_node_mounts_later_is_not_looked_for_in_what_it_covers(enter: "Enter", view: str) -> None:
    node = NODE + "mount -t tmpfs none /mnt/given/below; echo later > /mnt/given/below/later; "
    unmounted = view + '; umount "$new/host/mnt/given/below"'  # as if it had been mounted after the bind
    for setup, answer in ((view, "known"), (unmounted, "not_captured")):
        done = enter(setup, "read /mnt/given/below/later", program=PROGRAM, node=node)
        assert json.loads(done.stdout)["/mnt/given/below/later"] == answer, done.stderr
    done = enter(unmounted, "read /mnt/given/below/none", program=PROGRAM, node=node)
    assert json.loads(done.stdout)["/mnt/given/below/none"] == "not_captured", done.stderr


def test_a_procfs_alone_shows_a_node_of_which_little_is_known(enter: "Enter") -> None:
    done = enter(GIVE, node=NODE)
    report = json.loads(done.stdout)
    assert (report["view"]["origin"], report["verdict"], done.returncode) == ("pod", "unknown", 3)
    assert report["facts"]["mounts"]["state"] == "known"
    for name in ("os_release", "machine", "packages", "partitions"):
        assert report["facts"][name]["reason"]["code"] == "not_captured", name


def test_a_journal_that_was_not_given_is_not_called_an_empty_one(enter: "Enter") -> None:
    done = enter(GIVE, "logs", "--format", "json", node=NODE)
    told_losses = json.loads(done.stdout)["losses"]
    assert done.returncode == 3
    assert {(loss["what"], loss["reason"]["code"]) for loss in told_losses} == {
        ("/var/log/journal", "not_captured"),
        ("/run/log/journal", "not_captured"),
    }
