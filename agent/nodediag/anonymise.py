"""Addresses and names made pseudonyms: equal stays equal, a subnet stays a subnet, another key gives others.

Addresses keep their prefixes as Crypto-PAn does (Xu and others, ICNP 2002): of two that share their first bits the
pseudonyms share as many. What an address is for stays: loopback, link-local, private, multicast and the like. Names are
learned from the text: those of hosts, users, mail domains, projects, clusters, namespaces and pods, wherever something
says that they are. A name that is a word too, such as a namespace `dev`, becomes one only where it is said to be a
name. Machine, boot and container ids, zones and versions stay.
"""

import hashlib
import hmac
import ipaddress
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from enum import Enum
from functools import lru_cache
from typing import Final, TypeAlias, TypeVar

import msgspec

from nodediag.redact import compiled

_Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
T = TypeVar("T")

# what nothing in them is changed of
_AS_THEY_ARE: Final[tuple[_Network, ...]] = tuple(
    ipaddress.ip_network(text)
    for text in ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3", "::/96", "fe80::/10", "ff00::/8")
)
# what stays what it is, though who has it within is changed; 64:ff9b:: and ::ffff: hold addresses of version 4
_KEPT: Final[tuple[_Network, ...]] = (
    *_AS_THEY_ARE,
    *(ipaddress.ip_network(text) for text in ("10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16")),
    *(
        ipaddress.ip_network(text)
        for text in ("::/8", "fe80::/64", "64:ff9b::/96", "2001:db8::/32", "fc00::/8", "fd00::/8")
    ),
)
_ESCAPED: Final = r"(?<=\\[nrt])|(?<=\\u00[0-9a-f]{2})"  # what ends so is no letter of what follows
_V4: Final = re.compile(
    rf"(?:(?<![\w.+-])|{_ESCAPED})(?<!version: )(?<!version=)"
    r"((?:\d{1,3}\.){3}\d{1,3})(/\d{1,2})?(?![\w+]|[.-]\w|/\d)",
    re.IGNORECASE,
)
_V6: Final = re.compile(
    rf"(?:(?<![\w:.])|{_ESCAPED})"
    r"(?!(?:[0-9a-fA-F]{2}:){7}[0-9a-fA-F]{2}(?!\w))"  # eight pairs are the name of a disk or a port
    r"((?:[0-9a-fA-F]{0,4}:){2,7}(?:[0-9a-fA-F]{1,4}|(?<=::)))(/\d{1,3})?(?!\w|:[\w:]|\.\d)"
)
_MAC: Final = re.compile(
    rf"(?:(?<![\w:-])|{_ESCAPED})"
    r"(?:[0-9a-fA-F]{2}([:-]))(?:[0-9a-fA-F]{2}\1){4}[0-9a-fA-F]{2}(?![\w:-])"
)
# every line with an address matches it: it is one automaton with the names
_NEAR: Final = (
    r"[0-9]\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]|::|[0-9a-fA-F]:[0-9a-fA-F]{1,4}:[0-9a-fA-F]{1,4}:|(?:[0-9a-fA-F]{2}-){5}"
)
_NO_ONES_MAC: Final = {"000000000000", "ffffffffffff"}
_MADE_OF_MAC: Final = 0xFFFE  # in the middle of what stands for the interface, see RFC 4291
_SHORTEST: Final = 3
_GKE: Final = ("gke-", "gk3-")
_WORD: Final = re.compile(r"[a-z0-9]+(?:[-_.]+[a-z0-9]+)*")
_PART: Final = re.compile(r"[a-z0-9]+")
_NAME_APART: Final = rf"(?:(?<![A-Za-z0-9])|{_ESCAPED})"

