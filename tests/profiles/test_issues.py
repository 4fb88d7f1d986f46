"""The records of known issues: whole, with names for ever, and a mistake named with its place."""

from typing import Final

import pytest

from nodediag.errors import ProfileError
from nodediag.host import package
from nodediag.profiles import issues
from nodediag.profiles.issue import Issue
from nodediag.profiles.load import Catalogue, builtin
from nodediag.signatures.load import merge

HEAD: Final = (
    'date = "2026-01-01"\n[[issue]]\nid = "issue.mine"\ntitle = "t"\nseverity = "info"\neffect = "e"\n'
    'workaround = "w"\nsource = "s"\n'
)
COS: Final = 'image_types = ["cos"]\n'
BUILTIN: Final = issues.merge(issues.builtin())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (HEAD.replace("issue.mine", "mine") + COS, "mine: wanted an id such as issue."),
        (HEAD + "image_types = []\n", "issue.mine.image_types: found none"),
        (HEAD + 'image_types = ["cosy"]\n', "issue[0].image_types[0]"),
        (HEAD + COS + "colour = 1\n", "colour"),
        (HEAD + COS + 'gke = [{ since = "soon" }]\n', "issue.mine.gke[0].since: found 'soon', wanted numbers"),
        (HEAD + COS + 'kernel = [{ before = "5.x" }]\n', "issue.mine.kernel[0].before: found '5.x'"),
        (HEAD + COS + "gke = [{}]\n", "issue.mine.gke[0]: found no key, wanted since or before"),
        (HEAD + COS + 'shows = { noexec = "var" }\n', "issue.mine.shows.noexec: wanted an absolute path"),
        (HEAD + COS + HEAD.partition("\n")[2] + COS, "issue.mine: this id stands twice"),
        (HEAD.partition("\n")[2] + COS, "date"),
        ("[[issue]\n", "not TOML"),
    ],
)
def test_a_mistake_is_named_with_file_record_and_key(text: str, words: str) -> None:
    with pytest.raises(ProfileError) as caught:
        issues.merge({"mine.toml": text})
    assert str(caught.value).startswith("mine.toml")
    assert words in str(caught.value)


def test_a_later_record_takes_the_place_of_an_earlier_one_of_its_id() -> None:
    (merged,) = issues.merge({"a.toml": HEAD + COS, "b.toml": HEAD.replace('"t"', '"newer"') + COS})
    assert merged.title == "newer"


@pytest.mark.parametrize("issue", BUILTIN, ids=lambda issue: issue.id)
def test_every_record_says_what_it_does_and_what_helps(issue: Issue) -> None:
    assert all((issue.title, issue.effect, issue.workaround, issue.source))
    assert not issue.title.endswith(".")


def test_signatures_that_issues_ask_for_exist() -> None:
    known = {one.id for one in merge(package.texts("signatures/data"))}
    assert {issue.shows.signature for issue in BUILTIN} - {""} <= known


def test_ids_that_were_published_stay() -> None:
    assert {issue.id for issue in BUILTIN} >= {
        "issue.accelerator-termination-taint", "issue.cgroup-v1-ends", "issue.containerd-volumes-noexec",
        "issue.cos-docker-clusterip-reset", "issue.docker-images-end", "issue.intranode-visibility-dns",
        "issue.windows-sac-ended",
    }  # fmt: skip


def test_every_profile_carries_them_and_the_digest_covers_them() -> None:
    with_issues, without = Catalogue(builtin(), issues=issues.builtin()), Catalogue(builtin())
    assert with_issues.get("linux").issues == BUILTIN
    assert with_issues.digest != without.digest


def test_data_has_the_date_of_its_newest_file() -> None:
    signatures = {"a": 'date = "2025-01-01"\n', "b": 'date = "2026-02-03"\n', "c": "[[signature]]\n"}
    dates = Catalogue(builtin(), signatures, {"mine.toml": HEAD + COS}).dates
    assert dates["signatures"] == "2026-02-03"
    assert dates["issues"] == "2026-01-01"
    assert Catalogue(builtin(), {"c": 'date = "2026-13-99"\n'}).dates.keys() == {"profiles"}
