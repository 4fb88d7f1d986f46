"""PID 1's mountinfo, and what it means for a path."""

import pytest
from hypothesis import given, settings, strategies as st

from nodediag.errors import ParseError
from nodediag.facts import mounts
from nodediag.facts.mounts import Backing, Mount, Mounts
from nodediag.host.host import Line
from nodediag.model.evidence import FileEvidence

PATH = mounts.PATH

COS = """\
26 1 254:0 / / ro,relatime shared:1 - ext2 /dev/mapper/vroot ro
27 26 8:1 / /mnt/stateful_partition rw,nosuid,nodev,noexec,relatime - ext4 /dev/sda1 rw,commit=30
28 26 8:1 /var /var rw,nosuid,nodev,noexec,relatime shared:3 master:9 - ext4 /dev/sda1 rw,commit=30
29 28 8:1 /var/lib/docker /var/lib/docker rw,nosuid,nodev,relatime shared:4 - ext4 /dev/sda1 rw,commit=30
30 26 0:25 / /etc rw,relatime shared:5 - overlay overlayfs rw,lowerdir=/etc,upperdir=/tmp/etc_overlay/etc,workdir=/w
31 26 0:5 / /proc rw,nosuid,nodev,noexec,relatime shared:6 - proc proc rw
32 26 0:26 / /tmp rw,nosuid,nodev,noexec shared:7 - tmpfs tmpfs rw
33 26 8:8 / /usr/share/oem ro,nosuid,nodev,noexec,relatime - ext4 /dev/sda8 rw"""


def read(text: str) -> Mounts:
    lines = (Line(PATH, number, line) for number, line in enumerate(text.split("\n"), 1))
    return mounts.parse(tuple(lines), PATH)


def the_one(text: str) -> Mount:
    (mount,) = read(text).mounts
    return mount


def made(
    *,
    fstype: str = "ext4",
    source: str = "/dev/sda1",
    options: str = "rw",
    super_options: str = "rw",
    optional: str = "",
) -> Mount:
    return the_one(f"5 1 8:1 / /x {options}{optional and ' ' + optional} - {fstype} {source} {super_options}")


def ids(found: Mounts) -> list[int]:
    return [mount.id for mount in found.visible()]


def at(found: Mounts, path: str) -> int:
    mount = found.at(path)
    return mount.id if mount is not None else 0


def test_every_field_is_read() -> None:
    text = "28 26 8:1 /var /var rw,noexec shared:3 master:9 - ext4 /dev/sda1 rw,commit=30"
    assert the_one(text) == Mount(
        id=28,
        parent=26,
        device="8:1",
        root="/var",
        target="/var",
        options=("rw", "noexec"),
        optional=("shared:3", "master:9"),
        fstype="ext4",
        source="/dev/sda1",
        super_options=("rw", "commit=30"),
        evidence=FileEvidence(path=PATH, line=1, text=text),
    )


@pytest.mark.parametrize(
    ("optional", "propagation"),
    [
        ("", "private"),
        ("shared:1", "shared"),
        ("master:1", "slave"),
        ("shared:1 master:760", "shared+slave"),
        ("master:1 propagate_from:2", "slave"),
        ("unbindable", "unbindable"),
        ("new:1", "private"),
    ],
)
def test_optional_fields_vary_in_number_and_tell_the_propagation(optional: str, propagation: str) -> None:
    mount = made(optional=optional)
    assert (mount.optional, mount.propagation) == (tuple(optional.split()), propagation)


@pytest.mark.parametrize(
    ("text", "target", "source"),
    [
        pytest.param(r"5 1 8:1 / /my\040disk rw - ext4 /dev/sda1 rw", "/my disk", "/dev/sda1", id="space"),
        pytest.param(r"5 1 8:1 / /a\011b\012c\134d rw - ext4 x rw", "/a\tb\nc\\d", "x", id="tab, newline, backslash"),
        pytest.param(r"5 1 8:1 / /a\134040b rw - ext4 x rw", r"/a\040b", "x", id="an escaped escape"),
        pytest.param(r"5 1 8:1 / /a\043b rw - ext4 \043x rw", "/a#b", "#x", id="hash"),
        pytest.param(r"5 1 8:1 / /a\9z\04 rw - ext4 x rw", r"/a\9z\04", "x", id="no escapes"),
        pytest.param(r"5 1 8:1 / /a\xff rw - ext4 x rw", r"/a\xff", "x", id="a byte that is not UTF-8"),
        pytest.param("5 1 0:9 / /run rw - tmpfs  rw", "/run", "", id="empty source"),
        pytest.param("5 1 0:9 / /run rw - tmpfs none rw", "/run", "none", id="no source"),
        pytest.param("5 1 0:9 / /- rw - fuse - rw", "/-", "-", id="dashes"),
        pytest.param("5 1 0:9 / /é rw - tmpfs x rw", "/é", "x", id="UTF-8"),
    ],
)
def test_escapes_and_odd_names_are_read_as_they_are(text: str, target: str, source: str) -> None:
    mount = the_one(text)
    assert (mount.target, mount.source) == (target, source)