# where a text says what a name is of; a name is what the group of that kind matches
_NAME: Final = r"[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?"
_OBJECT: Final = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_SUFFIX: Final = (  # of units and files, whose names may hold an @ too
    "service|slice|scope|socket|target|timer|mount|automount|swap|device|path|journal|conf|log|json|toml|ya?ml|sh|py|so"
)
_IS: Final = r"\\*[\"']?\s*[:=]\s*\\*[\"']?"
_SAID: Final = tuple(
    re.compile(pattern)
    for pattern in (
        r"\b(?P<node>gke-(?:[a-z0-9]+-)+[0-9a-f]{8}-[a-z0-9]{4})\b",
        rf"(?:hostname|nodeName|node_name|kubernetes\.io/hostname|hostname-override){_IS}(?P<host>{_NAME})",
        rf"\bserver{_IS}https?://(?P<host>{_NAME})",
        rf"\bnfs4? (?P<host>{_NAME}):/|(?<![\w./-])(?P<host2>{_OBJECT}(?:\.{_OBJECT})+):/(?!/)",
        rf"(?<![\w-])node=\\*[\"']?(?P<node>{_OBJECT}(?:\.{_OBJECT})*)",
        rf"\bgce://(?P<project>{_NAME})/{_NAME}/(?P<node>{_NAME})",
        rf"\bprojects/(?P<project>{_NAME})/|\.c\.(?P<project2>{_OBJECT})\.internal\b",
        rf"\bgcr\.io/(?:v2/)?(?P<project>{_NAME})/|-docker\.pkg\.dev/(?P<project2>{_NAME})/",
        rf"(?i:project(?:[_-]?id)?){_IS}(?P<project>{_OBJECT})",
        rf"(?<![\w.+-])(?P<user>[\w.+-]+)@(?P<project>{_OBJECT})\.iam\.gserviceaccount\.com",
        rf"(?<![\w.+-])(?P<user>[A-Za-z0-9][\w.+-]*)@(?P<domain>(?i:(?:{_OBJECT}\.)+(?!(?:{_SUFFIX})\b)[a-z]{{2,}}))\b",
        rf"\bclusters/(?P<cluster>{_OBJECT})|(?i:cluster[_-]?name){_IS}(?P<cluster2>{_OBJECT})",
        rf"\bpods?\\*[\"']?[:=]\s*\\*[\"']?\[?\\*[\"']?(?P<namespace>{_OBJECT})/(?P<pod>{_OBJECT}(?:\.{_OBJECT})*)",
        rf"/var/log/pods/(?P<namespace>{_OBJECT})_(?P<pod>{_OBJECT}(?:\.{_OBJECT})*)_[0-9a-f-]{{36}}",
        rf"/var/log/containers/(?P<pod>{_OBJECT}(?:\.{_OBJECT})*)_(?P<namespace>{_OBJECT})_",
        rf"(?i:pod[_.]?name|io\.kubernetes\.pod\.name){_IS}(?P<pod>{_OBJECT}(?:\.{_OBJECT})*)",
        rf"(?i:pod[_.]?namespace|io\.kubernetes\.pod\.namespace){_IS}(?P<namespace>{_OBJECT})",
        r"(?<![a-z0-9-])(?P<pod>[a-z0-9][a-z0-9-]*-[bcdfghjklmnpqrstvwxz2456789]{8,10}-[bcdfghjklmnpqrstvwxz2456789]{5})\b",
        rf"/home/(?P<user>{_NAME})\b|\b(?:USER|LOGNAME|SUDO_USER|ruser){_IS}(?P<user2>{_NAME})",
        rf"(?:opened|closed) for user (?P<user>{_NAME})|Accepted \w+ for (?P<user2>{_NAME}) from",
        rf"sudo(?:\[\d+\])?:\s+(?P<user>{_NAME}) :",
    )
)
# numbers, versions, ids, addresses
_NO_NAME: Final = re.compile(
    r"[0-9]{1,6}|v[0-9]+|[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{32,}|(?:[0-9]{1,3}\.){3}[0-9]{1,3}"
)
# some of it is in every line in which one of the patterns above, or _POOL, finds a name
_MAY_SAY: Final = (
    r"(?i:gke-|host|node|project|\.internal|gcr\.io/|docker\.pkg\.dev/|@|cluster|pod|/var/log/|/home/|server"
    r"|namespace|user|logname|accepted|sudo|nfs|[a-z0-9]\.[a-z0-9.-]+:/)"
    r"|-[bcdfghjklmnpqrstvwxz2456789]{8,10}-[bcdfghjklmnpqrstvwxz2456789]{5}"
)
_POOL: Final = re.compile(rf"cloud\.google\.com/gke-nodepool{_IS}({_OBJECT})")
# names that everybody has, and the words of a report: who has them is not told by them
_COMMON: Final = frozenset({
    "all", "any", "api", "arch", "auth", "boot", "bin", "cgroup", "cgroups", "chronos", "cluster", "code",
    "config", "containerd", "cos", "cos-cloud", "daemon", "data", "debian", "debian-cloud", "default",
    "default-pool", "disk", "disks", "docker", "etc", "false", "file", "files", "gce", "gke",
    "gke-managed-system", "gke-node-images", "gke-release", "gmp-public", "gmp-system", "google",
    "google_containers", "google-containers", "google-samples", "host", "image", "images", "info", "instance",
    "io.containerd", "istio-system", "journal", "json", "k8s", "kernel", "kubelet", "kube", "kube-node-lease",
    "kube-public", "kube-system", "kubernetes", "linux", "live", "local", "localhost", "log", "logs", "memory",
    "mount", "mounts", "namespace", "nil", "nobody", "node", "node-problem-detector", "none", "null", "ok",
    "partition", "pod", "pods", "process", "processes", "project", "recording", "ro", "root", "rw", "runtime",
    "service", "services", "sos", "sshd", "storage", "sys", "syslog", "system", "systemd", "systemd-network",
    "systemd-resolve", "systemd-timesync", "test", "tmp", "tree", "true", "ubuntu", "ubuntu-os-cloud",
    "ubuntu-os-gke-cloud", "unit", "units", "unknown", "user", "usr", "var", "view", "volume", "warning",
    "windows", "windows-cloud",
})  # fmt: skip
# domains of programs, registries and labels; what is below one of them stays too
_PUBLIC: Final = tuple(
    f".{domain}"
    for domain in (
        "android.com", "cncf.io", "debian.org", "docker.com", "docker.io", "freedesktop.org", "gcr.io", "ghcr.io",
        "github.com", "gitlab.com", "gnu.org", "google.com", "googleapis.com", "googlesource.com",
        "gserviceaccount.com", "k8s.io", "kernel.org", "kubernetes.io", "launchpad.net", "libssh.org", "mozilla.org",
        "openssh.com", "pkg.dev", "quay.io", "redhat.com", "systemd.io", "ubuntu.com", "x-k8s.io",
    )
)  # fmt: skip
# words of every system: of its folders, mounts, devices, cgroups and units
_SYSTEM: Final = frozenset({
    "active", "al", "app", "audit", "auto", "autofs", "auxwww", "auxwwwm", "bad", "base", "besteffort", "bin", "bind",
    "blkid", "block", "boot", "btrfs", "burstable", "bus", "cgroup", "cgroup2", "class", "completed",
    "computemetadata", "configfs", "control", "core", "cpu", "cpuset", "crio", "custom", "dead", "debugfs", "dev",
    "devices", "devpts", "devtmpfs", "df", "dir", "disabled", "docker", "enabled", "entry", "error", "etc", "exec",
    "exited", "ext2", "ext3", "ext4", "failed", "fc", "fd", "fdinfo", "filesys", "freedesktop", "fs", "fuse",
    "guaranteed", "home", "hugetlb", "id", "inactive", "init", "io", "ipv4", "ipv6", "iscsiadm", "k3s", "kind", "l",
    "lib", "lib32", "lib64", "listening", "loaded", "local", "locks", "loop", "lsblk", "main", "mapper", "masked",
    "master", "media", "method", "mirror", "misc", "mkfs", "mnt", "mounted", "mqueue", "net", "netstat", "new", "nfs",
    "nfs4", "noatime", "nodev", "noexec", "nosuid", "npd", "ns", "null", "old", "online", "opt", "org", "osrelease",
    "ostree", "overlay", "pem", "pids", "plugged", "prefs", "pressure", "private", "proc", "procfs", "public", "ram",
    "relatime", "reports", "resolv", "run", "running", "runtimeservice", "sbin", "scope", "secrets", "self",
    "serviceaccount", "shared", "shm", "slice", "sock", "softnet", "sos", "squashfs", "srv", "start", "stat",
    "static", "statm", "stop", "strings", "subpaths", "suid", "sw", "sys", "sysfs", "systemd1", "target", "tcp",
    "termination", "timer", "tmpfs", "tracefs", "txt", "udev", "udp", "unix", "user", "virtual", "vm", "waiting",
    "xfs",
})  # fmt: skip
_COUNTS: Final = "masked"  # by rule
# keys of a report whose values are its own words, not the node's
_OWN_WORDS: Final = frozenset(
    {"arch", "check", "code", "condition", "id", "image_type", "kind", "machine_id", "boot_id", "origin", "outcome"}
    | {"schema", "severity", "state", "verdict", "verdict_because", "version", "key", "requirement", "tool", "profile"}
    | {"os", "platform", "kernel", "counts", "scope", "duration_ms", "observed_at", "generated_at", "cursor", "family"}
    | {"title", "remedy", "cause", "modules", "sysctls", "packages"}
)


