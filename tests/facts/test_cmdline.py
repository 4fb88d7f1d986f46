"""The kernel's command line."""

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, strategies as st

from nodediag.errors import ParseError, ReadError
from nodediag.facts import cmdline
from nodediag.facts.cmdline import Argument, Cmdline, VerityDevice
from nodediag.host.host import Line

if TYPE_CHECKING:
    from tests.conftest import MakeHost

UUID = "36547742-9356-EF4E-B9AD-F8DED2F6D087"
VROOT = VerityDevice(name="vroot", read_only=True, part_uuid=UUID.lower())
OLD = (
    f"dm=1 vroot none ro 1,0 4077568 verity payload=PARTUUID={UUID} hashtree=PARTUUID={UUID} hashstart=4077568"
    " alg=sha256 root_hexdigest=8db9 salt=5c8b"
)
NEW = (
    f"dm-mod.create=vroot,,,ro,0 4077568 verity 0 PARTUUID={UUID} PARTUUID={UUID} 4096 4096 509696 509696 sha256 8d 5c"
)
OEM = ";oemroot,,,ro,0 28672 verity 1 PARTUUID=AB-8 PARTUUID=AB-8 4096 4096 3584 3584 sha256 9c 0f"
COS = 'BOOT_IMAGE=/syslinux/vmlinuz.A init=/usr/lib/systemd/systemd ro cros_efi root=/dev/dm-0 "{}" loglevel=6'


def read(text: str) -> Cmdline:
    return cmdline.parse(Line(cmdline.PATH, 1, text))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a b=c", ["a", "b=c"]),
        ("  a \t b\n", ["a", "b"]),
        ('"a b" c', ["a b", "c"]),
        ('"a=b c" d', ["a=b c", "d"]),
        ('a="b c" d', ["a=b c", "d"]),
        ('a="b c', ["a=b c"]),
        ('a="b "c" d" e', ["a=b c d", "e"]),
        ('a "" b ""', ["a", "", "b", ""]),
        ('a"', ["a"]),
        ("a='b c'", ["a='b", "c'"]),
        ("a\u00a0b", ["a\u00a0b"]),
        ("", []),
    ],
)
def test_words_end_at_spaces_outside_double_quotes(text: str, words: list[str]) -> None:
    assert cmdline.split(text) == words


def test_arguments_keep_their_order_and_a_bare_word_has_no_value() -> None:
    found = read("quiet console=tty0 console=ttyS0,115200 root=PARTUUID=ab-1")
    assert found.arguments[:2] == (Argument("quiet", ""), Argument("console", "tty0"))
    assert found.values("console") == ("tty0", "ttyS0,115200")
    assert (found.last("console"), found.last("root"), found.last("nowhere")) == ("ttyS0,115200", "PARTUUID=ab-1", "")
    assert found.has("quiet")
    assert not found.has("console=tty0")


@pytest.mark.parametrize("name", ["modules-load", "modules_load"])
def test_dashes_and_underscores_in_names_are_one_to_the_kernel(name: str) -> None:
    found = read("modules-load=loadpin-trigger")
    assert found.values(name) == ("loadpin-trigger",)
    assert found.has(name)


@pytest.mark.parametrize("text", [COS.format(OLD), COS.format(NEW), COS.format(NEW).replace("-mod", "_mod")])
def test_both_spellings_of_cos_name_the_verified_root(text: str) -> None:
    found = read(text)
    assert found.verity == (VROOT,)
    assert found.boots_cos


def test_a_sealed_image_verifies_its_oem_partition_too() -> None:
    assert read(COS.format(NEW + OEM)).verity == (
        VROOT,
        VerityDevice(name="oemroot", read_only=True, part_uuid="ab-8"),
    )


