"""A kubeconfig, reduced to its public parts where it is read: which server, whose authority, and how one logs in.

Keys, tokens and passwords stay in the child that reads the file; no error quotes it. See "Organizing Cluster Access
Using kubeconfig Files" in Kubernetes' documentation.
"""

import binascii
import posixpath
from typing import Final

import msgspec

from nodediag.errors import ParseError
from nodediag.host import certificates, yaml_text
from nodediag.host.answer import CertificateList, Content, KubeconfigAnswer, Reply
from nodediag.host.answer_parts import Login
from nodediag.host.yaml_text import Yaml, text_at
from nodediag.redact import counted, redact_text

CAP_BYTES: Final = 256 * 1024
_MOST_LETTERS: Final = 300
# The first that a user has counts, in the order of client-go's transport.
_LOGINS: Final = {
    "exec": Login.PROGRAM, "auth-provider": Login.PROGRAM, "client-certificate-data": Login.CERTIFICATE,
    "client-certificate": Login.CERTIFICATE, "tokenFile": Login.TOKEN, "token": Login.TOKEN,
    "username": Login.PASSWORD,
}  # fmt: skip


def answer(path: str, read: Reply) -> Reply:
    """Make what reading a file gave the answer to a question for a kubeconfig."""
    if not isinstance(read, Content):
        return read
    try:
        loaded = yaml_text.load(read.data.decode("utf-8", "backslashreplace"), path, quote=False)
        return reduced(loaded, posixpath.dirname(path))
    except ParseError:
        return certificates.unreadable(path, ValueError("no YAML"))
    except ValueError as error:
        return certificates.unreadable(path, error)


def reduced(loaded: Yaml, folder: str) -> KubeconfigAnswer:
    """Keep what is public of the context in use; raises ValueError for what is no kubeconfig."""
    if not isinstance(loaded, dict):
        raise ValueError("no kubeconfig")  # noqa: TRY004 - of a file, not of an argument
    context = _chosen(loaded, "contexts", "context", text_at(loaded, "current-context"))
    cluster = _chosen(loaded, "clusters", "cluster", text_at(context, "cluster"))
    user = _chosen(loaded, "users", "user", text_at(context, "user"))
    keys = user if isinstance(user, dict) else {}
    counted()
    server = redact_text(_plain(text_at(cluster, "server")))
    return KubeconfigAnswer(
        server=server,
        login=next((login for key, login in _LOGINS.items() if keys.get(key)), Login.NONE),
        authority_path=_path(text_at(cluster, "certificate-authority"), folder),
        authority=_inline(text_at(cluster, "certificate-authority-data")),
        client_path=_path(text_at(user, "client-certificate"), folder),
        client=_inline(text_at(user, "client-certificate-data")),
        masked=counted() or msgspec.UNSET,
    )


def _chosen(loaded: Yaml, listed: str, kind: str, name: str) -> Yaml:
    """Give the entry of a name; where none is named, the only one."""
    held = loaded.get(listed) if isinstance(loaded, dict) else None
    entries = [entry for entry in held if isinstance(entry, dict)] if isinstance(held, list) else []
    if not name and len(entries) == 1:
        return entries[0].get(kind)
    return next((entry.get(kind) for entry in entries if entry.get("name") == name), None)


def _path(text: str, folder: str) -> str:
    """Give a path of the node; one that is relative is so to the kubeconfig's folder."""
    return posixpath.normpath(posixpath.join(folder, _plain(text))) if text else ""


def _plain(text: str) -> str:
    """Cut a text to what a report may hold, and leave nothing in it that is no text."""
    return text[:_MOST_LETTERS].encode("utf-8", "backslashreplace").decode()


def _inline(text: str) -> CertificateList:
    if not text:
        return CertificateList((), 0)
    try:
        data = binascii.a2b_base64(text)
    except ValueError:
        raise ValueError("a certificate is not in base64") from None
    return certificates.in_pem(data)