def learned(texts: Iterable[str], known: dict[str, str] | None = None) -> dict[str, str]:
    """Give known names, and those that texts speak of, and of what each is; the first that says so is believed."""
    names = {name: of for name, of in (known or {}).items() if name and name.lower() not in _COMMON}
    pools: set[str] = set()
    for line in (line for text in texts for line in _telling(text)):
        for pattern in _SAID:
            for match in pattern.finditer(line):
                for kind, name in match.groupdict().items():
                    if name and not _is_common(name):
                        names.setdefault(name, kind.rstrip("2"))
        pools.update(match[1] for match in _POOL.finditer(line))
    for name, kind in list(names.items()):
        short = name.partition(".")[0]
        if kind in {"host", "node"} and short and short.lower() not in _COMMON:
            names.setdefault(short, kind)
        for pool in pools:
            cluster = re.fullmatch(rf"gke-(.+)-{re.escape(pool[:15])}.*-[0-9a-f]{{8}}-[a-z0-9]{{4}}", short)
            if cluster and cluster[1] not in _COMMON:
                names.setdefault(cluster[1], "cluster")
    return names


def _is_common(name: str) -> bool:
    """Tell whether a name says nothing of who has it, or is none."""
    low = name.lower()
    return low in _COMMON or f".{low}".endswith(_PUBLIC) or _NO_NAME.fullmatch(name) is not None


