"""Profiles: each mistake is named with its file, key, found and wanted; the built-in ones are whole."""

import re
from typing import Final

import msgspec
import pytest

from nodediag.checks import CHECKS
from nodediag.errors import ProfileError
from nodediag.images.choose import choose
from nodediag.model.image import Answer, Contradiction, Image, ImageType, OsFamily
from nodediag.model.outcome import Severity
from nodediag.profiles.load import BASE, Catalogue, builtin, parse
from nodediag.profiles.profile import PathRule, Persistence, Profile, UnitRule

HEAD: Final = 'version = "1"\ndate = "2026-01-01"\ndocument = "none"\nsource = "a test"\n'
RULE: Final = 'why = "w"\nsource = "s"\n'


def file(name: str, extends: str = BASE, rest: str = "") -> str:
    return f'name = "{name}"\nextends = "{extends}"\n{HEAD}{rest}'


def catalogue(**texts: str) -> Catalogue:
    made = Catalogue(builtin())
    for name, text in texts.items():
        made.add(f"{name}.toml", text)
    return made


@pytest.mark.parametrize("texts", [builtin(), {"late.toml": file("late", rest='[match]\ngke = "yes"\n')}])
@pytest.mark.parametrize("order", ["as it is", "tables of paths first"])
def test_what_a_profile_fits_is_told_without_the_rest_of_it(texts: dict[str, str], order: str) -> None:
    """However a file is ordered: what stands above its tables is enough, or all of it is read."""
    if order != "as it is":
        texts = {name: moved(text) for name, text in texts.items()}
    fits = {
        made.name: made.match for text in texts.values() if (made := parse("x.toml", text)).match is not msgspec.UNSET
    }
    assert dict(Catalogue(texts).matches()) == fits
    assert fits


def moved(text: str) -> str:
    """Put the table of what it fits at a file's end."""
    found = re.search(r"^\[match\]\n(?:\w.*\n)+", text, re.MULTILINE)
    return text if found is None else text.replace(found[0], "") + "\n" + found[0]


@pytest.mark.parametrize(
    ("rest", "words"),
    [
        ("colour = 1\n", "mine.toml: (top): found the unknown key `colour`, wanted one of name, version"),
        (f'[paths."/a"]\nwritable = "yes"\n{RULE}', "mine.toml: paths.\"/a\".writable: found 'yes', wanted `bool`"),
        (f'[paths."/a"]\n{RULE}[paths."/b"]\nwhy = "w"\n', 'mine.toml: paths."/b": found no key `source`'),
        (f'[paths."/a"]\nexec = true\n{RULE}', 'paths."/a": found the unknown key `exec`, wanted one of writable'),
        (f'[paths."/a"]\npersistence = "always"\n{RULE}', "found 'always', wanted one of stateful, stateless"),
        (f'[paths."a"]\n{RULE}', 'paths."a": wanted an absolute path'),
        (f'[paths."/a/"]\n{RULE}', 'paths."/a/": wanted an absolute path without a slash at its end'),
        ('without = ["var"]\n', 'paths."var": wanted an absolute path'),
        ('[match]\nimage_type = "cosy"\n', "match.image_type: found 'cosy', wanted one of cos_containerd, cos,"),
        ('[match]\nos = "cos"\n', "match: found the unknown key `os`, wanted one of image_type, os_family, os_id, gke"),
        (
            '[severity]\n"mounts.writable" = "bad"\n',
            "severity.\"mounts.writable\": found 'bad', wanted one of critical",
        ),
        (f'[[cgroup]]\nversion = "2"\n{RULE}', "cgroup[0].version: found '2', wanted `int`"),
        (f'[units."kubelet.service"]\nenabled = 1\n{RULE}', 'units."kubelet.service".enabled: found 1, wanted `bool`'),
        (f'[units."a.service"]\n{RULE}[units."b.timer"]\nwhy = "w"\n', 'units."b.timer": found no key `source`'),
        (f"[units.kubelet]\n{RULE}", 'units."kubelet": wanted a unit\'s whole name, such as `kubelet.service`'),
        (f'[units."/x.service"]\n{RULE}', 'units."/x.service": wanted a unit\'s whole name'),
        (f"[[failed_units]]\nnames = [1]\n{RULE}", "failed_units[0].names[0]: found 1, wanted `str`"),
        (f"[flapping]\nrestarts = 5\n{RULE}", "flapping: found no key `within_minutes`"),
        (f"[startup]\nboot = 5\n{RULE}", "startup: found the unknown key `boot`, wanted one of boot_minutes"),
        (f'[journald]\npersistent = "yes"\nover_percent = 1\n{RULE}', "journald.persistent: found 'yes', wanted"),
        ("essential = [1]\n", "essential[0]: found 1, wanted `str`"),
        (f"[[expected_mounts]]\npaths = [true]\n{RULE}", "expected_mounts[0].paths[0]: found True, wanted `str`"),
        ("essential = 1\nessential = 2\n", "not TOML"),
        ("essential = " + "[" * 100_000, "not TOML"),
    ],
)
def test_a_mistake_is_named_with_file_key_found_and_wanted(rest: str, words: str) -> None:
    with pytest.raises(ProfileError) as caught:
        parse("mine.toml", file("mine", rest=rest))
    assert words in str(caught.value)
    assert str(caught.value).startswith("mine.toml")