@pytest.mark.parametrize(
    ("value", "devices"),
    [
        pytest.param(
            "2 vboot none ro 1, 0 1768000 bootcache device=aa55+1 size_limit=23 max_trace=20000,"
            f" vroot none ro 1, 0 1740800 verity payload=254:0 hashtree=254:0,{OLD[5:].removeprefix('1')}",
            [("vroot", True, ""), ("vroot", True, UUID.lower())],
            id="several devices",
        ),
        pytest.param("1 x none rw 2,0 8 linear 8:1 0,8 8 verity payload=PARTUUID=A", [("x", False, "a")], id="tables"),
        pytest.param("vroot none ro,0 8 verity payload=PARTUUID=A", [("vroot", True, "a")], id="without counts"),
        pytest.param("1 v none ro 1,0 8 verity payload=PARTUUID=A/PARTNROFF=1", [("v", True, "")], id="an offset"),
        pytest.param("1 verity none ro 1,0 8 linear 8:1 0", [], id="verity in a name"),
        pytest.param("0 8 verity payload=PARTUUID=A", [], id="no device"),
        pytest.param("", [], id="empty"),
        pytest.param(",,1,verity,ro", [], id="scraps"),
    ],
)
def test_chromiums_tables_are_read_for_one_device_and_for_several(
    value: str, devices: list[tuple[str, bool, str]]
) -> None:
    found = read(f'x "dm={value}"').verity
    assert [(device.name, device.read_only, device.part_uuid) for device in found] == devices


@pytest.mark.parametrize(
    ("value", "devices"),
    [
        pytest.param("v,,,rw,0 8 verity 0 PARTUUID=A PARTUUID=B", [("v", False, "a")], id="writable"),
        pytest.param("v,u-1,3,ro,0 8 linear 8:1 0,8 8 verity 0 PARTUUID=A", [("v", True, "a")], id="two tables"),
        pytest.param(" v , , , ro , 0 8 verity 0 PARTUUID=A", [("v", True, "a")], id="spaces"),
        pytest.param("v,,,ro,0 8 verity 0 /dev/sda3 /dev/sda3", [("v", True, "")], id="by path"),
        pytest.param("lv,,,ro,0 8 linear 8:1 0;v,,,ro,0 8 verity 0 PARTUUID=A", [("v", True, "a")], id="second"),
        pytest.param("verity,,,ro,0 8 linear 8:1 0", [], id="verity in a name"),
        pytest.param("v,,,ro", [], id="no table"),
        pytest.param(";;,", [], id="scraps"),
    ],
)
def test_the_kernels_tables_are_read_for_one_device_and_for_several(
    value: str, devices: list[tuple[str, bool, str]]
) -> None:
    found = read(f'x "dm-mod.create={value}"').verity
    assert [(device.name, device.read_only, device.part_uuid) for device in found] == devices


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(COS.format(NEW).replace("cros_efi", "cros_secure"), id="ChromeOS hardware"),
        pytest.param(COS.format(NEW) + " cros_secure", id="both"),
        pytest.param(COS.format("quiet"), id="no verity"),
        pytest.param(COS.format(NEW.replace("=vroot", "=other")), id="another device"),
        pytest.param("BOOT_IMAGE=/boot/vmlinuz-5.4.0-1039-gke root=PARTUUID=ab ro", id="Ubuntu"),
    ],
)
def test_only_cos_boots_so(text: str) -> None:
    assert not read(text).boots_cos


@pytest.mark.parametrize("text", ["", " ", "\t"])
def test_an_empty_line_is_refused(text: str) -> None:
    with pytest.raises(ParseError, match="kernel arguments"):
        read(text)


def test_it_is_read_from_its_one_place_whatever_the_namespace(host: "MakeHost") -> None:
    found = cmdline.collect(host({cmdline.PATH: "ro quiet\n"}))
    assert (found.evidence.path, found.evidence.line, found.evidence.text) == (cmdline.PATH, 1, "ro quiet")
    assert cmdline.NAMESPACE is None
    with pytest.raises(ReadError):
        cmdline.collect(host({}))


WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters='"\r'), min_size=1)


@given(words=st.lists(WORDS))
def test_quoted_words_come_back_as_they_were(words: list[str]) -> None:
    assert cmdline.split(" ".join(f'"{word}"' for word in words)) == words
