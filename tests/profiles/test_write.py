"""A profile as text says what it said; two profiles' differences are told in words."""

from datetime import date
from typing import Final

import msgspec
import pytest
from hypothesis import given, strategies as st

from nodediag.profiles.differences import differences
from nodediag.profiles.load import BASE, Catalogue, builtin, parse
from nodediag.profiles.profile import (
    CgroupRule,
    ExpectedMounts,
    PathRule,
    Persistence,
    Profile,
    ProfileFile,
    WaiverRule,
)
from nodediag.profiles.write import as_toml, whole

CATALOGUE: Final = Catalogue(builtin())
TEXT: Final = st.text(st.characters(codec="utf-8"), max_size=20)
RULES: Final = st.builds(
    PathRule,
    writable=st.sampled_from([True, False, msgspec.UNSET]),
    persistence=st.sampled_from([Persistence.STATEFUL, msgspec.UNSET]),
    optional=st.booleans(),
    why=TEXT.filter(bool),
    source=TEXT.filter(bool),
    remedy=TEXT,
)


def same(one: Profile, other: Profile) -> bool:
    return msgspec.structs.replace(one, digest="") == msgspec.structs.replace(other, digest="")


@pytest.mark.parametrize("name", CATALOGUE.names())
def test_a_profile_that_is_shown_says_all_by_itself(name: str) -> None:
    text = as_toml(whole(CATALOGUE.get(name), CATALOGUE.get(BASE)))
    base = {} if name == BASE else {"linux.toml": builtin()["linux.toml"]}
    again = Catalogue({**base, "shown.toml": text}).get(name)
    assert same(again, CATALOGUE.get(name))


@given(path=TEXT, rule=RULES, words=st.lists(TEXT, min_size=1, max_size=3).map(tuple), version=st.integers(1, 2))
def test_whatever_a_profile_says_is_read_as_it_was_written(
    path: str, rule: PathRule, words: tuple[str, ...], version: int
) -> None:
    written = ProfileFile(
        name="mine", version="1", date="2026-01-01", document="none", source='a "test"\n', extends="linux",
        essential=words, paths={f"/{path.strip('/')}": rule},
        expected_mounts=(ExpectedMounts(paths=words, why="w", source="s"),),
        cgroup=(CgroupRule(version=version, why="w", source="s"),),
        waivers=(WaiverRule(check="mounts.writable", owner="o", reason="r", expires=date(2026, 12, 31)),),
    )  # fmt: skip
    assert parse("mine.toml", as_toml(written)) == written


def test_differences_are_told_in_words() -> None:
    told = differences(CATALOGUE.get("bare_cos"), CATALOGUE.get("cos_containerd"), ("bare_cos", "cos_containerd"))
    assert (
        "/var/lib/containerd: bare_cos asks writable, executable, stateful, only where it is a mount of its own;"
        " cos_containerd asks writable, executable, stateful"
    ) in told
    assert "kubelet always: bare_cos asks false; cos_containerd asks true" in told
    assert "storage iscsi supported: bare_cos asks nothing; cos_containerd asks no" in told
    assert not [line for line in told if "asks ;" in line or line.endswith("asks ")]
    assert "expected_mounts /var/log/pods: bare_cos asks nothing; cos_containerd asks expected" in told


def test_reasons_are_no_differences() -> None:
    one = CATALOGUE.get("cos")
    paths = {path: msgspec.structs.replace(rule, why="another", remedy="another") for path, rule in one.paths.items()}
    assert differences(one, msgspec.structs.replace(one, paths=paths), ("a", "b")) == ()


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"writable": False}, "/var: a asks writable, noexec; b asks read-only, noexec"),
        ({"suid": True}, "/var: a asks writable, noexec; b asks writable, noexec, suid"),
        ({"executable": msgspec.UNSET}, "/var: a asks writable, noexec; b asks writable"),
        ({"on": "/mnt"}, "/var: a asks writable, noexec; b asks writable, noexec, on the file system of /mnt"),
    ],
)
def test_each_aspect_of_a_path_has_its_word(change: dict[str, object], line: str) -> None:
    rule = PathRule(writable=True, executable=False, why="w", source="s")
    linux = CATALOGUE.get("linux")
    pair = [
        msgspec.structs.replace(linux, paths={"/var": one}) for one in (rule, msgspec.structs.replace(rule, **change))
    ]
    assert differences(pair[0], pair[1], ("a", "b")) == (line,)


def test_a_path_that_only_one_names_is_told() -> None:
    linux = CATALOGUE.get("linux")
    without = msgspec.structs.replace(linux, paths={})
    assert "/run: a asks writable, critical where broken; b asks nothing" in differences(linux, without, ("a", "b"))