def _telling(text: str) -> Iterator[str]:
    """Give the lines of a text that may say a name."""
    pattern = compiled(_MAY_SAY)
    data = text.encode("utf-8", "surrogatepass")
    at = 0
    while hit := pattern.search(data, at):
        start, end = max(at, data.rfind(b"\n", at, hit.start()) + 1), data.find(b"\n", hit.start())
        at = len(data) if end < 0 else end
        yield data[start:at].decode("utf-8", "surrogatepass")


def words_of(texts: Iterable[str]) -> frozenset[str]:
    """Give the words of every system, and of the data that every node is held against: they stand for other things."""
    lowered = [text.lower() for text in texts]
    return _SYSTEM.union(word for text in lowered for pattern in (_WORD, _PART) for word in pattern.findall(text))


class Anonymiser:
    """Makes pseudonyms with a key: the same each time.

    A name that is one of `words` is replaced only where a text says that it is a name: it stands for other things too.
    """

    def __init__(self, key: bytes, names: dict[str, str], words: frozenset[str] = frozenset()) -> None:
        self._key = key
        self._names = {name.lower(): kind for name, kind in names.items()}
        self._plain = frozenset(name for name in self._names if name in words)
        inside = sorted((name for name in self._names if len(name) >= _SHORTEST), key=lambda name: (-len(name), name))
        joined = "|".join(re.escape(name) for name in inside if name not in self._plain)
        self._known = re.compile(rf"{_NAME_APART}(?:{joined})(?![A-Za-z0-9])", re.IGNORECASE) if joined else None
        near = (_NEAR, *(f"(?i:{_in_bytes(name)})" for name in (*inside, *self._plain)))
        self._near = compiled("|".join(near))
        self.address = lru_cache(maxsize=65536)(self._address)

    def record(self, value: T) -> T:
        """Give a record with pseudonyms; its own words and ids stay."""
        made = self._walked(value, "")
        return made if isinstance(made, type(value)) else value

    def json(self, data: bytes) -> bytes:
        """Put pseudonyms into the strings of a JSON text, as `record` does."""
        told = msgspec.json.decode(data, type=object)
        return msgspec.json.encode(self._walked(told, ""))

    def lines(self, data: bytes) -> bytes:
        """Put pseudonyms into lines of JSON."""
        return b"".join(self.json(line) + b"\n" for line in data.splitlines())

    def text(self, text: str) -> str:
        """Put pseudonyms for all addresses and names in a text, which may be a name as a whole."""
        if text.lower() in self._names and text.lower() not in self._plain:
            return self.name(text)
        data = text.encode("utf-8", "surrogatepass")
        made = self.data(data)
        return text if made == data else made.decode("utf-8", "surrogatepass")

    def data(self, data: bytes) -> bytes:
        """Put pseudonyms for all addresses and names in what a file holds, in the lines that may hold any."""
        pieces: list[bytes] = []
        at = 0
        while hit := self._near.search(data, at):
            start = max(at, data.rfind(b"\n", at, hit.start()) + 1)
            end = data.find(b"\n", hit.start())
            end = len(data) if end < 0 else end
            line = data[start:end].decode("utf-8", "surrogateescape")
            pieces += (data[at:start], self._line(line).encode("utf-8", "surrogateescape"))
            at = end
        return b"".join((*pieces, data[at:])) if pieces else data

    def _line(self, text: str) -> str:
        text = _MAC.sub(lambda match: self._mac(match[0]), text)
        text = _V6.sub(self._found, text)
        text = _V4.sub(self._found, text)
        if self._known is not None:
            text = self._known.sub(lambda match: self.name(match[0]), text)
        return self._said(text) if self._plain else text

    def _said(self, text: str) -> str:
        """Put pseudonyms for names that are words too, where the text says that they are names."""
        for pattern in _SAID:
            spans = {match.span(kind) for match in pattern.finditer(text) for kind in match.groupdict()}
            for start, end in sorted(spans, reverse=True):
                if start >= 0 and text[start:end].lower() in self._plain:
                    text = text[:start] + self.name(text[start:end]) + text[end:]
        return text

    def name(self, name: str) -> str:
        """Give the pseudonym of a name: of what it is, and eight digits that come from the key.

        That a node is one of GKE's still shows: images are told by it.
        """
        kind = self._names.get(name.lower(), "name")
        of_gke = next((start for start in _GKE if kind in {"host", "node"} and name.lower().startswith(start)), "")
        return f"{of_gke}{kind}-{self._digest('name', name.lower()).hex()[:8]}"

    def _walked(self, value: object, name: str) -> object:  # noqa: PLR0911 - one for each kind of value
        match value:
            case Enum():
                return value
            case str():
                return self._field(name, value)
            case bytes():
                return self.data(value)
            case list():
                return [self._walked(one, name) for one in value]
            case tuple():
                return tuple(self._walked(one, name) for one in value)
            case dict():
                return {self._key_of(key): self._under(key, one) for key, one in value.items()}
            case msgspec.Struct():
                fields = ((field, getattr(value, field)) for field in value.__struct_fields__)
                return msgspec.structs.replace(value, **{field: self._under(field, one) for field, one in fields})
            case _:
                return value

    def _key_of(self, key: object) -> object:
        return self.text(key) if isinstance(key, str) and not isinstance(key, Enum) else key

    def _under(self, name: object, value: object) -> object:
        """Leave what stands under one of our own words, unless it has parts of its own."""
        own = name == _COUNTS or (name in _OWN_WORDS and not isinstance(value, dict | msgspec.Struct))
        return value if own else self._walked(value, str(name))

    def _field(self, name: str, text: str) -> str:
        """Put pseudonyms into what stands under a name, which may say that it is a name as a whole."""
        whole = text.lower() in self._plain and self._said(_as_field(name, text)) != _as_field(name, text)
        return self.name(text) if whole else self.text(text)

    def _digest(self, kind: str, text: str) -> bytes:
        return hmac.new(self._key, f"{kind} {text}".encode("utf-8", "surrogatepass"), hashlib.sha256).digest()

    def _mac(self, text: str) -> str:
        digits = re.sub("[^0-9a-fA-F]", "", text).lower()
        if digits in _NO_ONES_MAC or int(digits[:2], 16) & 1:  # nobody's, everybody's, or a group's
            return text
        made = f"02{self._digest('mac', digits).hex()[:10]}"
        shown = text[2].join(made[at : at + 2] for at in range(0, len(made), 2))
        return shown.upper() if text.upper() == text != text.lower() else shown

    def _found(self, match: re.Match[str]) -> str:
        """Give the pseudonym of an address in a text; the host part of a subnet stays as empty as it was."""
        try:
            address = ipaddress.ip_address(match[1])
        except ValueError:  # a time or a version
            return match[0]
        made, length = self.address(str(address)), match[2] or ""
        with suppress(ValueError):  # what stands before the slash is an address within the subnet
            if length and ipaddress.ip_network(match[0]).version:
                made = str(ipaddress.ip_network(f"{made}{length}", strict=False).network_address)
        return match[0] if made == str(address) else f"{made}{length}"

    def _address(self, text: str) -> str:
        """Turn each bit after the kept prefix over or not, as the key and the bits before it say."""
        address = ipaddress.ip_address(text)
        made_of_mac = isinstance(address, ipaddress.IPv6Address) and int(address) >> 24 & 0xFFFF == _MADE_OF_MAC
        if not made_of_mac and any(
            address in network for network in _AS_THEY_ARE if network.version == address.version
        ):
            return text
        width, value = address.max_prefixlen, int(address)
        networks = [network for network in _KEPT if network.version == address.version]
        made = 0
        for at in range(width):
            bit = value >> (width - at - 1) & 1
            prefix = value >> (width - at)
            if not any(network.prefixlen > at and _starts(network, prefix, at) for network in networks):
                bit ^= self._turn(address.version, prefix, at)
            made = made << 1 | bit
        return str(type(address)(made))

    def _turn(self, version: int, prefix: int, length: int) -> int:
        return self._digest(f"bit {version}", f"{prefix:x}/{length}")[0] & 1