def test_spaces_that_old_kernels_left_in_options_stay() -> None:
    assert the_one("5 1 0:9 / /x rw - fuse y rw,subtype=a b").super_options == ("rw", "subtype=a b")


@pytest.mark.parametrize(
    "line",
    [
        "no mountinfo",
        "/dev/sda1 /var ext4 rw 0 0",
        "5 1 8:1 / /x rw ext4 /dev/sda1 rw",
        "5 1 8:1 / /x rw - ext4 /dev/sda1",
        "5 1 8:1 / x rw - ext4 /dev/sda1 rw",
        "5 1 sda1 / /x rw - ext4 /dev/sda1 rw",
        "-5 1 8:1 / /x rw - ext4 /dev/sda1 rw",
        "1_0 1 8:1 / /x rw - ext4 /dev/sda1 rw",
        "\u0663 1 8:1 / /x rw - ext4 /dev/sda1 rw",
        f"{'9' * 5000} 1 8:1 / /x rw - ext4 /dev/sda1 rw",
    ],
)
def test_a_line_that_is_no_mountinfo_is_named_and_refused(line: str) -> None:
    with pytest.raises(ParseError, match=r"mountinfo:2: found .* wanted a line as in proc_pid_mountinfo"):
        read(f"5 1 8:1 / / rw - ext4 /dev/sda1 rw\n{line}")


@pytest.mark.parametrize("text", ["", "\n\n"])
def test_an_empty_table_is_refused(text: str) -> None:
    with pytest.raises(ParseError):
        read(text)


@pytest.mark.parametrize(
    ("mount", "writable"),
    [
        pytest.param(made(), True, id="both writable"),
        pytest.param(made(options="ro"), False, id="a read-only bind of a writable file system"),
        pytest.param(made(super_options="ro"), False, id="a writable bind of a read-only file system"),
        pytest.param(made(super_options="rw,errors=remount-ro"), True, id="ro inside a word"),
        pytest.param(made(super_options="rw,commit=30,emergency_ro"), False, id="ext4 of Linux 6.15 after an error"),
        pytest.param(made(super_options="rw,shutdown"), False, id="ext4 of Linux 6.15 that was shut down"),
        pytest.param(made(fstype="overlay", super_options="rw,lowerdir=/a:/b"), False, id="overlay without upper"),
        pytest.param(made(fstype="overlay", super_options="rw,lowerdir=/a,upperdir=/u"), True, id="overlay"),
        pytest.param(made(fstype="overlay", options="ro", super_options="rw,upperdir=/u"), False, id="ro overlay"),
    ],
)
def test_a_mount_is_writable_only_if_all_of_it_is(mount: Mount, *, writable: bool) -> None:
    assert mount.writable is writable


def test_noexec_nosuid_and_nodev_are_of_the_mount_not_of_the_superblock() -> None:
    strict = made(options="rw,nosuid,nodev,noexec")
    assert [strict.executable, strict.suid, strict.devices] == [False] * 3
    loose = made(super_options="rw,noexec,nosuid,nodev")
    assert [loose.executable, loose.suid, loose.devices] == [True] * 3


@pytest.mark.parametrize(
    ("fstype", "source", "super_options", "backing"),
    [
        ("ext4", "/dev/sda1", "rw", Backing.DISK),
        ("ext2", "/dev/mapper/vroot", "ro", Backing.DISK),
        ("ext4", "/dev/mapper/protected_stateful_partition", "rw", Backing.DISK),
        ("ext2", "/dev/root", "ro", Backing.DISK),
        ("ext4", "/dev/ram0", "rw", Backing.MEMORY),
        ("ext4", "/dev/zram1", "rw", Backing.MEMORY),
        ("tmpfs", "tmpfs", "rw", Backing.MEMORY),
        ("tmpfs", "/dev/sda1", "rw", Backing.MEMORY),
        ("rootfs", "rootfs", "rw", Backing.MEMORY),
        ("proc", "proc", "rw", Backing.KERNEL),
        ("cgroup2", "cgroup2", "rw", Backing.KERNEL),
        ("nfs4", "10.0.0.2:/x", "rw", Backing.NETWORK),
        ("fuse.gcsfuse", "bucket", "rw", Backing.NETWORK),
        ("fuseblk", "/dev/sdb1", "rw", Backing.DISK),
        ("overlay", "overlayfs", "rw,lowerdir=/etc,upperdir=/tmp/etc_overlay/etc,workdir=/w", Backing.MEMORY),
        ("overlay", "overlay", "rw,lowerdir=/a,upperdir=/b,workdir=/w", Backing.UNKNOWN),
        ("zfs", "pool/data", "rw", Backing.UNKNOWN),
    ],
)
def test_the_backing_tells_what_is_gone_at_reboot(
    fstype: str, source: str, super_options: str, backing: Backing
) -> None:
    assert made(fstype=fstype, source=source, super_options=super_options).backing is backing


