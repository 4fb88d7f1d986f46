"""Each signature of the project says where its words were confirmed: in a program's source or in a real log."""

import re
from pathlib import Path

import pytest

import nodediag
from nodediag.model.outcome import Severity
from nodediag.signatures.load import parse
from nodediag.signatures.signature import Signature

BY_PLACE = "broad.toml"  # its records know no words, only which code an error is of
FOLDER = Path(nodediag.__file__).parent / "signatures/data"
SIGNATURES = [signature for file in sorted(FOLDER.glob("*.toml")) for signature in parse(file.name, file.read_text())]

REPOSITORY = r"(?:linux|systemd|[A-Za-z0-9][\w.-]*/[\w.-]+)"
FILE = r"[\w./*{},-]*\w\.\w+(?:,? [^;]+)?"
REAL_LOG = r"real log: (?:[\w.-]+/[\w.-]+#\d+(?:, [\w.-]+/[\w.-]+#\d+)*|(?![^;]*(?://|#\d))[^;]+)"
FIRST = rf"(?:{REPOSITORY} {FILE}|{REAL_LOG})"
FURTHER = rf"(?:(?:{REPOSITORY} )?{FILE}|{REAL_LOG})"
SOURCE = re.compile(rf"{FIRST}(?:; {FURTHER})*")


@pytest.mark.parametrize("signature", [one for one in SIGNATURES if one.file != BY_PLACE], ids=lambda value: value.id)
def test_a_source_names_a_repository_and_a_file_or_a_real_log(signature: Signature) -> None:
    assert SOURCE.fullmatch(signature.source), (
        f"{signature.source!r}: owner/name path/file.ext, function; real log: owner/name#1"
    )


@pytest.mark.parametrize("signature", [one for one in SIGNATURES if one.file == BY_PLACE], ids=lambda value: value.id)
def test_what_is_known_by_its_place_alone_is_never_more_than_a_hint(signature: Signature) -> None:
    assert (signature.severity, signature.vague > 0) == (Severity.INFO, True)


@pytest.mark.parametrize(
    "source",
    [
        "kubernetes/kubernetes pkg/kubelet/pleg/generic.go, Healthy()",
        "kubernetes/kubernetes pkg/kubelet/pleg/generic.go, Healthy(); real log: kubernetes/kubernetes#1, k3s-io/k3s#1",
        "linux kernel/panic.c, panic(); kernel/watchdog.c; systemd src/core/main.c",
        "real log: Debian bug report 761306",
    ],
)
def test_a_source_may_name_places_and_logs(source: str) -> None:
    assert SOURCE.fullmatch(source)


@pytest.mark.parametrize(
    "source",
    [
        "kubernetes pkg/kubelet/pleg/generic.go",
        "Go net errors inside containerd",
        "strerror(ENOSPC), any program",
        "kubernetes/kubernetes pkg/kubelet",
        "kubernetes/kubernetes pkg/kubelet/pleg/generic.go; kdump",
        "real log: https://example.org/1",
        "real log: ",
    ],
)
def test_a_source_that_only_names_a_likely_place_is_refused(source: str) -> None:
    assert SOURCE.fullmatch(source) is None
