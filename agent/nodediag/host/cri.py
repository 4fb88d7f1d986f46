"""The CRI, by which the kubelet talks to its container runtime: calls that only read, with one deadline for all.

gRPC and protobuf are an extra of ours; without them nothing is asked. Of the messages only the fields are declared that
are read here, by their numbers in Kubernetes' cri-api, pkg/apis/runtime/v1/api.proto: v1alpha2 has the same numbers.
"""

import time
from typing import Final, TypeAlias

from nodediag.host.answer import CriAnswer, Failure
from nodediag.host.answer_parts import RuntimeCondition, RuntimeHandler
from nodediag.model.reason import Code, Reason

MISSING: Final = Reason(
    code=Code.NOT_ASKED,
    detail="the runtime was not asked by the CRI: this installation of nodediag has no gRPC",
    needs="grpcio and protobuf beside nodediag, its extra `cri`: pip install 'nodediag[cri]'",
)
_VERSIONS: Final = ("v1", "v1alpha2")
_MOST_BYTES: Final = 1024 * 1024
_MOST: Final = 100
_TEXT: Final = 2000
_DRIVERS: Final = {0: "systemd", 1: "cgroupfs"}
_OPTIONS: Final = (
    ("grpc.max_receive_message_length", _MOST_BYTES), ("grpc.enable_http_proxy", 0), ("grpc.enable_retries", 0),
    ("grpc.default_authority", "localhost"), ("grpc.use_local_subchannel_pool", 1),
)  # fmt: skip
# Message -> field -> (number, kind); a kind that is no scalar is another message, `*` before it means repeated.
_MESSAGES: Final = {
    "VersionRequest": {"version": (1, "string")},
    "VersionResponse": {"runtime_name": (2, "string"), "runtime_version": (3, "string")},
    "StatusRequest": {},
    "StatusResponse": {"status": (1, "RuntimeStatus"), "runtime_handlers": (3, "*RuntimeHandler")},
    "RuntimeStatus": {"conditions": (1, "*RuntimeCondition")},
    "RuntimeCondition": {
        "type": (1, "string"), "status": (2, "bool"), "reason": (3, "string"), "message": (4, "string"),
    },
    "RuntimeHandler": {"name": (1, "string"), "features": (2, "RuntimeHandlerFeatures")},
    "RuntimeHandlerFeatures": {"recursive_read_only_mounts": (1, "bool"), "user_namespaces": (2, "bool")},
    "RuntimeConfigRequest": {},
    "RuntimeConfigResponse": {"linux": (1, "LinuxRuntimeConfiguration")},
    "LinuxRuntimeConfiguration": {"cgroup_driver": (1, "int32")},
}  # fmt: skip
_Names: TypeAlias = dict[str, dict[str, tuple[int, str]]]


def ask(fd: int, path: str, budget_s: float) -> CriAnswer | Failure:
    """Ask the runtime at a socket, by a descriptor of its path."""
    try:
        import google.protobuf  # noqa: F401, PLC0415 - an extra
        import grpc  # noqa: PLC0415 - an extra
    except ImportError:
        return Failure(MISSING)
    channel = grpc.insecure_channel(f"unix:/proc/self/fd/{fd}", options=_OPTIONS)
    try:
        return _Runtime(channel, time.monotonic() + budget_s).told()
    except grpc.RpcError as error:
        return _failure(path, error.code(), str(error.details() or ""))
    finally:
        channel.close()


class _Runtime:
    """The service of a runtime, in the first version of the CRI that it speaks."""

    def __init__(self, channel: object, until: float) -> None:
        from google.protobuf import descriptor_pool, message_factory  # noqa: PLC0415 - an extra

        pool = descriptor_pool.DescriptorPool()
        pool.Add(_file(_MESSAGES))
        self._classes = {
            name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"cri.{name}")) for name in _MESSAGES
        }
        self._channel = channel
        self._until = until
        self._api = _VERSIONS[0]

    def told(self) -> CriAnswer:
        """Ask all that is asked; raises grpc.RpcError."""
        import grpc  # noqa: PLC0415 - an extra

        try:
            version = self._call("Version")
        except grpc.RpcError as error:
            if error.code() is not grpc.StatusCode.UNIMPLEMENTED:
                raise
            self._api = _VERSIONS[1]
            version = self._call("Version")
        status = self._call("Status")
        try:
            config = self._call("RuntimeConfig")
            driver = _DRIVERS.get(config.linux.cgroup_driver, "") if config.HasField("linux") else ""
        except grpc.RpcError:  # a runtime before the call, or its time was over: the rest is known
            driver = ""
        return CriAnswer(
            api=self._api,
            name=_cut(version.runtime_name),
            version=_cut(version.runtime_version),
            conditions=tuple(
                RuntimeCondition(_cut(one.type), bool(one.status), _cut(one.reason), _cut(one.message))
                for one in status.status.conditions[:_MOST]
            ),
            handlers=tuple(
                RuntimeHandler(
                    _cut(one.name),
                    recursive_read_only_mounts=bool(one.features.recursive_read_only_mounts),
                    user_namespaces=bool(one.features.user_namespaces),
                )
                for one in status.runtime_handlers[:_MOST]
            ),
            cgroup_driver=driver,
        )

    def _call(self, method: str):  # type: ignore[no-untyped-def] # noqa: ANN202 - a message made at run time
        call = self._channel.unary_unary(  # type: ignore[attr-defined] # grpc has no types
            f"/runtime.{self._api}.RuntimeService/{method}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=self._classes[f"{method}Response"].FromString,
        )
        return call(self._classes[f"{method}Request"](), timeout=max(self._until - time.monotonic(), 0.001))


def _file(messages: _Names):  # type: ignore[no-untyped-def] # noqa: ANN202 - protobuf has no types
    """Declare the messages as protoc would."""
    from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto  # noqa: PLC0415 - an extra

    scalars = {
        "string": FieldDescriptorProto.TYPE_STRING,
        "bool": FieldDescriptorProto.TYPE_BOOL,
        "int32": FieldDescriptorProto.TYPE_INT32,
    }
    file = FileDescriptorProto(name="cri.proto", package="cri", syntax="proto3")
    for name, fields in messages.items():
        message = file.message_type.add(name=name)
        for field, (number, kind) in fields.items():
            plain = kind.removeprefix("*")
            many = FieldDescriptorProto.LABEL_REPEATED if kind != plain else FieldDescriptorProto.LABEL_OPTIONAL
            added = message.field.add(name=field, number=number, label=many)
            if plain in scalars:
                added.type = scalars[plain]
            else:
                added.type, added.type_name = FieldDescriptorProto.TYPE_MESSAGE, f".cri.{plain}"
    return file


def _failure(path: str, code: object, details: str) -> Failure:
    import grpc  # noqa: PLC0415 - an extra

    codes = {
        grpc.StatusCode.DEADLINE_EXCEEDED: Code.TIMED_OUT,
        grpc.StatusCode.UNIMPLEMENTED: Code.UNSUPPORTED,
        grpc.StatusCode.RESOURCE_EXHAUSTED: Code.TOO_LARGE,
        grpc.StatusCode.PERMISSION_DENIED: Code.NOT_PERMITTED,
    }
    said = _cut(details) or "no words"
    return Failure(
        Reason(
            code=codes.get(code, Code.CRASHED), detail=f"{path}: {said[:500]}", needs="a runtime that speaks the CRI"
        )
    )


def _cut(text: str) -> str:
    return text[:_TEXT]