def _in_bytes(name: str) -> str:
    """Give a pattern of the bytes of a name, each as the character of that number."""
    return re.escape(name.encode("utf-8", "surrogatepass").decode("latin-1"))


def _starts(network: _Network, prefix: int, length: int) -> bool:
    """Tell whether a network lies within those that start with a prefix."""
    return int(network.network_address) >> (network.max_prefixlen - length) == prefix


def anonymised(value: T, key: bytes, known: dict[str, str], words: frozenset[str] = frozenset()) -> T:
    """Give a report, or any other record, with pseudonyms, also for known names; its own words and ids stay."""
    return Anonymiser(key, learned(strings(value), known), words).record(value)


def strings(value: object, name: str = "") -> Iterator[str]:
    """Give all that a record says, each with the name it stands under."""
    match value:
        case Enum():
            return
        case str():
            yield _as_field(name, value)
        case bytes():
            yield value.decode("utf-8", "surrogateescape")
        case list() | tuple():
            for one in value:
                yield from strings(one, name)
        case dict():
            for key, one in value.items():
                yield from strings(one, str(key))
        case msgspec.Struct():
            for field in value.__struct_fields__:
                yield from strings(getattr(value, field), field)
        case _:
            return


def _as_field(name: str, text: str) -> str:
    return f'"{name}": "{text}"'
