"""containerd's configuration in several files."""

from typing import TYPE_CHECKING

import pytest

from nodediag.facts import containerd_files, runtime
from nodediag.host.answer import Failure, Process
from nodediag.model.reason import Code, Reason

if TYPE_CHECKING:
    from tests.conftest import Files, MakeHost

MAIN = "/etc/containerd/config.toml"
CRI = 'plugins."io.containerd.grpc.v1.cri"'
BASE = f'version = 2\nimports = ["/etc/containerd/conf.d/*.toml"]\n[{CRI}.cni]\n  bin_dir = "/a"\n'
DROP_IN = f'version = 2\n[{CRI}.registry.mirrors."docker.io"]\n  endpoint = ["https://m"]\n'
CONTAINERD = Process(7, 1, "containerd", ("/usr/bin/containerd",), "S", "/usr/bin/containerd", "0::/a.service\n")


def config_of(host: "MakeHost", files: "Files", *argv: str) -> runtime.ContainerdConfig:
    process = Process(7, 1, "containerd", ("/usr/bin/containerd", *argv), "S", "/usr/bin/containerd", "0::/a.service\n")
    return runtime.collect(host(files, processes=(process,)))


def test_a_drop_in_is_read_and_each_key_has_the_line_that_sets_it(host: "MakeHost") -> None:
    files: Files = {MAIN: BASE.replace("version = 2", "version = 3"), "/etc/containerd/conf.d/m.toml": DROP_IN}
    files[MAIN] = str(files[MAIN]).replace("grpc.v1.cri", "cri.v1.runtime")
    found = config_of(host, files)
    assert found.files == (MAIN, "/etc/containerd/conf.d/m.toml")
    (mirror,) = found.named("cri.registry.mirrors.*")
    assert (mirror.key, mirror.values) == ("cri.registry.mirrors.docker.io.endpoint", ("https://m",))
    assert (mirror.evidence.path, mirror.evidence.line) == ("/etc/containerd/conf.d/m.toml", 3)
    assert found.value("cri.cni.bin_dir", "") == "/a"
    assert not found.broken


def test_what_only_one_major_version_merges_is_not_taken_for_sure(host: "MakeHost") -> None:
    found = config_of(host, {MAIN: BASE, "/etc/containerd/conf.d/m.toml": DROP_IN})
    assert found.incomplete
    assert "containerd 1 the later one alone" in found.incomplete.detail
    assert found.get("cri.cni.bin_dir") is None  # the drop-in configures the same plugin, and is the later one
    alone = config_of(host, {MAIN: BASE, "/etc/containerd/conf.d/d.toml": 'version = 2\n[debug]\n  level = "debug"\n'})
    assert not alone.incomplete
    assert (alone.value("debug.level", ""), alone.value("cri.cni.bin_dir", "")) == ("debug", "/a")


def test_imports_are_relative_to_their_file_in_order_and_read_once(host: "MakeHost") -> None:
    files: Files = {
        MAIN: 'version = 2\nimports = ["sub/*.toml", "/x.toml"]\n',
        "/etc/containerd/sub/b.toml": 'root = "/b"\n',
        "/etc/containerd/sub/a.toml": 'root = "/a"\nimports = ["../config.toml", "../more.toml"]\n',
        "/etc/containerd/more.toml": 'root = "/more"\n',
        "/etc/containerd/sub/not.conf": "= no TOML",
        "/x.toml": "oom_score = 5\n",
    }
    found = config_of(host, files)
    assert [path.removeprefix("/etc/containerd/") for path in found.files] == [
        "config.toml", "sub/a.toml", "sub/b.toml", "/x.toml", "more.toml",
    ]  # fmt: skip
    assert (found.root, found.value("oom_score", "")) == ("/more", "5")


