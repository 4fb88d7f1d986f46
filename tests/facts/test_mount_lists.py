"""Lists of mounts that are no mountinfo: /proc/mounts, mount(8), findmnt(8), df(1)."""

import pytest
from hypothesis import given, strategies as st

from nodediag.errors import ParseError, ReadError
from nodediag.facts import mount_lists
from nodediag.facts.mount_lists import Parser
from nodediag.facts.mounts import Backing, Mount
from nodediag.host.answer import Content, Failure, Reply
from nodediag.host.ask import Ask, Read
from nodediag.host.host import Host, Line, Seen
from nodediag.model.evidence import FileEvidence
from nodediag.model.reason import Code, Reason
from nodediag.model.report import Origin

PATH = "/a/list"
PARSERS = (
    mount_lists.parse_kernel,
    mount_lists.parse_mount,
    mount_lists.parse_either,
    mount_lists.parse_findmnt,
    mount_lists.parse_df,
)
ONE_BY_KERNEL = "/dev/sda8 /usr/share/oem ext4 ro,nosuid,nodev,noexec,relatime 0 0"
ONE_BY_MOUNT = "/dev/sda8 on /usr/share/oem type ext4 (ro,nosuid,nodev,noexec,relatime)"
ONE_BY_FINDMNT = "/usr/share/oem /dev/sda8 ext4 ro,nosuid,nodev,noexec,relatime"
ONE_BY_DF = "/dev/sda8        12M   28K   12M   1% /usr/share/oem"


class Table:
    """A node that has these files and nothing else."""

    def __init__(self, files: dict[str, str], code: Code = Code.NOT_CAPTURED) -> None:
        self._files = files
        self._code = code

    def answer(self, ask: Ask) -> Reply:
        if isinstance(ask, Read) and ask.path in self._files:
            return Content(self._files[ask.path].encode())
        return Failure(Reason(code=self._code, detail="it is not in the table"))


def host(files: dict[str, str], code: Code = Code.NOT_CAPTURED) -> Host:
    return Host(Table(files, code), Seen(origin=Origin.TREE, root="/t", uid=0))


def lines(text: str) -> tuple[Line, ...]:
    return tuple(Line(PATH, number, one) for number, one in enumerate(text.split("\n"), 1))


def the_one(parser: Parser, text: str) -> Mount:
    (mount,) = parser(lines(text), PATH).mounts
    return mount


def targets(parser: Parser, text: str) -> list[str]:
    return [mount.target for mount in parser(lines(text), PATH).mounts]


@pytest.mark.parametrize(
    ("parser", "text"),
    [
        (mount_lists.parse_kernel, ONE_BY_KERNEL),
        (mount_lists.parse_either, ONE_BY_KERNEL),
        (mount_lists.parse_mount, ONE_BY_MOUNT),
        (mount_lists.parse_either, ONE_BY_MOUNT),
        (mount_lists.parse_findmnt, ONE_BY_FINDMNT),
    ],
)
def test_every_list_with_options_tells_the_same_of_a_mount(parser: Parser, text: str) -> None:
    assert the_one(parser, text) == Mount(
        target="/usr/share/oem",
        options=("ro", "nosuid", "nodev", "noexec", "relatime"),
        fstype="ext4",
        source="/dev/sda8",
        evidence=FileEvidence(path=PATH, line=1, text=text),
    )


def test_df_tells_target_and_source_alone() -> None:
    assert the_one(mount_lists.parse_df, ONE_BY_DF) == Mount(
        target="/usr/share/oem",
        options=(),
        fstype="",
        source="/dev/sda8",
        options_known=False,
        evidence=FileEvidence(path=PATH, line=1, text=ONE_BY_DF),
    )