def test_a_profile_without_a_name_is_refused() -> None:
    with pytest.raises(ProfileError) as caught:
        parse("mine.toml", file(""))
    assert str(caught.value) == "mine.toml: name: found '', wanted a name"


def test_a_cgroup_rule_of_ones_own_comes_before_those_it_extends() -> None:
    mine = f'[[cgroup]]\nversion = 1\nsince = "101"\n{RULE}'
    rules = catalogue(mine=file("mine", "bare_cos", mine)).get("mine").cgroup
    assert [(rule.version, rule.since) for rule in rules] == [(1, "101"), (1, ""), (2, "101")]


def test_of_several_mistakes_one_is_named_rightly() -> None:
    rest = f'[paths."/a"]\n{RULE}[paths."/b"]\nwritable = 1\n{RULE}[kubelet]\nalways = 1\n{RULE}'
    with pytest.raises(ProfileError) as caught:
        parse("mine.toml", file("mine", rest=rest))
    assert str(caught.value) in {
        'mine.toml: paths."/b".writable: found 1, wanted `bool`',
        "mine.toml: kubelet.always: found 1, wanted `bool`",
    }


def test_a_value_of_any_length_makes_a_short_message() -> None:
    with pytest.raises(ProfileError) as caught:
        parse("mine.toml", file("mine", rest=f"essential = ['a', [{'1,' * 5000}]]\n"))
    assert len(str(caught.value)) < 200


def test_a_profile_of_another_name_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(ProfileError, match=r"there is no profile 'nosuch'; there are bare_cos, cos,"):
        catalogue().get("nosuch")


def test_an_unknown_parent_is_named_with_the_file_that_asks() -> None:
    with pytest.raises(ProfileError, match=r"mine\.toml: extends: there is no profile 'nosuch'"):
        catalogue(mine=file("mine", "nosuch")).get("mine")


@pytest.mark.parametrize(("one", "other"), [("one", "one"), ("one", "other")])
def test_a_loop_is_refused(one: str, other: str) -> None:
    texts = {"one": file("one", other), "other": file("other", one)}
    with pytest.raises(ProfileError, match=r"extends: 'on?\w+' extends itself"):
        catalogue(**texts).get("one")


def test_a_chain_that_is_too_long_is_refused() -> None:
    texts = {f"p{n}": file(f"p{n}", f"p{n + 1}") for n in range(12)}
    with pytest.raises(ProfileError, match="too long"):
        catalogue(**texts).get("p0")


def test_a_chain_that_does_not_end_at_the_base_is_refused() -> None:
    with pytest.raises(ProfileError, match=r"mine\.toml: extends: the chain ends at 'mine', wanted 'linux'"):
        catalogue(mine=file("mine", "")).get("mine")


def test_two_profiles_that_fit_equally_well_are_a_mistake() -> None:
    twins = {name: file(name, "bare_cos", '[match]\nos_family = "cos"\ngke = "yes"\n') for name in ("a", "b")}
    node = Image(os_family=OsFamily.COS, gke=Answer.YES)
    with pytest.raises(ProfileError, match="a and b and gke_cos fit this node equally well"):
        choose(node, catalogue(**twins))


