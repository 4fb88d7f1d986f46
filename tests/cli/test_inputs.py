"""Files that tell of a node beside itself: from the command line to the report, and through a recording."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import msgspec
import pytest

from nodediag.checks import CHECKS
from nodediag.facts.fact import Fact, Known, Unknown
from nodediag.facts.node_name import VARIABLE, NodeName
from nodediag.facts.snapshot import Facts
from nodediag.model.evidence import Evidence, InputEvidence
from nodediag.model.outcome import CheckResult, Outcome, Verdict
from nodediag.model.reason import Code, Reason
from nodediag.model.report import Origin, Report

NODEDIAG: Final = (sys.executable, "-I", "-m", "nodediag")
NODES: Final = Path(__file__).parent.parent / "nodes"
BUILD: Final = "cos-121-18867-199-28"
VERSION: Final = "1.34.0-gke.1662000"
OBJECT: Final = {
    "kind": "Node",
    "metadata": {"name": "node-a", "creationTimestamp": "2025-09-01T00:00:00Z"},
    "status": {
        "conditions": [{"type": "Ready", "status": "True"}],
        "nodeInfo": {
            "osImage": "Container-Optimized OS from Google",
            "operatingSystem": "linux",
            "kernelVersion": "6.6.97+",
            "kubeletVersion": f"v{VERSION}",
            "containerRuntimeVersion": "containerd://2.0.6",
        },
    },
}
NODE: Final = "gke-gke-test-default-pool-e5de334e-i8hi"  # of the saved one
SECRET: Final = "c2VjcmV0LWtleS1vZi10aGUta3ViZWxldA"


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*NODEDIAG, *arguments], cwd=folder, capture_output=True, text=True, check=False)


def report(folder: Path, *arguments: str, status: int) -> Report[Facts]:
    done = run(folder, "report", "--format", "json", *arguments)
    assert (done.returncode, done.stderr) == (status, "")
    return msgspec.json.decode(done.stdout, type=Report[Facts])


def named(folder: Path, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, VARIABLE: name}
    command = [*NODEDIAG, "report", "--no-logs", "--format", "json", "--fail-on", "never", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=environment)


def name_of(folder: Path, name: str, *arguments: str) -> tuple[str, Fact[NodeName], Evidence | None]:
    done = named(folder, name, *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    found = msgspec.json.decode(done.stdout, type=Report[Facts])
    says = found.node.evidence.get("name", ())
    return found.node.name, found.facts.node_name, says[0].evidence if says else None


def test_a_pod_knows_its_node_by_the_name_that_kubernetes_tells_it_and_its_recording_too(tmp_path: Path) -> None:
    evidence = InputEvidence(option=VARIABLE, path="", text="gke-a")
    told = ("gke-a", Known(NodeName(name="gke-a", evidence=evidence)), evidence)
    assert name_of(tmp_path, "gke-a", "--record", "kept") == told
    assert name_of(tmp_path, "another", "--root", "kept") == told
    assert name_of(tmp_path, "")[1] == Unknown(
        Reason(
            code=Code.NOT_ASKED, needs=VARIABLE,
            detail=f"the name that Kubernetes has for the node was not given ({VARIABLE})",
        )
    )  # fmt: skip


def test_the_name_of_our_own_node_is_no_name_of_a_node_in_a_folder(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/os-release").write_text("ID=cos\nVERSION_ID=121\n")
    assert name_of(tmp_path, "gke-a", "--root", ".")[0] == "unknown"
    assert name_of(tmp_path, "gke-a", "--root", "none")[0] == "unknown"


@pytest.mark.parametrize("name", ["A", "a b", "-a", "a" * 254, "a\x1b[31m"])
def test_what_can_be_no_node_s_name_is_refused(name: str, tmp_path: Path) -> None:
    done = named(tmp_path, name)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("nodediag: NODEDIAG_NODE_NAME: ")
    assert "\x1b" not in done.stderr


def result(found: Report[Facts], identity: str) -> CheckResult:
    return next(check for check in found.checks if check.id == identity)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "node.json").write_text(json.dumps(OBJECT))
    windows = json.loads(json.dumps(OBJECT))
    windows["status"]["nodeInfo"] |= {
        "osImage": "Windows Server 2022 Datacenter", "operatingSystem": "windows", "kernelVersion": "10.0.20348.2762",
    }  # fmt: skip
    (tmp_path / "windows.json").write_text(
        json.dumps({"kind": "List", "items": [OBJECT, windows | {"metadata": {"name": "w"}}]})
    )
    (tmp_path / "template.json").write_text(
        json.dumps({
            "disks": [{"boot": True, "initializeParams": {
                "sourceImage": "projects/gke-node-images/global/images/gke-1340-gke1662000-cos-121-18867-199-28-c-pre",
            }}],
            "metadata": {"items": [{"key": "kube-env", "value": f"KUBELET_KEY: {SECRET}\n"}]},
        })
    )  # fmt: skip
    (tmp_path / "map.json").write_text(version_map(BUILD))
    (tmp_path / "saved").symlink_to(NODES / "gke-cos-containerd-1.34/root")
    return tmp_path


def version_map(image: str, created: str = "2026-01-01T00:00:00Z") -> str:
    return json.dumps({"creation_time": created, "entries": [{"gke_version": VERSION, "image": image}]})


def test_without_a_node_only_files_are_judged_and_all_else_was_not_captured(files: Path) -> None:
    found = report(files, "--root", "none", "--node-object", "node.json", status=3)
    assert (found.view.origin, found.view.root, found.verdict) == (Origin.NONE, "none", Verdict.UNKNOWN)
    assert (found.node.name, found.node.image_type.value) == ("node-a", "cos_containerd")
    unknown = {
        name: fact.reason.code
        for name in Facts.__struct_fields__
        if isinstance(fact := getattr(found.facts, name), Unknown) and fact.reason.code is not Code.NOT_ASKED
    }
    assert set(unknown.values()) == {Code.NOT_CAPTURED}
    assert [spot.what for spot in found.view.blind_spots] == ["the node"]
    assert result(found, "logs.readable").outcome is Outcome.UNKNOWN


def test_a_windows_node_of_a_list_is_judged_by_its_object_alone(files: Path) -> None:
    found = report(files, "--root", "none", "--node-object", "windows.json", "--node", "w", status=0)
    assert (found.node.name, found.node.image_type.value, found.verdict.value) == (
        "w", "windows_ltsc_containerd", "healthy",
    )  # fmt: skip
    asked = {check.id for check in found.checks if check.outcome is not Outcome.NOT_APPLICABLE}
    assert asked == {"image.identified", "image.consistent", "image.source-project", "node.conditions"}
    assert {check.id for check in found.checks} == {check.id for check in CHECKS}


def test_a_person_is_told_that_no_node_was_looked_at(files: Path) -> None:
    shown = run(
        files, "report", "--root", "none", "--node-object", "windows.json", "--node", "w", "--format", "text"
    ).stdout
    assert "the node itself was not looked at, only files that tell of it" in " ".join(shown.split())
    assert "GKE node image windows_ltsc_containerd" in " ".join(shown.split())


def test_a_problem_quotes_the_object_and_the_file_it_rests_on(files: Path) -> None:
    text = (files / "node.json").read_text().replace("6.6.97+", "6.6.56+")
    (files / "node.json").write_text(text.replace("node-a", NODE))
    (files / "template.json").write_text((files / "template.json").read_text().replace("gke-node-images", "acme"))
    given = ("--node-object", "node.json", "--instance", "template.json")
    shown = " ".join(run(files, "report", "--root", "saved", *given, "--format", "text").stdout.split())
    assert f"node object {NODE}, status.nodeInfo.kernelVersion: 6.6.56+" in shown
    assert "--instance template.json: image: projects/acme/global/images/" in shown
    assert "expected: gke-node-images, by cos_containerd image_source, row A8 of the document" in shown


def test_a_recording_gives_the_same_report_without_the_files_and_holds_no_secret(files: Path) -> None:
    given = ("--node-object", "node.json", "--instance", "template.json", "--gke-versions", "map.json")
    for root in ("saved", "none"):
        live = report(files, "--root", root, *given, "--record", f"kept-{root}", status=3)
        again = report(files, "--root", f"kept-{root}", status=3)
        assert (live.facts, live.node, live.checks, live.verdict) == (
            again.facts, again.node, again.checks, again.verdict,
        )  # fmt: skip
        kept = b"".join(path.read_bytes() for path in (files / f"kept-{root}").rglob("*") if path.is_file())
        assert SECRET.encode() not in kept
        assert SECRET.encode() not in msgspec.json.encode(live)
    other = report(files, "--root", "kept-saved", "--node-object", "windows.json", "--node", "w", status=3)
    assert result(other, "image.node-object").outcome is Outcome.FAILED


def test_a_map_of_versions_is_added_as_data_without_any_python(files: Path) -> None:
    """As `--data DIR` with DIR/gke-versions.json; a newer one takes its place by being there."""
    (files / "node.json").write_text((files / "node.json").read_text().replace("node-a", NODE))
    given = ("--root", "saved", "--node-object", "node.json")
    (files / "data").mkdir()
    nothing = report(files, *given, "--data", "data", status=3)
    assert result(nothing, "image.version-map").outcome is Outcome.NOT_APPLICABLE
    for image, outcome in ((BUILD, Outcome.PASSED), ("cos-121-18867-90-4", Outcome.FAILED)):
        (files / "data/gke-versions.json").write_text(version_map(image))
        found = report(files, *given, "--data", "data", status=3)
        assert result(found, "image.version-map").outcome is outcome
    again = report(files, *given, "--data", "data", "--gke-versions", "map.json", status=3)
    assert result(again, "image.version-map").outcome is Outcome.PASSED


def test_projects_are_added_as_data_without_any_python(files: Path) -> None:
    text = (files / "template.json").read_text().replace("gke-node-images", "gke-node-images-next")
    (files / "template.json").write_text(text)
    (files / "mine.toml").write_text(
        'name = "mine"\nextends = "cos_containerd"\nversion = "1"\ndate = "2026-11-21"\n'
        'document = "none"\nsource = "us"\n'
        '[image_source]\nprojects = ["gke-node-images-next"]\nwhy = "the list has changed"\nsource = "us"\n'
    )
    given = ("--root", "saved", "--instance", "template.json")
    assert result(report(files, *given, status=3), "image.source-project").outcome is Outcome.FAILED
    mine = report(files, *given, "--profile", "mine.toml", status=3)
    assert result(mine, "image.source-project").outcome is Outcome.PASSED


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--node-object", "nowhere.json"), "--node-object nowhere.json: No such file or directory"),
        (("--node-object", "map.json"), "--node-object map.json: wanted a Node, or a list of them"),
        (("--node-object", "windows.json"), "name one with --node; there are node-a, w"),
        (("--node-object", "windows.json", "--node", "x"), "there is no node 'x' in it; there are node-a, w"),
        (("--node-object", "numbers.json"), "--node-object numbers.json: wanted a Node, or a list of them"),
        (("--node", "x"), "--node picks a node of --node-object FILE"),
        (("--instance", "map.json"), "--instance map.json: wanted an instance"),
        (("--gke-versions", "node.json"), "--gke-versions node.json: wanted {"),
        (("--data", "data"), "--gke-versions data/gke-versions.json: wanted"),
        (("--gke-versions", "data"), "--gke-versions data: "),
    ],
)
def test_a_file_that_is_not_what_it_should_be_is_bad_usage(files: Path, arguments: tuple[str, ...], words: str) -> None:
    (files / "data").mkdir()
    (files / "data/gke-versions.json").write_text("{}")
    (files / "numbers.json").write_text("[1, 2, 3]")
    done = run(files, "report", "--root", "none", "--no-logs", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_recording_whose_inputs_are_none_is_bad_usage(files: Path) -> None:
    report(files, "--root", "none", "--node-object", "node.json", "--record", "kept", status=3)
    (files / "kept/inputs.json").write_text('{"node_object": {"path": 1}}')
    done = run(files, "report", "--root", "kept")
    assert (done.returncode, "inputs.json of the recording is not what" in done.stderr) == (2, True)


def test_of_thousands_of_nodes_one_is_taken(files: Path) -> None:
    item = json.dumps(OBJECT | {"padding": ["x" * 40] * 50})
    many = ",".join(item.replace("node-a", f"node-{number}") for number in range(5000))
    (files / "many.json").write_text(f'{{"kind": "List", "items": [{many}]}}')
    found = report(files, "--root", "none", "--node-object", "many.json", "--node", "node-4999", status=3)
    assert found.node.name == "node-4999"


def test_a_map_of_versions_is_part_of_the_data_that_judges(files: Path) -> None:
    with_map = report(files, "--root", "none", "--node-object", "node.json", "--gke-versions", "map.json", status=3)
    without = report(files, "--root", "none", "--node-object", "node.json", status=3)
    (files / "map.json").write_text(version_map(BUILD + "-1"))
    another = report(files, "--root", "none", "--node-object", "node.json", "--gke-versions", "map.json", status=3)
    assert with_map.tool.data["gke_versions"].date == "2026-01-01"
    assert "gke_versions" not in without.tool.data
    assert len({one.tool.data_digest for one in (with_map, without, another)}) == 3