@pytest.mark.parametrize(
    ("files", "path", "words"),
    [
        pytest.param({MAIN: "version = 2\nroot = \n"}, MAIN, "is no TOML: Invalid value (at line 2", id="the file"),
        pytest.param(
            {MAIN: BASE, "/etc/containerd/conf.d/m.toml": "[a]\n[a]\n"},
            "/etc/containerd/conf.d/m.toml", "is no TOML: Cannot declare", id="a drop-in",
        ),
        pytest.param({MAIN: 'imports = ["/x.toml"]'}, "/x.toml", "imports, is not there", id="an import"),
        pytest.param(
            {MAIN: 'version = 3\nimports = ["/x.toml"]', "/x.toml": "version = 4"}, "/x.toml", "version 4", id="newer"
        ),
    ],
)  # fmt: skip
def test_what_containerd_would_not_start_with_is_told_with_its_line(
    host: "MakeHost", files: "Files", path: str, words: str
) -> None:
    (broken,) = config_of(host, files).broken
    assert broken.path == path
    assert words in broken.why
    assert broken.evidence.text


def test_a_part_that_was_not_seen_leaves_the_rest_known(host: "MakeHost") -> None:
    refused = Failure(Reason(code=Code.NOT_PERMITTED, detail="no"))
    found = config_of(host, {MAIN: BASE, "/etc/containerd/conf.d/m.toml": refused})
    assert found.incomplete
    assert found.incomplete.code is Code.NOT_PERMITTED
    assert found.value("cri.cni.bin_dir", "") == "/a"
    captured = runtime.collect(host({MAIN: BASE}, missing=Code.NOT_CAPTURED))
    assert captured.incomplete
    assert captured.incomplete.code is Code.NOT_CAPTURED


def test_the_file_is_the_one_that_the_running_containerd_was_given(host: "MakeHost") -> None:
    files: Files = {MAIN: "root = '/a'", "/k.toml": "root = '/k'"}
    assert config_of(host, files).root == "/a"
    assert config_of(host, files, "--config", "/k.toml").root == "/k"
    assert config_of(host, files, "--config=/k.toml").root == "/k"
    assert config_of(host, files, "-c", "/k.toml").path == "/k.toml"
    assert config_of(host, files, "--config", "/var/run/docker/containerd/containerd.toml").path == MAIN
    assert not config_of(host, {}, "-c", "/k.toml").present


def test_a_file_of_version_3_is_not_heeded_under_the_old_name(host: "MakeHost") -> None:
    text = f'version = 3\n[{CRI}]\n  stream_server_address = "127.0.0.1"\n[{CRI}.cni]\n  bin_dir = "/a"\n'
    found = config_of(host, {MAIN: text})
    assert [one.line for one in found.passed_over] == [4, 5]
    assert found.get("cri.cni.bin_dir") is None
    assert found.value("cri.stream_server_address", "") == "127.0.0.1"


def test_imports_in_a_ring_or_without_end_come_to_an_end(host: "MakeHost") -> None:
    files: Files = {f"/i/{number}.toml": f'imports = ["/i/{number + 1}.toml"]' for number in range(100)}
    found = config_of(host, {**files, MAIN: 'imports = ["/i/0.toml"]'})
    assert found.incomplete
    assert found.incomplete.code is Code.TOO_LARGE
    assert len(found.files) == 50


def test_secrets_of_registries_are_masked_before_they_are_parsed() -> None:
    from nodediag.redact import redact_text  # noqa: PLC0415 - what the host's door does

    text = f'[{CRI}.registry.configs."gcr.io".auth]\n  password = "hunter2hunter2"\n  auth = "dXNlcjpwYXNzd29yZA=="\n'
    found = runtime.parse(redact_text(text))
    assert {value for setting in found.settings for value in setting.values} == {"[redacted]"}


def test_the_path_is_the_usual_one_where_no_process_is_seen(host: "MakeHost") -> None:
    assert containerd_files.path_of(host({})) == MAIN
    assert containerd_files.path_of(host({}, processes=(CONTAINERD,))) == MAIN
