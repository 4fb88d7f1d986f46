"""The journal followed step by step, in real journal files."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import msgspec
import pytest

from nodediag.host import package
from nodediag.model.image import OsFamily
from nodediag.signatures.load import merge
from nodediag.watch.follow import Follower
from nodediag.watch.lookout import Lookout
from nodediag.watch.told import Beat, Found, Told

PLEG = 'E1121 10:00:00.000000 1 kubelet.go:1] "Skipping pod synchronization" err="PLEG is not healthy: '
PLEG += 'pleg was last seen active 5m10.1s ago; threshold is 3m0s"'
FULL = "E1121 10:00:00.000000 1 x.go:1] write /var/lib/x: no space left on device token=ya29.secretsecretsecret"
FINE = 'I1121 10:00:00.000000 1 kubelet.go:1] "SyncLoop ADD" source="api"'


class Node(Protocol):
    @property
    def root(self) -> os.PathLike[str]: ...
    def log(self, *messages: str, unit: str = ..., ahead_s: float = ...) -> None: ...
    def rotate(self) -> None: ...


class Following:
    """A follower whose steps a test takes, and what it has told."""

    def __init__(self, node: Node, cursor: str = "") -> None:
        self.told: list[bytes] = []
        lookout = Lookout(merge(package.texts("signatures/data")), OsFamily.COS)
        self._follower = Follower(self.told.append, os.fspath(node.root), lookout, cursor, 0)

    def step(self) -> list[str]:
        """Take a step, and one for a kernel's report that may go on; give the signatures found."""
        self.told.clear()
        self._follower.step()
        self._follower.step()
        return [told.signature for told in self.decoded() if isinstance(told, Found)]

    def decoded(self) -> list[Told]:
        return [msgspec.json.decode(line, type=Told) for line in self.told]

    @property
    def cursor(self) -> str:
        return self._follower.cursor


def test_a_critical_signature_is_found_when_it_is_logged_and_only_then(node: Node) -> None:
    node.log(FINE)
    follower = Following(node)
    assert follower.step() == []
    node.log(FINE, PLEG, FINE)
    assert follower.step() == ["kubelet.pleg-unhealthy"]
    assert follower.step() == []


def test_rotation_loses_and_repeats_nothing(node: Node) -> None:
    node.log(FINE)
    follower = Following(node)
    follower.step()
    node.log(PLEG)
    node.rotate()
    node.log(FULL)
    assert sorted(follower.step()) == ["kubelet.pleg-unhealthy", "node.no-space-left"]
    node.rotate()
    assert follower.step() == []
    node.log(PLEG)
    assert follower.step() == ["kubelet.pleg-unhealthy"]


def test_a_follower_goes_on_where_another_was(node: Node) -> None:
    node.log(PLEG)
    first = Following(node)
    assert first.step() == ["kubelet.pleg-unhealthy"]
    node.log(FULL)
    node.rotate()
    node.log(FINE)
    second = Following(node, first.cursor)
    assert second.step() == ["node.no-space-left"]


@pytest.mark.parametrize("ahead_s", [-7200, 7200, -40 * 86400])
def test_a_clock_step_hides_nothing(node: Node, ahead_s: float) -> None:
    node.log(FINE)
    follower = Following(node)
    follower.step()
    node.log(PLEG, ahead_s=ahead_s)
    assert follower.step() == ["kubelet.pleg-unhealthy"]
    node.log(FULL)
    assert follower.step() == ["node.no-space-left"]


def test_a_journal_that_appears_later_is_followed(node: Node) -> None:
    follower = Following(node)
    assert follower.step() == []
    (beat,) = follower.decoded()
    assert isinstance(beat, Beat)
    assert beat.files == 0
    node.log(PLEG)
    assert follower.step() == ["kubelet.pleg-unhealthy"]


def test_secrets_are_masked_in_what_is_quoted(node: Node) -> None:
    node.log(FINE)
    follower = Following(node)
    node.log(FULL)
    follower.step()
    (found,) = [told for told in follower.decoded() if isinstance(told, Found)]
    assert "no space left" in found.text
    assert "secretsecret" not in found.text


def test_other_units_are_not_read(node: Node) -> None:
    node.log(FINE)
    follower = Following(node)
    node.log(PLEG, unit="app.service")
    assert follower.step() == []


def held_below(folder: Path) -> list[Path]:
    """Give the files below a folder that this process holds open, deleted ones too."""
    held = []
    for fd in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            held.append(fd.readlink())
    return [path for path in held if path.is_relative_to(folder)]


def test_files_that_journald_deletes_are_let_go(node: Node) -> None:
    node.log(FINE)
    follower = Following(node)
    for _ in range(6):
        node.rotate()
        node.log(FINE)
        follower.step()
    for old in (Path(node.root) / "var/log/journal").rglob("system@*"):
        old.unlink()
    assert len(held_below(Path(node.root))) > 3
    follower.step()
    assert len(held_below(Path(node.root))) <= 2  # the one file, and the root
