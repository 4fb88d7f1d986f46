"""Secrets of every kind met on nodes, made up here, in every way in which files, logs and command lines hold them."""

import base64
import json
import random
import string
from collections.abc import Callable
from typing import Final, NamedTuple

ALNUM: Final = string.ascii_letters + string.digits
LOWER: Final = string.ascii_lowercase + string.digits
UPPER: Final = string.ascii_uppercase + string.digits
HEX: Final = "0123456789abcdef"
URL_SAFE: Final = ALNUM + "-_"
B64: Final = ALNUM + "+/"
WINDOW: Final = 8


class Secret(NamedTuple):
    """A value, its name (empty where the value tells by itself), and what of it must not be seen."""

    kind: str
    name: str
    value: str
    core: str

    @property
    def left(self) -> Callable[[str], bool]:
        """What tells whether any piece of the secret is left in a text."""
        size = min(WINDOW, len(self.core))
        pieces = {
            self.core[at : at + size]
            for at in range(len(self.core) - size + 1)
            if "\n" not in self.core[at : at + size]
        }
        return lambda text: any(piece in text for piece in pieces)


def _letters(seed: str, alphabet: str, count: int) -> str:
    made = random.Random(seed).choices(alphabet, k=count)
    return "".join(made[:-1]) + ("7" if alphabet != string.ascii_uppercase else "Q") if count > 1 else "7"


def _pem(seed: str, kind: str) -> tuple[str, str]:
    body = _letters(seed, B64, 200)
    lines = "\n".join(body[at : at + 64] for at in range(0, len(body), 64))
    return f"-----BEGIN {kind}PRIVATE KEY-----\n{lines}\n-----END {kind}PRIVATE KEY-----\n", lines


def _jwt(seed: str) -> str:
    head = base64.urlsafe_b64encode(b'{"alg":"RS256","kid":"x"}').decode().rstrip("=")
    claims = base64.urlsafe_b64encode(b'{"sub":"system:serviceaccount:a:b"}').decode().rstrip("=")
    return f"{head}.{claims}.{_letters(seed, URL_SAFE, 80)}"


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