def test_an_overlay_names_its_layers_and_others_have_none() -> None:
    etc = made(fstype="overlay", super_options="rw,lowerdir=/a:/b,upperdir=/u,workdir=/w")
    assert [etc.layer(name) for name in ("lowerdir", "upperdir", "workdir")] == ["/a:/b", "/u", "/w"]
    assert made().layer("upperdir") == ""


def test_a_table_with_root_and_procfs_is_complete() -> None:
    assert read(COS).complete
    assert not read(COS.replace(" /proc ", " /other ")).complete
    assert not read(COS.replace(" / / ", " / /other ")).complete


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/", "/"),
        ("/var", "/var"),
        ("/var/", "/var"),
        ("//var//lib/./docker/x", "/var/lib/docker"),
        ("/var/lib/dockerx", "/var"),
        ("/variable", "/"),
        ("/nowhere/at/all", "/"),
    ],
)
def test_a_path_lies_on_the_nearest_mount_above_it(path: str, target: str) -> None:
    mount = read(COS).holding(path)
    assert mount is not None
    assert mount.target == target


@pytest.mark.parametrize("path", ["", "var", "./var", "/var/../etc", "..", "~"])
def test_where_a_path_leads_that_is_not_plain_the_table_does_not_say(path: str) -> None:
    assert read(COS).holding(path) is None


def test_nothing_holds_a_path_above_all_mounts_of_a_list() -> None:
    found = read("5 1 8:1 / /var rw - ext4 /dev/sda1 rw")
    assert found.holding("/home") is None
    assert found.at("/") is None


STACKED = {
    "the last of two counts": ("5 1 /tmp\n6 5 /tmp", "/tmp", 6),
    "the last counts without parents that are known": ("5 900 /tmp\n6 900 /tmp", "/tmp", 6),
    "the one mounted on the other counts, though listed first": ("6 5 /tmp\n5 1 /tmp", "/tmp", 6),
    "the top of a pile counts in any order": ("7 6 /tmp\n5 1 /tmp\n6 5 /tmp", "/tmp", 7),
    "ids need not grow": ("351 1 /tmp\n92 351 /tmp", "/tmp", 92),
    "a root mounted on rootfs counts": ("1 1 / rootfs\n9 1 /", "/", 9),
    "and also if rootfs is listed later": ("9 1 /\n1 1 / rootfs", "/", 9),
    "and also without ids": ("0 0 /\n0 0 / rootfs", "/", 0),
}


def table(text: str) -> Mounts:
    """Make a table of lines `ID PARENT TARGET [TYPE]`."""
    rows = [(*line.split(" "), "ext4")[:4] for line in text.split("\n")]
    return read("\n".join(f"{id_} {up} 8:{id_} / {target} rw - {kind} x rw" for id_, up, target, kind in rows))


@pytest.mark.parametrize(("text", "path", "id_"), STACKED.values(), ids=STACKED)
def test_of_mounts_at_one_target(text: str, path: str, id_: int) -> None:
    found = table(text)
    mount = found.at(path)
    assert mount is not None
    assert (mount.id, mount.fstype) == (id_, "ext4")
    assert [seen.id for seen in found.visible() if seen.target == path] == [id_]


def test_a_mount_below_a_later_one_is_hidden() -> None:
    found = table("2 1 /\n3 2 /var\n4 3 /var/lib/docker\n5 2 /var\n6 2 /varnish")
    assert at(found, "/var/lib/docker") == 0
    assert ids(found) == [2, 5, 6]
    held = found.holding("/var/lib/docker/x")
    assert held is not None
    assert held.id == 5


def test_a_mount_below_a_hidden_one_is_hidden_and_one_above_it_is_not() -> None:
    found = table("2 1 /\n3 2 /a/b\n4 3 /a/b/c\n5 2 /a\n6 5 /a/b/c/d")
    assert ids(found) == [2, 5, 6]


def test_a_mount_that_lies_on_a_later_line_is_not_hidden_by_it() -> None:
    found = table("31 26 /proc\n32 28 /var/lib/docker\n26 1 /\n28 26 /var")
    assert ids(found) == [31, 32, 26, 28]


