"""The kubelet's configuration in effect: the file of `--config`, drop-ins of `--config-dir` over it, flags over both.

See "Kubelet Configuration Directory Merging" in Kubernetes' documentation: drop-ins end in .conf and are taken in the
order of their names; tables merge key by key, lists and single values are replaced, as RFC 7386 has it.
"""

from typing import Final

import msgspec

from nodediag.errors import ParseError, ReadError
from nodediag.host import yaml_text
from nodediag.host.answer import PathType
from nodediag.host.host import EVIDENCE_CAP, Host
from nodediag.host.yaml_text import Yaml
from nodediag.model.evidence import Evidence, FileEvidence, ProcessEvidence
from nodediag.model.reason import Code, Reason

# The flags that win over a key, where they are not the key's own name spelled with dashes.
_FLAGS: Final = {
    "anonymous-auth": "authentication.anonymous.enabled",
    "authentication-token-webhook": "authentication.webhook.enabled",
    "authorization-mode": "authorization.mode",
    "client-ca-file": "authentication.x509.clientCAFile",
    "event-burst": "eventBurst",
    "event-qps": "eventRecordQPS",
    "image-gc-high-threshold": "imageGCHighThresholdPercent",
    "image-gc-low-threshold": "imageGCLowThresholdPercent",
    "make-iptables-util-chains": "makeIPTablesUtilChains",
    "pod-max-pids": "podPidsLimit",
    "registry-qps": "registryPullQPS",
    "rotate-server-certificates": "serverTLSBootstrap",
}
_PLAIN_FLAGS: Final = (
    "address", "cgroupDriver", "containerLogMaxFiles", "containerLogMaxSize", "failSwapOn", "healthzBindAddress",
    "healthzPort", "maxPods", "nodeStatusUpdateFrequency", "port", "protectKernelDefaults", "readOnlyPort",
    "rotateCertificates", "serializeImagePulls", "streamingConnectionIdleTimeout", "tlsCertFile", "tlsMinVersion",
)  # fmt: skip
_GATES: Final = "feature-gates"
_ENDING: Final = ".conf"
_MOST_FILES: Final = 100
_MOST_LINES: Final = 2000  # in which evidence is looked for
_MOST_VALUES: Final = 300
_DEEPEST: Final = 4
_VALUE_CAP: Final = 200


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What one key or flag says, as it is written, and where."""

    value: str
    by: str
    evidence: Evidence


class Config(msgspec.Struct, frozen=True):
    """What the files come to, and the lines of each by its path, the last of which wins."""

    loaded: Yaml = None
    texts: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @property
    def held(self) -> dict[str, Yaml]:
        """The tables at its top."""
        return self.loaded if isinstance(self.loaded, dict) else {}

    def line(self, *keys: str) -> FileEvidence:
        """Find the line that sets a key, below the keys before it; a file as a whole where it is written otherwise."""
        for path, lines in reversed(self.texts):
            at = 0
            for key in keys:
                found = next((number for number in range(at, len(lines)) if _starts(lines[number], key)), None)
                if found is None:
                    break
                at = found + (key is not keys[-1])
            else:
                return FileEvidence(path=path, line=at + 1, text=lines[at][:EVIDENCE_CAP])
        path = next((path for path, lines in reversed(self.texts) if keys[0] in "".join(lines)), "")
        return FileEvidence(path=path, line=0, text=": ".join(keys)[:EVIDENCE_CAP])


def read(host: Host, flags: dict[str, str]) -> tuple[Config, Reason | msgspec.UnsetType]:
    """Read what the flags name; the reason is there where what counts is not what was read."""
    path, folder = flags.get("config", ""), flags.get("config-dir", "")
    for flag, named in (("config", path), ("config-dir", folder)):
        if named and not named.startswith("/"):
            detail = f"--{flag} {named} is relative to a folder we cannot know"
            return Config(), Reason(code=Code.UNSUPPORTED, detail=detail)
    try:
        texts = [(path, host.text(path))] if path else []
        texts += [(file, host.text(file)) for file in _drop_ins(host, folder, 0)] if folder else []
        merged: Yaml = None
        for file, text in texts:
            merged = merge(merged, _table(text, file))
    except (ReadError, ParseError) as error:
        return Config(), error.reason
    return Config(merged, tuple((file, tuple(text.split("\n")[:_MOST_LINES])) for file, text in texts)), msgspec.UNSET


def merge(under: Yaml, over: Yaml) -> Yaml:
    """Lay one value over another, as RFC 7386 has it: a null takes a key away."""
    if not isinstance(over, dict):
        return over
    held = dict(under) if isinstance(under, dict) else {}
    for key, value in over.items():
        if value is None:
            held.pop(key, None)
        else:
            held[key] = merge(held.get(key), value)
    return held


def values(config: Config, flags: dict[str, str], pid: int) -> dict[str, Told]:
    """Give each single value by its path of keys, such as `authorization.mode`; a flag's in place of the files'."""
    found: dict[str, Told] = {}
    for keys, value in _flat(config.held, ())[:_MOST_VALUES]:
        evidence = config.line(*keys)
        found[".".join(keys)] = Told(value=value[:_VALUE_CAP], by=f"{keys[-1]} in {evidence.path}", evidence=evidence)
    for name, key in {**{_dashed(key): key for key in _PLAIN_FLAGS}, **_FLAGS}.items():
        if name in flags:
            found[key] = _flagged(name, flags[name], pid)
    for gate in flags.get(_GATES, "").split(","):
        name, equals, value = gate.strip().partition("=")
        if equals:
            found[f"featureGates.{name}"] = _flagged(_GATES, value.lower(), pid)
    return found


def _flagged(name: str, value: str, pid: int) -> Told:
    evidence = ProcessEvidence(pid=pid, name="kubelet", text=f"--{name}={value}"[:EVIDENCE_CAP])
    return Told(value=value[:_VALUE_CAP], by=f"the flag --{name}", evidence=evidence)


def _drop_ins(host: Host, folder: str, depth: int) -> list[str]:
    """List the drop-ins of a folder and those below it, in the order in which the kubelet walks them."""
    found: list[str] = []
    for name in host.list(folder):
        path = f"{folder.rstrip('/')}/{name}"
        if name.endswith(_ENDING):
            found.append(path)
        elif depth < _DEEPEST and host.stat(path).kind is PathType.DIRECTORY:
            found += _drop_ins(host, path, depth + 1)
        if len(found) > _MOST_FILES:
            raise ReadError(folder, Reason(code=Code.TOO_LARGE, detail=f"{folder} holds more than {_MOST_FILES} files"))
    return found


def _table(text: str, path: str) -> dict[str, Yaml]:
    loaded = yaml_text.load(text, path)
    if not isinstance(loaded, dict):
        raise ParseError(path, text, "a KubeletConfiguration")
    return loaded


def _starts(line: str, key: str) -> bool:
    return line.lstrip(" {\"'-").partition(":")[0].rstrip(" \"'") == key


def _flat(value: Yaml, keys: tuple[str, ...]) -> list[tuple[tuple[str, ...], str]]:
    """Give every single value with its keys; a list counts as one."""
    if isinstance(value, dict) and len(keys) <= _DEEPEST:
        return [pair for key, inner in value.items() for pair in _flat(inner, (*keys, _word(key)))]
    return [(keys, _word(value))] if keys else []


def _word(value: Yaml) -> str:
    if isinstance(value, list):
        return ",".join(_word(one) for one in value[:_VALUE_CAP])
    try:
        text = str(value).lower() if isinstance(value, bool) else str(value)
    except ValueError:  # Python writes no integer of thousands of digits
        return ""
    return text[:_VALUE_CAP].encode("utf-8", "backslashreplace").decode()


def _dashed(key: str) -> str:
    return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in key)