@pytest.mark.parametrize(
    ("text", "source", "target", "options"),
    [
        pytest.param(r"/dev/sdb /mnt/my\040disk ext4 rw 0 0", "/dev/sdb", "/mnt/my disk", "rw", id="escaped target"),
        pytest.param(r"//srv/a\040b /mnt/s cifs rw 0 0", "//srv/a b", "/mnt/s", "rw", id="escaped source"),
        pytest.param(r"/dev/sdb /mnt/a\134b ext4 rw 0 0", "/dev/sdb", "/mnt/a\\b", "rw", id="backslash"),
        pytest.param(" /run/empty tmpfs rw 0 0", "", "/run/empty", "rw", id="empty source"),
        pytest.param("none /x tmpfs rw 0 0", "none", "/x", "rw", id="source none"),
        pytest.param("/dev/sda1\t/var\text4\trw,noexec\t0 0", "/dev/sda1", "/var", "rw,noexec", id="tabs"),
        pytest.param("/dev/sda1   /var   ext4   rw   0   0", "/dev/sda1", "/var", "rw", id="columns"),
        pytest.param("x /y fuse rw,subtype=a b 0 0", "x", "/y", "rw,subtype=a b", id="bare space in options"),
        pytest.param("/dev/sda1 /var ext4 rw 0 0\r", "/dev/sda1", "/var", "rw", id="carriage return"),
    ],
)
def test_the_kernels_list_is_read_with_its_escapes(text: str, source: str, target: str, options: str) -> None:
    mount = the_one(mount_lists.parse_kernel, text)
    assert (mount.source, mount.target, ",".join(mount.options)) == (source, target, options)


@pytest.mark.parametrize(
    ("text", "source", "target", "fstype"),
    [
        pytest.param("/dev/sda1 on / type ext4 (rw) [cloud root]", "/dev/sda1", "/", "ext4", id="label"),
        pytest.param("/dev/sda1 on / type ext4 (rw) [a] (b) [c]", "/dev/sda1", "/", "ext4", id="odd label"),
        pytest.param("/dev/sdb on /mnt/a on b type ext4 (rw)", "/dev/sdb", "/mnt/a on b", "ext4", id="on in target"),
        pytest.param("/dev/sdb on /a on /b type ext4 (rw)", "/dev/sdb", "/a on /b", "ext4", id="on / in target"),
        pytest.param("/dev/sdb on /a type b type ext4 (rw)", "/dev/sdb", "/a type b", "ext4", id="type in target"),
        pytest.param("x on /a type b (rw) type ext4 (rw)", "x", "/a type b (rw)", "ext4", id="options in target"),
        pytest.param("//srv/x on y on /s type cifs (rw)", "//srv/x on y", "/s", "cifs", id="on in source"),
        pytest.param("//srv/x type y on /s type cifs (rw)", "//srv/x type y", "/s", "cifs", id="type in source"),
        pytest.param(" on /s type tmpfs (rw)", "", "/s", "tmpfs", id="empty source"),
        pytest.param("b on /g type fuse.gcsfuse (ro,user_id=0)", "b", "/g", "fuse.gcsfuse", id="type with a dot"),
    ],
)
def test_a_line_of_mount_is_cut_at_its_first_on_and_last_type(text: str, source: str, target: str, fstype: str) -> None:
    mount = the_one(mount_lists.parse_mount, text)
    assert (mount.source, mount.target, mount.fstype) == (source, target, fstype)
    assert mount.options[0] in {"rw", "ro"}


def test_an_overlay_keeps_its_layers_and_its_backing() -> None:
    text = "overlayfs on /etc type overlay (rw,relatime,lowerdir=/etc,upperdir=/tmp/etc_overlay/etc,workdir=/w)"
    mount = the_one(mount_lists.parse_mount, text)
    assert mount.layer("upperdir") == "/tmp/etc_overlay/etc"
    assert mount.backing is Backing.MEMORY
    assert mount.writable


UTF8_TREE = """\
TARGET                 SOURCE                   FSTYPE  OPTIONS
/                      /dev/dm-0                ext2    ro,relatime
├─/proc                proc                     proc    rw,nosuid,nodev,noexec,relatime
├─/run                 tmpfs                    tmpfs   rw,nosuid,nodev
│ └─/run/my disk       /dev/sdb                 ext4    rw,relatime
├─/run/nameless                                 tmpfs   rw
├─/mnt/share           //srv/a share            cifs    rw,relatime
└─/var                 /dev/sda1[/var]          ext4    rw,nosuid,nodev,noexec,relatime,commit=30
  └─/var/lib/my docker /dev/sda1[/var/my docker] ext4   rw,nosuid,nodev,relatime,commit=30"""


def drawn_in_ascii(text: str) -> str:
    return text.replace("├─", "|-").replace("└─", "`-").replace("│", "|")


