"""What goes wrong with a kubelet itself, provoked on a real node."""

import pytest

from nodediag.model.outcome import Severity, Verdict
from tests.certificates import KEY
from tests.lab.node import Node
from tests.lab.roots import certificate
from tests.lab.seen import Seen

CLIENT = "/var/lib/kubelet/pki/kubelet-client-current.pem"
NAME = "O=system:nodes,CN=system:node:gke-lab"


def severities(one: Seen, check: str) -> dict[str, Severity]:
    return {problem.subject.name: problem.severity for problem in one.check(check).problems}


def test_an_expired_certificate_is_found_live_and_in_a_recording_that_holds_no_key(sick: Node) -> None:
    sick.run("tee", CLIENT, text=certificate(NAME, since_days=366, until_days=-1) + KEY)
    one = sick.report("--no-logs", "--record", "/tmp/recording")
    assert severities(one, "kubelet.certificates") == {CLIENT: Severity.CRITICAL}
    assert (one.report.verdict, one.status) == (Verdict.UNHEALTHY, 1)
    again = sick.report("--no-logs", "--root", "/tmp/recording")
    assert again.check("kubelet.certificates") == one.check("kubelet.certificates")
    assert sick.run("grep", "-r", "-e", "PRIVATE KEY", "-e", "MIGH", "/tmp/recording", check=False).stdout == ""


def test_one_that_should_have_been_renewed_is_found_before_it_expires(sick: Node) -> None:
    sick.run("tee", CLIENT, text=certificate(NAME, since_days=350, until_days=15) + KEY)
    one = sick.report("--no-logs")
    assert severities(one, "kubelet.certificates") == {CLIENT: Severity.WARNING}


@pytest.mark.parametrize(
    ("said", "severity", "words"),
    [
        ("[-]syncloop failed: reason withheld", Severity.CRITICAL, "500 [-]syncloop failed"),
        ("", Severity.WARNING, "does not answer in time"),
    ],
)
def test_a_kubelet_that_says_it_is_not_well_or_nothing_at_all_is_found(
    said: str, severity: Severity, words: str, sick: Node
) -> None:
    sick.run("tee", "/run/lab-healthz", text=said)
    one = sick.report("--no-logs", "--record", "/tmp/recording")
    (problem,) = one.check("kubelet.healthz").problems
    assert problem.severity is severity
    assert words in problem.message
    assert sick.report("--no-logs", "--root", "/tmp/recording").check("kubelet.healthz") == one.check("kubelet.healthz")


def test_files_that_others_may_write_or_read_are_found(sick: Node) -> None:
    sick.run("chmod", "666", "/var/lib/kubelet/kubeconfig")
    sick.run("chmod", "644", CLIENT)
    sick.run("chown", "1000", "/home/kubernetes/kubelet-config.yaml")
    one = sick.report("--no-logs")
    assert severities(one, "kubelet.file-modes") == dict.fromkeys(
        ("/var/lib/kubelet/kubeconfig", "/home/kubernetes/kubelet-config.yaml", CLIENT), Severity.WARNING
    )