# prefix, alphabet and length of what follows, what follows that
_MARKED: Final[dict[str, tuple[tuple[str, str, int, str], ...]]] = {
    "bootstrap token": (("q1w2e3.", LOWER, 16, ""), ("zx9cv8.", LOWER, 16, "")),
    "google api key": (("AIzaSy", URL_SAFE, 33, ""), ("AIzaSyB", URL_SAFE, 32, "")),
    "google access token": (("ya29.a0", URL_SAFE, 120, ""), ("ya29.c.b0", URL_SAFE, 60, "")),
    "google client secret": (("GOCSPX-", URL_SAFE, 28, ""), ("GOCSPX-a", URL_SAFE, 27, "")),
    "google refresh token": (("1//0g", URL_SAFE, 60, ""), ("1//03", URL_SAFE, 60, "")),
    "aws key id": (("AKIA", UPPER, 16, ""), ("ASIA", UPPER, 16, "")),
    "azure client secret": (("ab18Q~", URL_SAFE, 34, ""), ("x_.7Q~", URL_SAFE, 34, "")),
    "github token": (("ghp_", ALNUM, 36, ""), ("github_pat_11A", ALNUM, 70, "")),
    "gitlab token": (("glpat-", URL_SAFE, 20, ""), ("glrt-", URL_SAFE, 20, "")),
    "slack token": (("xoxb-", string.digits, 12, "-0123"), ("xapp-1-", ALNUM, 40, "")),
    "stripe key": (("sk_live_", ALNUM, 24, ""), ("rk_test_", ALNUM, 24, "")),
    "sendgrid key": (("SG.a1B2c3D4e5F6g7H8i9J0.", URL_SAFE, 43, ""), ("SG.Z1B2c3D4e5F6g7H8i9J0.", URL_SAFE, 43, "")),
    "npm token": (("npm_", ALNUM, 36, ""), ("npm_Z", ALNUM, 35, "")),
    "pypi token": (("pypi-AgEIcHlwaS5vcmc", URL_SAFE, 100, ""), ("pypi-AgENdGVzdC5weXBpLm9yZw", URL_SAFE, 90, "")),
    "hugging face token": (("hf_", string.ascii_letters, 33, ""), ("hf_Q", string.ascii_letters, 32, "")),
    "docker hub token": (("dckr_pat_", URL_SAFE, 27, ""),),
    "vault token": (("hvs.", URL_SAFE, 90, ""),),
    "crypt hash": (("$6$saltSALT$", ALNUM + "./", 86, ""), ("$2b$12$", ALNUM + "./", 53, "")),
    "slack webhook": (("https://hooks.slack.com/services/T0AB/B0CD/", ALNUM, 24, ""),),
    "signed url": (
        ("https://storage.googleapis.com/b/o?X-Goog-Expires=900&X-Goog-Signature=", HEX, 128, "&x=y"),
        ("https://b.s3.amazonaws.com/o?X-Amz-Signature=", HEX, 64, "&X-Amz-Expires=60"),
        ("https://a.blob.core.windows.net/c/o?sv=2022-11-02&se=2026&sig=", ALNUM, 40, "%3D"),
    ),
    "password in a url": (
        ("https://user:", ALNUM, 16, "@registry.example/v2/"),
        ("postgres://app:", ALNUM + "!+", 20, "@10.0.0.1:5432/db"),
        ("redis://:", ALNUM, 14, "@cache:6379/0"),
    ),
    "azure connection string": (
        ("DefaultEndpointsProtocol=https;AccountName=a;AccountKey=", B64, 86, "==;EndpointSuffix=core.windows.net"),
        ("Endpoint=sb://x.servicebus.windows.net/;SharedAccessKeyName=r;SharedAccessKey=", B64, 43, "="),
    ),
    "authorization header": (
        ("Authorization: Bearer ", URL_SAFE, 40, ""),
        ("Authorization: Basic ", ALNUM, 24, ""),
        ("X-Registry-Auth: Bearer ", URL_SAFE, 40, ""),
    ),
    "cookie": (("Cookie: session=", ALNUM, 32, ""), ("Set-Cookie: sid=", ALNUM, 32, "; HttpOnly")),
}  # fmt: skip
_NAMED: Final[dict[str, tuple[tuple[str, str, int], ...]]] = {
    "aws secret": (("aws_secret_access_key", B64, 40), ("aws_session_token", B64, 200)),
    "registry auth": (("auth", ALNUM, 32), ("identitytoken", URL_SAFE, 60), ("registrytoken", URL_SAFE, 60)),
    "registry password": (("registry_password", ALNUM, 20), ("docker_password", ALNUM + "!%", 18)),
    "docker config": ((".dockerconfigjson", ALNUM, 160), (".dockercfg", ALNUM, 120)),
    "kubeconfig key": (("client-key-data", ALNUM, 400),),
    "kubeconfig token": (("token", URL_SAFE, 48), ("id-token", URL_SAFE, 64), ("refresh-token", URL_SAFE, 64)),
    "password": (("password", ALNUM, 12), ("db_password", ALNUM + "!+", 16), ("rootPassword", ALNUM, 10)),
    "client secret": (("client_secret", ALNUM, 40), ("clientSecret", ALNUM, 40)),
    "api key": (("api_key", HEX, 32), ("DD_API_KEY", HEX, 32), ("x-api-key", ALNUM, 32)),
    "kube-env key": (("KUBELET_KEY", B64, 400), ("CA_KEY", B64, 400), ("KUBE_BEARER_TOKEN", ALNUM, 32)),
    "passphrase": (("passphrase", ALNUM, 20),),
    "hmac key": (("hmac_key", HEX, 64), ("encryption-key", B64, 43)),
}


def _all() -> tuple[Secret, ...]:
    made: list[Secret] = []
    for kind, shapes in _MARKED.items():
        for start, alphabet, count, end in shapes:
            core = _letters(start, alphabet, count)
            made.append(Secret(kind, "", start + core + end, core))
    for kind, names in _NAMED.items():
        for name, alphabet, count in names:
            core = _letters(name, alphabet, count)
            made.append(Secret(kind, name, core, core))
    for seed, key in (("a", "RSA "), ("b", "EC "), ("c", ""), ("d", "OPENSSH ")):
        value, core = _pem(seed, key)
        made.append(Secret("private key", "", value, core))
        made.append(Secret("private key in base64", "", _b64(value), _b64(value)[60:]))
    made += (Secret("service account token", "", _jwt(seed), _jwt(seed)[-80:]) for seed in "ab")
    account = json.dumps({"type": "service_account", "private_key": _pem("e", "")[0]}, separators=(",", ":"))
    made.append(Secret("service account file in base64", "", _b64(account), _b64(account)[60:]))
    registries = json.dumps({"auths": {"gcr.io": {"auth": _letters("f", ALNUM, 60)}}}, separators=(",", ":"))
    made.append(Secret("docker config in base64", "", _b64(registries), _b64(registries)[20:]))
    return tuple(made)