@pytest.mark.parametrize("text", [UTF8_TREE, drawn_in_ascii(UTF8_TREE)], ids=["utf-8", "ascii"])
def test_a_tree_of_findmnt_is_read_by_its_columns(text: str) -> None:
    found = mount_lists.parse_findmnt(lines(text), PATH)
    assert [(mount.target, mount.source, mount.root, mount.fstype) for mount in found.mounts] == [
        ("/", "/dev/dm-0", "", "ext2"),
        ("/proc", "proc", "", "proc"),
        ("/run", "tmpfs", "", "tmpfs"),
        ("/run/my disk", "/dev/sdb", "", "ext4"),
        ("/run/nameless", "", "", "tmpfs"),
        ("/mnt/share", "//srv/a share", "", "cifs"),
        ("/var", "/dev/sda1", "/var", "ext4"),
        ("/var/lib/my docker", "/dev/sda1", "/var/my docker", "ext4"),
    ]
    assert found.complete
    assert all(mount.options_known for mount in found.mounts)
    assert [mount.evidence.line for mount in found.mounts] == list(range(2, 10))


@pytest.mark.parametrize(
    ("text", "target", "source", "root"),
    [
        ("/lh /dev/sda1[/var/lib/lh] ext4   rw,relatime", "/lh", "/dev/sda1", "/var/lib/lh"),
        ("│ ├─/lh /dev/sda1[/a] ext4 rw", "/lh", "/dev/sda1", "/a"),
        ("/my disk /dev/sdb ext4 rw", "/my disk", "/dev/sdb", ""),
        ("/my disk /dev/sdb[/x y] ext4 rw", "/my disk", "/dev/sdb", "/x y"),
        ("/share    //srv/a share  cifs  rw", "/share", "//srv/a share", ""),
        ("/x rw,a tmpfs tmpfs rw", "/x rw,a", "tmpfs", ""),
        ("/ns nsfs[net:[4026532179]] nsfs rw", "/ns", "nsfs", "net:[4026532179]"),
        ("/n [fd00::1]:/export nfs4 rw,vers=4.2", "/n", "[fd00::1]:/export", ""),
        ("/n [fd00::1]:/export[/sub] nfs4 rw,vers=4.2", "/n", "[fd00::1]:/export", "/sub"),
        ("/nameless tmpfs rw", "/nameless", "", ""),
    ],
)
def test_a_line_of_findmnt_without_a_header_is_read_from_its_end(
    text: str, target: str, source: str, root: str
) -> None:
    mount = the_one(mount_lists.parse_findmnt, text)
    assert (mount.target, mount.source, mount.root) == (target, source, root)


def test_a_squeezed_header_cuts_no_line() -> None:
    text = "TARGET SOURCE FSTYPE OPTIONS\n/ overlay overlay rw,relatime,lowerdir=/a:\n├─/proc proc proc rw,nosuid"
    assert targets(mount_lists.parse_findmnt, text) == ["/", "/proc"]


@pytest.mark.parametrize(
    ("options", "known"),
    [
        ("rw", True),
        ("rw,nosuid,nodev", True),
        ("rw,nosuid,nodev,noexec,rela", True),
        ("rw,relatime,lowerdir=/a/b:", True),
        ("rw,relatime,", True),
        ("rw,nosuid,nod", False),
        ("rw,no", False),
        ("rw,nosuid,", False),
        ("rw,", False),
    ],
)
def test_options_that_are_cut_among_the_flags_are_not_known(options: str, *, known: bool) -> None:
    assert the_one(mount_lists.parse_findmnt, f"/x /dev/sdb ext4 {options}").options_known is known


def test_a_line_of_findmnt_may_have_lost_its_options() -> None:
    mount = the_one(mount_lists.parse_findmnt, "TARGET SOURCE FSTYPE OPTIONS\n/var /dev/sda1[/var] ext4")
    assert (mount.target, mount.source, mount.root, mount.fstype) == ("/var", "/dev/sda1", "/var", "ext4")
    assert not mount.options_known