def test_what_is_listed_before_its_root_is_seen_on_machines_that_pivoted() -> None:
    assert ids(table("20 24 /proc\n21 24 /sys\n24 1 /")) == [20, 21, 24]
    assert ids(table("0 0 /proc\n0 0 /sys\n0 0 /")) == [0, 0, 0]


def test_loops_and_doubled_ids_end() -> None:
    assert ids(table("5 6 /a\n6 5 /a/b\n7 7 /c")) == [5, 7]
    assert ids(table("5 5 /a\n5 5 /b\n5 5 /c")) == [5, 5, 5]


def test_the_two_lines_for_tmp_of_real_cos_machines_give_the_one_on_top() -> None:
    text = f"{COS}\n40 32 8:1 /t /tmp rw,noexec - ext4 /dev/sda1 rw\n41 40 0:30 / /tmp rw - tmpfs tmpfs rw"
    mount = read(text).at("/tmp")
    assert mount is not None
    assert (mount.fstype, mount.executable) == ("tmpfs", True)
    kept = read(text).at("/etc")
    assert kept is not None
    assert kept.backing is Backing.MEMORY  # though what its upperdir names is covered now


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("{here} {below} 0:1 / /x rw - tmpfs x rw", id="one pile"),
        pytest.param("{here} {below} 0:1 / /x/{here} rw - tmpfs x rw", id="one chain"),
        pytest.param("{here} {above} 0:1 / /x/{here}/y rw - tmpfs x rw", id="each on the next"),
        pytest.param("{here} 1 0:1 / /var/lib/kubelet/pods/{here}/volumes/v rw shared:1 - tmpfs x rw", id="pods"),
    ],
)
def test_fifty_thousand_mounts_are_read(line: str) -> None:
    text = "\n".join(line.format(here=n, below=n - 1, above=n + 1) for n in range(2, 50_002))
    found = read(text)
    assert len(found.mounts) == 50_000
    assert len(found.visible()) in {1, 50_000}
    assert found.holding("/x/7/y/z") is not None or "/pods/" in line


def escaped(text: str) -> str:
    return "".join(f"\\{ord(char):03o}" if char in " \t\n\\#" else char for char in text)


NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=9)
WORDS = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=6)
MOUNTS = st.builds(
    Mount,
    id=st.integers(0, 2**31 - 1),
    parent=st.integers(0, 2**31 - 1),
    device=st.builds("{}:{}".format, st.integers(0, 4095), st.integers(0, 2**20)),
    root=NAMES.map("/{}".format),
    target=NAMES.map("/{}".format),
    options=st.lists(WORDS, min_size=1, max_size=3).map(tuple),
    optional=st.lists(st.builds("{}:{}".format, WORDS, st.integers(1, 999)), max_size=3).map(tuple),
    fstype=WORDS,
    source=NAMES,
    super_options=st.lists(WORDS, min_size=1, max_size=3).map(tuple),
    options_known=st.just(value=True),
    evidence=st.just(FileEvidence(path=PATH, line=1, text="")),
)


def printed(mount: Mount) -> str:
    optional = "".join(f" {field}" for field in mount.optional)
    return (
        f"{mount.id} {mount.parent} {mount.device} {escaped(mount.root)} {escaped(mount.target)}"
        f" {','.join(mount.options)}{optional} - {mount.fstype} {escaped(mount.source)} {','.join(mount.super_options)}"
    )


@settings(max_examples=100)
@given(mount=MOUNTS)
def test_what_the_kernel_prints_of_a_mount_comes_back_as_it_was(mount: Mount) -> None:
    text = printed(mount)
    again = the_one(text)
    assert printed(again) == text
    assert (again.target, again.source, again.root) == (mount.target, mount.source, mount.root)
    assert (again.options, again.optional, again.super_options) == (mount.options, mount.optional, mount.super_options)


@settings(max_examples=100)
@given(
    rows=st.lists(
        st.tuples(st.integers(0, 6), st.integers(0, 6), st.sampled_from(["/", "/a", "/a/b", "/a/b/c", "/d", "/a/bb"])),
        min_size=1,
        max_size=8,
    )
)
def test_in_any_table_each_target_is_seen_once_and_found_again(rows: list[tuple[int, int, str]]) -> None:
    found = table("\n".join(f"{id_} {up} {target}" for id_, up, target in rows))
    seen = found.visible()
    assert len({mount.target for mount in seen}) == len(seen) > 0
    for mount in seen:
        assert found.at(mount.target) is mount
        assert found.holding(mount.target + "/x") is mount or mount.target == "/"