SECRETS: Final = _all()
LINES: Final = tuple(secret for secret in SECRETS if "\n" not in secret.value)
WORDS: Final = Secret("password of several words", "password", "correct horse, battery; staple 7", "battery; staple 7")


def _upper(name: str) -> str:
    return name.strip(".").upper().replace("-", "_").replace(".", "_") or "VALUE"


def _wrapped(value: str, indent: str) -> str:
    return "\n".join(indent + line for line in value.rstrip("\n").split("\n"))


def _in_json(name: str, value: str) -> str:
    return json.dumps({"a": {"user": "x", name: value, "z": 1}}, separators=(",", ":"))


# each takes a name and a value of one line
FORMATS: Final[dict[str, Callable[[str, str], str]]] = {
    "text": lambda name, value: f"could not log in with {name}: {value} at 10.0.0.1",
    "logfmt": lambda name, value: f'level=error msg="no" {name}={value} next=1',
    "logfmt in quotes": lambda name, value: f'level=error msg="no" {name}={json.dumps(value)} next=1',
    "json": _in_json,
    "json in lines": lambda name, value: json.dumps({"a": {name: value, "z": 1}}, indent=2),
    "json over a line break": lambda name, value: f'{{\n  "{name}":\n    {json.dumps(value)},\n  "z": 1\n}}',
    "json in json": lambda name, value: json.dumps({"message": _in_json(name, value)}),
    "json in json in json": lambda name, value: json.dumps({"m": json.dumps({"message": _in_json(name, value)})}),
    "json list": lambda name, value: json.dumps({"a": {name: ["first-one", value], "z": 1}}),
    "json list in lines": lambda name, value: json.dumps({"a": {name: ["first-one", value], "z": 1}}, indent=2),
    "json list in json": lambda name, value: json.dumps({"m": json.dumps({"a": {name: ["one1", value], "z": 1}})}),
    "container's variables": lambda name, value: json.dumps([{"name": _upper(name), "value": value}], indent=1),
    "container's inspection": lambda name, value: json.dumps({"Env": ["PATH=/bin", f"{_upper(name)}={value}"]}),
    "pod's variables": lambda name, value: f"env:\n- name: {_upper(name)}\n  value: {json.dumps(value)}\nimage: x",
    "yaml": lambda name, value: f"users:\n- name: x\n  user:\n    {name}: {value}\n    other: y\n",
    "yaml in double quotes": lambda name, value: f"a:\n  {name}: {json.dumps(value)}\n  b: c\n",
    "yaml in single quotes": lambda name, value: f"a:\n  {name}: '{value}'\n  b: c\n",
    "yaml block": lambda name, value: f"a:\n  {name}: |\n    first line\n\n    {value}\n    last\n  b: c\n",
    "yaml folded block": lambda name, value: f"a:\n- {name}: >-\n    first\n    {value}\n  b: c\n",
    "yaml next line": lambda name, value: f"a:\n  {name}:\n    {value}\n  b: c\n",
    "yaml list": lambda name, value: f"a:\n  {name}:\n  - first-one\n  - {json.dumps(value)}\n  - {value}\n  b: c\n",
    "yaml flow": lambda name, value: f"a: {{user: x, {name}: {value}, b: c}}\n",
    "yaml flow list": lambda name, value: f"a: {{user: x, {name}: [one1, {json.dumps(value)}], b: c}}\n",
    "yaml with an anchor": lambda name, value: f"a:\n  {name}: &anchor {value}\n  b: c\n",
    "toml": lambda name, value: f"[plugins.registry]\n  user = 'x'\n  {name} = {json.dumps(value)}\n  z = 1\n",
    "toml literal": lambda name, value: f"[plugins.registry]\n  {name} = '{value}'\n  z = 1\n",
    "toml over lines": lambda name, value: f'[a]\n{name} = """\nfirst\n{value}\n"""\nz = 1\n',
    "toml array": lambda name, value: f'[a]\n{name} = [\n  "first-one",\n  {json.dumps(value)},\n]\nz = 1\n',
    "toml in line": lambda name, value: f'auths = {{ "gcr.io" = {{ {name} = {json.dumps(value)} }} }}\n',
    "ini": lambda name, value: f"[client]\nuser = x\n{name} = {value}\nport = 1\n",
    "flag": lambda name, value: f"/usr/bin/x --user=y --{name}={value} --v=2",
    "flag and word": lambda name, value: f"/usr/bin/x --user y --{name} {value} --v 2",
    "flag in quotes": lambda name, value: f"/usr/bin/x --{name}={json.dumps(value)} --{name} '{value}' --v=2",
    "flag over lines": lambda name, value: f"/usr/bin/x \\\n  --{name} \\\n  {value} \\\n  --v=2\n",
    "flags in a list": lambda name, value: json.dumps({"args": [f"--{name}={value}", f"--{name}", value, "--v=2"]}),
    "flags in yaml": lambda name, value: f"command:\n- x\n- --{name}={value}\n- --v=2\n",
    "command line": lambda name, value: f"/usr/bin/x\0--{name}={value}\0--v=2\0",
    "command line of words": lambda name, value: f"/usr/bin/x\0--{name}\0{value}\0--v=2\0",
    "environ": lambda name, value: f"PATH=/bin\0{_upper(name)}={value}\0HOME=/\0",
    "env": lambda name, value: f"A=b\n{_upper(name)}={value}\nC=d\n",
    "env in quotes": lambda name, value: f"A=b\nexport {_upper(name)}={json.dumps(value)}\nC=d\n",
    "unit": lambda name, value: f'[Service]\nEnvironment="{_upper(name)}={value}"\nExecStart=/bin/x --{name}={value}\n',
    "kube-env": lambda name, value: f'ALLOCATE_NODE_CIDRS: "true"\n{_upper(name)}: {value}\nZONE: x\n',
    "kube-env in quotes": lambda name, value: f"A: b\n{_upper(name)}: '{value}'\nZONE: x\n",
    "kube-env in metadata": lambda name, value: json.dumps({"kube-env": f"A: b\n{_upper(name)}: {value}\nZONE: x\n"}),
    "manifest of a secret": lambda _, value: f"kind: Secret\ndata:\n  x: {value}\n  y: {value}\ntype: Opaque\n",
    "struct": lambda name, value: f"&Config{{User:x {_upper(name).title().replace('_', '')}:{value} Z:1}}",
}  # fmt: skip