def test_a_shells_complaint_is_no_mount() -> None:
    with pytest.raises(ParseError, match="findmnt"):
        mount_lists.parse_findmnt(lines("/usr/bin/findmnt: command not found"), PATH)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "Filesystem     1K-blocks    Used Available Use% Mounted on\n"
            "sysfs                  0       0         0    - /sys\n"
            "tracefs                -       -         -    - /sys/kernel/tracing\n"
            "-                      -       -         -    - /hidden\n"
            "/dev/vda1       40470732 3590360  36863988   9% /",
            [
                ("sysfs", "", "/sys"),
                ("tracefs", "", "/sys/kernel/tracing"),
                ("-", "", "/hidden"),
                ("/dev/vda1", "", "/"),
            ],
            id="df -al",
        ),
        pytest.param(
            "Filesystem       Size  Used Avail Use% Mounted on\n"
            "/dev/sda9        6,0G   60M  5.6G   2% /mnt/my disk\n"
            "//srv/my share   985M  854M  -80M  92% /usr",
            [("/dev/sda9", "", "/mnt/my disk"), ("//srv/my share", "", "/usr")],
            id="df -h",
        ),
        pytest.param(
            "Filesystem      Type      Size  Used Avail Use% Mounted on\n"
            "/dev/root       ext2      1.2G  465M  757M  39% /\n"
            "//srv/my share  cifs      1.2G  465M  757M  39% /s",
            [("/dev/root", "ext2", "/"), ("//srv/my share", "cifs", "/s")],
            id="df -T",
        ),
        pytest.param(
            "/dev/root       ext2      1.2G  465M  757M  39% /\ntmpfs tmpfs 1M 0 1M 0% /tmp",
            [("/dev/root", "ext2", "/"), ("tmpfs", "tmpfs", "/tmp")],
            id="df -T without its header",
        ),
        pytest.param(
            "/dev/root 1.2G  465M  757M  39% /\n//srv/my share 1M 0 1M 0% /s",
            [("/dev/root", "", "/"), ("//srv/my share", "", "/s")],
            id="df without its header",
        ),
        pytest.param(
            "Filesystem           1K-blocks      Used Available Use% Mounted on\n"
            "/dev/mapper/VolGroup-lv_root\n"
            "                      51475068   8675544  40178084  18% /\n"
            "tmpfs                   961076         0    961076   0% /dev/shm",
            [("/dev/mapper/VolGroup-lv_root", "", "/"), ("tmpfs", "", "/dev/shm")],
            id="broken after a long source",
        ),
        pytest.param(
            "Filesystem    Type   1K-blocks      Used Available Use% Mounted on\n"
            "/dev/mapper/VolGroup-lv_root\n"
            "              ext4    51475068   8675544  40178084  18% /",
            [("/dev/mapper/VolGroup-lv_root", "ext4", "/")],
            id="broken, with its type",
        ),
    ],
)
def test_df_is_read_in_each_of_its_forms(text: str, expected: list[tuple[str, str, str]]) -> None:
    found = mount_lists.parse_df(lines(text), PATH)
    assert [(mount.source, mount.fstype, mount.target) for mount in found.mounts] == expected
    assert not any(mount.options_known for mount in found.mounts)


def test_a_row_of_df_without_a_source_takes_no_header_for_it() -> None:
    text = "Filesystem 1K-blocks Used Available Use% Mounted on\n      1 1 1 1% /x\n/dev/sda1 1 1 1 1% /"
    assert targets(mount_lists.parse_df, text) == ["/"]


def test_a_list_with_a_root_and_a_procfs_is_complete_but_never_that_of_df() -> None:
    kernel = "/dev/dm-0 / ext2 ro 0 0\nproc /proc proc rw 0 0"
    assert mount_lists.parse_kernel(lines(kernel), PATH).complete
    assert not mount_lists.parse_kernel(lines(kernel.split("\n", maxsplit=1)[0]), PATH).complete
    assert not mount_lists.parse_df(lines("/dev/dm-0 1 1 1 1% /\nproc 0 0 0 - /proc"), PATH).complete


@pytest.mark.parametrize(
    ("parser", "text"),
    [
        (mount_lists.parse_kernel, "/dev/dm-0 / ext2 ro 0 0\nproc /proc proc rw 0 0"),
        (mount_lists.parse_mount, "/dev/dm-0 on / type ext2 (ro)\nproc on /proc type proc (rw)"),
        (mount_lists.parse_either, "/dev/dm-0 on / type ext2 (ro)\nproc on /proc type proc (rw)"),
        (mount_lists.parse_findmnt, "TARGET SOURCE FSTYPE OPTIONS\n/ /dev/dm-0 ext2 ro\n/proc proc proc rw"),
    ],
)
def test_a_list_with_a_line_that_could_not_be_read_is_not_complete(parser: Parser, text: str) -> None:
    assert parser(lines(f"\n# by hand\n{text}\n\n"), PATH).complete
    for garbled in ("/dev/sda1 /va", "/var /dev/sda1[/v", "$ mount"):
        assert not parser(lines(f"{text}\n{garbled}"), PATH).complete


