"""Data files that were taken apart beforehand say what their text says."""

from pathlib import Path

import msgspec
import pytest

import nodediag
from nodediag import prepared
from nodediag.host.prepare import prepare
from nodediag.model.digest import digest

PACKAGE = Path(nodediag.__file__).parent
FILES = sorted(PACKAGE.rglob("*.toml"))


class Named(msgspec.Struct):
    name: str


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_every_data_file_is_the_same_taken_apart_before_and_now(file: Path, tmp_path: Path) -> None:
    (tmp_path / file.name).write_text(file.read_text())
    assert prepare(str(tmp_path)) == 1
    (kept,) = (tmp_path / prepared.FOLDER).iterdir()
    now = msgspec.toml.decode(file.read_text())
    assert msgspec.msgpack.decode(kept.read_bytes()) == now
    assert now != {}
    assert prepared.decode(file.read_text(), dict) == now


def test_what_is_kept_belongs_to_one_text_and_goes_with_it(tmp_path: Path) -> None:
    file = tmp_path / "data" / "one.toml"
    file.parent.mkdir()
    file.write_text("name = 'one'")
    (tmp_path / prepared.FOLDER).mkdir()
    (tmp_path / prepared.FOLDER / "older").write_text("")
    names = []
    for text in ("name = 'one'", "name = 'one'", "name = 'other'"):
        file.write_text(text)
        prepare(str(tmp_path))
        (kept,) = (tmp_path / prepared.FOLDER).iterdir()
        assert msgspec.msgpack.decode(kept.read_bytes()) == msgspec.toml.decode(text)
        names.append(kept.name)
    assert names == [digest(b"name = 'one'"), digest(b"name = 'one'"), digest(b"name = 'other'")]


def test_a_text_that_was_not_prepared_is_taken_apart_with_its_errors() -> None:
    named: Named = prepared.decode("name = 'a text that comes with no release'", Named)
    assert named == Named("a text that comes with no release")
    with pytest.raises(msgspec.ValidationError, match=r"^Expected `str`, got `int`"):
        prepared.decode("name = 1", Named)
    with pytest.raises(msgspec.DecodeError):
        prepared.decode("name = ", Named)


def test_what_setting_up_leaves_is_read() -> None:
    prepare(str(PACKAGE))
    assert {kept.name for kept in (PACKAGE / prepared.FOLDER).iterdir()} == {
        digest(file.read_bytes()) for file in FILES
    }
    text = "name = 'the text'"
    kept = PACKAGE / prepared.FOLDER / digest(text.encode())
    kept.write_bytes(msgspec.msgpack.encode({"name": "what was kept of it"}))
    try:
        named: Named = prepared.decode(text, Named)
    finally:
        kept.unlink()
    assert named == Named("what was kept of it")