def plain(secret: Secret) -> dict[str, str]:
    """Give a secret of one line in every way in which such a thing is written."""
    formats = (name for name in FORMATS if not (name == "struct" and secret.kind == "kube-env key"))
    return {name: FORMATS[name](secret.name or "x", secret.value) for name in formats}


# in which a value of several words has its bounds
BOUNDED: Final = (
    "logfmt in quotes", "json", "json in lines", "json over a line break", "json in json", "json in json in json",
    "json list", "json list in lines", "json list in json", "container's variables", "container's inspection",
    "pod's variables", "yaml", "yaml in double quotes", "yaml in single quotes", "yaml block",
    "yaml folded block", "toml", "toml literal", "toml over lines", "toml array", "toml in line", "ini",
    "flag in quotes", "command line", "command line of words", "environ", "env", "env in quotes", "kube-env",
    "kube-env in quotes", "manifest of a secret",
)  # fmt: skip
# each takes a value of several lines, as a private key is
LONG_FORMATS: Final[dict[str, Callable[[str], str]]] = {
    "file": lambda value: value,
    "among others": lambda value: (
        f"# keys\n{value}# end\n-----BEGIN CERTIFICATE-----\nTUlJRGRU\n-----END CERTIFICATE-----\n"
    ),
    "json": lambda value: json.dumps({"type": "service_account", "private_key": value, "client_email": "x"}),
    "json in json": lambda value: json.dumps({"m": json.dumps({"private_key": value})}),
    "yaml": lambda value: f"a:\n  tls.key: |\n{_wrapped(value, '    ')}\n  b: c\n",
    "yaml under any name": lambda value: f"a:\n  data: |\n{_wrapped(value, '    ')}\n  b: c\n",
    "yaml in quotes": lambda value: f"a:\n  data: {json.dumps(value)}\n  b: c\n",
    "toml": lambda value: f'key = """\n{value}"""\nb = 1\n',
    "journal": lambda value: _wrapped(value, "Nov 22 00:00:00 node app[1]: ") + "\nNov 22 00:00:01 node app[1]: on\n",
    "journal in json": lambda value: "\n".join(json.dumps({"MESSAGE": line}) for line in value.split("\n")),
    "command line": lambda value: f"x\0--data={value}\0--v=2\0",
    "environ": lambda value: f"A=b\0KEY={value}\0C=d\0",
    "cut": lambda value: value[: value.index("-----END")],
    "one line": lambda value: value.replace("\n", " "),
    "escaped": lambda value: value.replace("\n", "\\n"),
}