@pytest.mark.parametrize(
    ("parser", "one"),
    [
        (mount_lists.parse_kernel, ONE_BY_KERNEL),
        (mount_lists.parse_mount, ONE_BY_MOUNT),
        (mount_lists.parse_either, ONE_BY_MOUNT),
        (mount_lists.parse_findmnt, ONE_BY_FINDMNT),
        (mount_lists.parse_df, ONE_BY_DF),
    ],
)
def test_lines_that_are_no_mount_are_skipped_when_one_is(parser: Parser, one: str) -> None:
    text = f"# by hand\nwarning: a mount went away\n\n{one}\nnone swap swap sw 0 0\n/x type y (rw)\nx on y type z (rw)"
    mount = the_one(parser, text)
    assert (mount.target, mount.evidence.line) == ("/usr/share/oem", 4)


@pytest.mark.parametrize("parser", PARSERS)
@pytest.mark.parametrize("text", ["", "\n\n", "no such command", "# /dev/sda1 /x ext4 rw 0 0"])
def test_a_text_without_a_mount_is_refused(parser: Parser, text: str) -> None:
    with pytest.raises(ParseError, match=r"/a/list: found .* wanted a line "):
        parser(lines(text), PATH)


LISTS = {
    "/proc/1/mounts": "/dev/sda1 /0 ext4 rw 0 0\n",
    "/proc/mounts": "/dev/sda1 on /1 type ext4 (rw)\n",
    "/sos_commands/filesys/mount_-l": "/dev/sda1 on /2 type ext4 (rw) [STATE]\n",
    "/sos_commands/filesys/mount": "/dev/sda1 on /3 type ext4 (rw)\n",
    "/sos_commands/filesys/findmnt": "/4 /dev/sda1 ext4 rw\n",
    "/sos_commands/filesys/df_-al_-x_autofs": "/dev/sda1 1 1 1 1% /5\n",
    "/sos_commands/filesys/df_-al": "/dev/sda1 1 1 1 1% /6\n",
    "/sos_commands/filesys/df": "/dev/sda1 1 1 1 1% /7\n",
}


@pytest.mark.parametrize("code", [Code.NOT_CAPTURED, Code.ABSENT])
@pytest.mark.parametrize("lost", range(len(LISTS)))
def test_the_first_list_that_is_there_is_taken(lost: int, code: Code) -> None:
    kept = dict(list(LISTS.items())[lost:])
    found = mount_lists.collect(host(kept, code))
    assert [mount.target for mount in found.mounts] == [f"/{lost}"]
    assert found.path == next(iter(kept))


def test_without_any_list_the_first_ones_error_stands() -> None:
    with pytest.raises(ReadError) as caught:
        mount_lists.collect(host({}))
    assert caught.value.path == "/proc/1/mounts"
    assert caught.value.reason.code is Code.NOT_CAPTURED


def test_a_list_that_may_not_be_read_is_not_passed_over() -> None:
    with pytest.raises(ReadError) as caught:
        mount_lists.collect(host({"/proc/mounts": LISTS["/proc/mounts"]}, Code.NOT_PERMITTED))
    assert caught.value.reason.code is Code.NOT_PERMITTED


WORDS = st.sampled_from([
    "/", "/x", "/dev/sda1[/var]", "on", "on /x", "type", "type ext4 (rw)", "(rw,", ")", "[l]", "rw", "rw,no", "ext4",
    "0", "1", "1%", "-", "TARGET", "SOURCE  ", "FSTYPE", "OPTIONS", "Filesystem ", "Type", "├─", "|-", "`-", "\\040",
    " ", "  ", "\t", "\n", "#",
])  # fmt: skip
TEXTS = st.one_of(
    st.text(), st.lists(st.one_of(WORDS, st.text(max_size=3))).map(" ".join), st.lists(WORDS).map("".join)
)


@pytest.mark.parametrize("parser", PARSERS)
@given(text=TEXTS)
def test_whatever_the_text_there_are_mounts_or_a_parse_error(parser: Parser, text: str) -> None:
    try:
        found = parser(lines(text), PATH)
    except ParseError:
        return
    assert found.mounts
    assert all(mount.target.startswith("/") for mount in found.mounts)


NAMES = st.text(
    st.characters(codec="ascii", exclude_characters="\n\0\r\x0b\x0c\x1c\x1d\x1e\x1f"), min_size=1, max_size=9
)


@given(source=NAMES, target=NAMES)
def test_what_the_kernel_escapes_comes_back_as_it_was(source: str, target: str) -> None:
    def escaped(text: str) -> str:
        return "".join(f"\\{ord(char):03o}" if char in " \t\\#" else char for char in text)

    mount = the_one(mount_lists.parse_kernel, f"{escaped(source)} /{escaped(target)} ext4 rw 0 0")
    assert (mount.source, mount.target) == (source, "/" + target)
