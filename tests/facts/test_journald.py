"""journald.conf with its drop-ins, as journald.conf(5) has them, and what the journal takes of the disk."""

from collections.abc import Callable
from typing import Protocol

import pytest
from hypothesis import given, strategies as st

from nodediag.errors import ReadError
from nodediag.facts import journal_use, journald
from nodediag.host.answer import Failure, Target
from nodediag.host.host import Host, Line
from nodediag.model.reason import Code

GIB = 1 << 30
OURS = "a" * 32


class MakeHost(Protocol):
    def __call__(self, files: dict[str, str | Target | Failure], *, missing: Code = ...) -> Host: ...


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("[Journal]\nStorage=persistent\n", {"Storage": "persistent"}),
        ("[Journal]\n#Storage=none\n;Storage=none\n", {}),
        ("[Journal]\nStorage=none\nStorage=auto\n", {"Storage": "auto"}),
        ("Storage=none\n[Other]\nStorage=none\n", {}),
        (" [Journal] \n Storage = volatile \n", {"Storage": "volatile"}),
        ("[Journal]\nStorage=\\\nvolatile\n", {"Storage": "volatile"}),
        ("[Journal]\nStorage=\\\n# in between\nvolatile\n", {"Storage": "volatile"}),
        (
            "[Journal]\nRateLimitInterval=30s\nRateLimitBurst=0\n",
            {"RateLimitIntervalSec": "30s", "RateLimitBurst": "0"},
        ),
        ("[Journal]\nnonsense\n=x\n", {"": "x"}),
        ("", {}),
    ],
)
def test_a_file_is_read_as_systemd_reads_it(
    text: str, wanted: dict[str, str], lines: Callable[[str], tuple[Line, ...]]
) -> None:
    assert {name: setting.value for name, setting in journald.parse(lines(text)).items()} == wanted


def test_drop_ins_win_by_name_and_one_in_etc_hides_its_namesakes(host: MakeHost) -> None:
    found = journald.collect(host({
        "/etc/systemd/journald.conf": "[Journal]\nStorage=none\nSystemMaxUse=1G\nMaxRetentionSec=1d\n",
        "/usr/lib/systemd/journald.conf": "[Journal]\nStorage=volatile\nCompress=no\n",
        "/usr/lib/systemd/journald.conf.d/20-image.conf": "[Journal]\nStorage=persistent\n",
        "/run/systemd/journald.conf.d/10-early.conf": "[Journal]\nStorage=volatile\nSystemMaxUse=2G\n",
        "/etc/systemd/journald.conf.d/30-off.conf": Target("/dev/null"),
        "/usr/lib/systemd/journald.conf.d/30-off.conf": "[Journal]\nStorage=none\n",
        "/etc/systemd/journald.conf.d/40-reset.conf": "[Journal]\nMaxRetentionSec=\n",
        "/etc/systemd/journald.conf.d/50.txt": "[Journal]\nStorage=none\n",
    }))  # fmt: skip
    assert {name: setting.value for name, setting in found.settings.items()} == {
        "Storage": "persistent", "SystemMaxUse": "2G",
    }  # fmt: skip
    assert found.settings["Storage"].evidence.path == "/usr/lib/systemd/journald.conf.d/20-image.conf"
    assert (found.storage, found.most_bytes) == ("persistent", 2 * GIB)


def test_without_a_file_journald_s_defaults_hold(host: MakeHost) -> None:
    found = journald.collect(host({}))
    assert (found.settings, found.storage, found.most_bytes) == ({}, "auto", 4 * GIB)


def test_a_place_that_was_not_captured_leaves_the_settings_open(host: MakeHost) -> None:
    with pytest.raises(ReadError) as caught:
        journald.collect(host({"/etc/systemd/journald.conf": "[Journal]\n"}, missing=Code.NOT_CAPTURED))
    assert caught.value.reason.code is Code.NOT_CAPTURED


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("8G", 8 * GIB),
        ("500M", 500 << 20),
        ("1024", 1024),
        ("10K", 10 << 10),
        ("1.5G", GIB),
        ("2GB", 2 * GIB),
        ("", 0),
        ("much", 0),
        ("-1", 0),
        ("5X", 0),
    ],
)
def test_a_size_is_in_powers_of_1024(text: str, wanted: int) -> None:
    assert journald.parse_size(text) == wanted


@given(st.text(max_size=30))
def test_any_size_is_taken(text: str) -> None:
    assert journald.parse_size(text) >= 0


def test_only_this_machine_s_journal_files_are_added_up(host: MakeHost) -> None:
    found = journal_use.collect(host({
        "/etc/machine-id": f"{OURS}\n",
        f"/var/log/journal/{OURS}/system.journal": "12345",
        f"/var/log/journal/{OURS}/user-1000@1.journal~": "123",
        f"/var/log/journal/{OURS}/notes": "123456789",
        "/var/log/journal/bb/system.journal": "123456789",
    }))  # fmt: skip
    assert (found.folder, found.files, found.bytes) == (True, 2, 8)


@pytest.mark.parametrize(
    ("files", "wanted"),
    [
        ({"/etc/machine-id": f"{OURS}\n"}, (False, 0)),
        ({"/etc/machine-id": f"{OURS}\n", "/var/log/journal/bb/system.journal": "x"}, (True, 0)),
    ],
)
def test_no_folder_and_no_file_are_two_things(
    files: dict[str, str | Target | Failure], wanted: tuple[bool, int], host: MakeHost
) -> None:
    found = journal_use.collect(host(files))
    assert (found.folder, found.files) == wanted


def test_a_journal_of_an_unknown_machine_is_left_open(host: MakeHost) -> None:
    with pytest.raises(ReadError):
        journal_use.collect(host({f"/var/log/journal/{OURS}/system.journal": "x"}))