@pytest.mark.parametrize(
    ("image", "name", "fits"),
    [
        (Image(os_family=OsFamily.COS, gke=Answer.YES, image_type=ImageType.COS), "cos", True),
        (Image(os_family=OsFamily.COS, gke=Answer.YES, image_type=ImageType.COS_CONTAINERD), "cos_containerd", True),
        (Image(os_family=OsFamily.COS, gke=Answer.YES), "gke_cos", True),
        (Image(os_family=OsFamily.COS), "bare_cos", True),
        (Image(os_family=OsFamily.COS, gke=Answer.NO, image_type=ImageType.NONE), "bare_cos", True),
        (Image(os_family=OsFamily.UBUNTU, gke=Answer.YES), "gke_ubuntu", True),
        (Image(os_family=OsFamily.UBUNTU, gke=Answer.YES, image_type=ImageType.UBUNTU), "ubuntu", True),
        (Image(os_family=OsFamily.UBUNTU), BASE, False),
        (Image(os_family=OsFamily.OTHER, gke=Answer.NO, image_type=ImageType.NONE), BASE, False),
        (Image(), BASE, False),
    ],
)
def test_the_profile_with_the_most_keys_that_agree_is_taken(image: Image, name: str, fits: bool) -> None:  # noqa: FBT001 - a table
    chosen = choose(image, catalogue())
    assert (chosen.name, chosen.fits) == (name, fits)


def test_evidence_that_contradicts_itself_fits_no_profile() -> None:
    doubt = Contradiction(name="n", says="s", expected="e", evidence=())
    image = Image(os_family=OsFamily.COS, gke=Answer.YES, image_type=ImageType.COS, contradictions=(doubt,))
    assert choose(image, catalogue()).fits is False


def test_a_profile_lies_over_what_it_extends() -> None:
    rest = (
        'essential = ["cgroups.version"]\nwithout = ["/tmp", "/home"]\n[severity]\n"mounts.executable" = "info"\n'
        f'[paths."/var"]\nwritable = true\n{RULE}[[expected_mounts]]\npaths = ["/x"]\n{RULE}'
    )
    under, over = catalogue().get("bare_cos"), catalogue(mine=file("mine", "bare_cos", rest)).get("mine")
    assert set(under.paths) - set(over.paths) == {"/tmp", "/home"}
    assert over.paths["/var"] == PathRule(writable=True, why="w", source="s")
    assert set(over.essential) == {*under.essential, "cgroups.version"}
    assert over.severity == {"mounts.executable": Severity.INFO}
    assert len(over.expected_mounts) == len(under.expected_mounts) + 1
    assert over.root == under.root
    assert over.cgroup == under.cgroup


def test_units_add_up_and_one_can_be_taken_away_or_replaced() -> None:
    rest = (
        f'without = ["kubelet-monitor.service"]\n[units."mine.service"]\n{RULE}[units."kubelet.service"]\n{RULE}'
        f'[[failed_units]]\nnames = ["x*"]\n{RULE}[flapping]\nrestarts = 1\nwithin_minutes = 2\n{RULE}'
    )
    under, over = catalogue().get("cos"), catalogue(mine=file("mine", "cos", rest)).get("mine")
    assert set(over.units) == {*under.units, "mine.service"} - {"kubelet-monitor.service"}
    assert over.units["kubelet.service"] == UnitRule(why="w", source="s")
    assert [rule.names for rule in over.failed_units[len(under.failed_units) :]] == [("x*",)]
    assert over.flapping
    assert over.flapping.within_minutes == 2
    assert (over.startup, over.journald) == (under.startup, under.journald)


def test_every_unit_a_profile_names_says_what_to_do() -> None:
    for profile in catalogue().all():
        for name, rule in profile.units.items():
            assert rule.remedy, f"{profile.name}: {name}"


def test_a_later_text_takes_the_place_of_an_earlier_one_of_its_name() -> None:
    other = catalogue(zzz=file("cos", "gke_cos"))
    assert other.names() == catalogue().names()
    assert other.get("cos").source == "a test"
    assert other.digest != catalogue().digest


def test_digests_change_with_what_is_in_force_and_with_nothing_else() -> None:
    reordered = Catalogue(dict(reversed(builtin().items())))
    assert reordered.digest == catalogue().digest
    assert reordered.get("cos").digest == catalogue().get("cos").digest
    changed = {name: text.replace("noexec,nosuid,nodev", "noexec") for name, text in builtin().items()}
    below = Catalogue(changed)
    assert below.digest != catalogue().digest
    assert below.get("cos").digest != catalogue().get("cos").digest, "what it extends has changed"
    assert below.get("ubuntu").digest == catalogue().get("ubuntu").digest
    added = catalogue()
    before = added.digest
    assert added.add("mine.toml", file("mine")) == "mine"
    assert added.digest != before


BUILTIN: Final = catalogue().all()


@pytest.mark.parametrize("profile", BUILTIN, ids=lambda profile: profile.name)
def test_every_requirement_says_why_whence_and_what_to_do(profile: Profile) -> None:
    rules = {f"paths.{path}": (rule.why, rule.source, rule.remedy) for path, rule in profile.paths.items()}
    rules |= {f"cgroup.{rule.version}": (rule.why, rule.source, rule.remedy) for rule in profile.cgroup}
    if profile.root:
        rules["root"] = (profile.root.why, profile.root.source, profile.root.remedy)
    if profile.kubelet:
        rules["kubelet"] = (profile.kubelet.why, profile.kubelet.source, profile.kubelet.remedy)
    rules |= {f"expected {entry.paths}": (entry.why, entry.source, "-") for entry in profile.expected_mounts}
    rules |= {
        f"spared {key}": (rule.spares_why, rule.source, rule.why)
        for key, rule in profile.thresholds.items()
        if rule.spares
    }
    assert [key for key, words in rules.items() if not all(words)] == []
    assert profile.kubelet, "every profile says whether a kubelet must run"


@pytest.mark.parametrize("profile", BUILTIN, ids=lambda profile: profile.name)
def test_every_path_asks_something_and_names_its_row_of_the_document(profile: Profile) -> None:
    rows = {"D0", "D3", "D4", "D5", "D6", "D7", "D8", "D9"}
    asked = ("writable", "executable", "suid", "devices", "persistence")
    for path, rule in profile.paths.items():
        assert any(getattr(rule, key) is not msgspec.UNSET for key in asked), path
        assert rule.document in {*rows, ""}, path
        assert rule.on == "" or rule.on in profile.paths, path


@pytest.mark.parametrize("profile", BUILTIN, ids=lambda profile: profile.name)
def test_the_checks_a_profile_names_exist(profile: Profile) -> None:
    known = {check.id for check in CHECKS}
    assert {*profile.essential, *profile.severity} <= known
    assert {"image.identified", "kubelet.running", "logs.readable", "runtime.identified"} <= set(profile.essential)


def test_the_layout_of_the_document_is_the_profile_of_cos() -> None:
    """Writable, executable, kept: rows D3 to D9 of the overview page."""
    rows = {
        "/": (False, True, None),
        "/home": (True, False, Persistence.STATEFUL),
        "/var": (True, False, Persistence.STATEFUL),
        "/var/lib/google": (True, True, Persistence.STATEFUL),
        "/var/lib/docker": (True, True, Persistence.STATEFUL),
        "/var/lib/toolbox": (True, True, Persistence.STATEFUL),
        "/var/lib/cloud": (True, True, Persistence.STATELESS),
        "/etc": (True, True, Persistence.STATELESS),
        "/tmp": (True, False, Persistence.STATELESS),
        "/mnt/disks": (True, True, Persistence.STATELESS),
    }
    for name in ("bare_cos", "gke_cos", "cos", "cos_containerd"):
        paths = catalogue().get(name).paths
        found = {path: (paths[path].writable, paths[path].executable, paths[path].persistence or None) for path in rows}
        assert found == rows


def test_where_a_profile_leaves_the_document_it_says_so() -> None:
    paths = catalogue().get("cos_containerd").paths
    assert {path for path, rule in paths.items() if rule.departs} == {
        "/etc", "/var/lib/containerd", "/var/lib/kubelet", "/home/kubernetes/bin", "/mnt/stateful_partition",
        "/usr/share/oem",
    }  # fmt: skip
