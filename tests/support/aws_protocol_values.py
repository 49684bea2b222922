"""Random values of any shape of a service model, and what botocore makes of them on the wire."""

import random
import string
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from io import BytesIO
from typing import Any, Final
from urllib.parse import urlsplit

from botocore.awsrequest import AWSRequest, prepare_request_dict
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.serialize import create_serializer

from penstock.aws_api.protocol.head import Head

SIGNING_NAMES: Final = {"cloudwatch": "monitoring"}
_TEXT: Final = string.ascii_letters + string.digits + " -_./:&<>\"'%+=?#é雪\n"
_HEADER: Final = string.ascii_letters + string.digits + "-_./:&<>'%+=?#"
_LABEL: Final = string.ascii_letters + string.digits + " -_.:&%+=?#é~*"
_TOKEN: Final = string.ascii_lowercase + string.digits + "-"
_START: Final = datetime(2001, 1, 1, tzinfo=UTC)
_MAX_DEPTH: Final = 5
_NAMED: Final = ("query", "ec2")


@cache
def service_model(service: str) -> ServiceModel:
    return ServiceModel(Loader().load_service_model(service, "service-2"), service)


@dataclass
class Values:
    """Where a protocol has no way to write an empty structure or list, none is made."""

    seed: str
    protocol: str
    answering: bool = False

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    @property
    def _no_empties(self) -> bool:
        return self.protocol in _NAMED or self.protocol == "rest-xml"

    def structure(self, shape: Any, depth: int = 0) -> dict[str, Any]:
        members = dict(shape.members)
        if shape.is_tagged_union:
            name = self._random.choice(sorted(members))
            members = {name: members[name]}
        made = {}
        for name, member in members.items():
            wanted = name in shape.required_members or shape.is_tagged_union or self._random.random() < _chance(depth)
            if not wanted or (depth >= _MAX_DEPTH and name not in shape.required_members):
                continue
            value = self.value(member, depth + 1)
            if not (self._no_empties and value in ({}, [])):
                made[name] = value
        return made

    def value(self, shape: Any, depth: int = 0) -> Any:
        made = getattr(self, f"_{shape.type_name}", self._plain)
        return made(shape, depth)

    def _structure(self, shape: Any, depth: int) -> Any:
        if shape.is_document_type:
            return {"any": ["thing", 1, None, {"at": True}]}
        return self.structure(shape, depth)

    def _list(self, shape: Any, depth: int) -> list[Any]:
        if depth > _MAX_DEPTH + 2:
            return []
        located = shape.serialization.get("location")
        made = [
            self._located_text(located) if located and shape.member.type_name == "string" and not _enum(shape.member)
            else self.value(shape.member, depth + 1)
            for _ in range(self._random.randint(1, 3))
        ]  # fmt: skip
        return [each for each in made if not (self._no_empties and each in ({}, []))]

    def _map(self, shape: Any, depth: int) -> dict[str, Any]:
        if shape.serialization.get("location") == "headers":
            return {self._text(_TOKEN, 1, 9).strip("-") + "x": self._text(_HEADER, 1, 20) for _ in range(2)}
        keys = _enum(shape.key) or [self._text(string.ascii_letters, 1, 12) for _ in range(2)]
        return {key: self.value(shape.value, depth + 1) for key in keys[:3]}

    def _string(self, shape: Any, depth: int) -> Any:
        location = shape.serialization.get("location")
        if shape.serialization.get("jsonvalue"):
            return {"a": [1, "é"]}
        if shape.serialization.get("hostLabel"):
            return self._text(string.ascii_lowercase, 3, 9)
        enum = _enum(shape)
        return self._random.choice(enum) if enum else self._located_text(location)

    def _located_text(self, location: str | None) -> str:
        if location in ("header", "headers"):
            return self._text(_HEADER, 1, 30)
        return self._text(_LABEL, 1, 30) if location == "uri" else self._text(_TEXT, 0 if location is None else 1, 30)

    def _text(self, alphabet: str, least: int, most: int) -> str:
        return "".join(self._random.choices(alphabet, k=self._random.randint(least, most)))

    def _integer(self, shape: Any, depth: int) -> int:
        if shape.serialization.get("location") == "statusCode":
            return self._random.choice([200, 202, 204])
        return self._random.randint(-(2**31), 2**31 - 1)

    def _long(self, shape: Any, depth: int) -> int:
        return self._random.randint(-(2**53), 2**53)

    def _double(self, shape: Any, depth: int) -> float:
        return self._random.choice([0.0, 1.5, -2.25e10, 1e-7, 70.0])

    _float = _double

    def _boolean(self, shape: Any, depth: int) -> bool:
        return self._random.random() < 0.5

    def _blob(self, shape: Any, depth: int) -> bytes:
        return self._random.randbytes(self._random.randint(0, 40))

    def _timestamp(self, shape: Any, depth: int) -> datetime:
        whole = (
            shape.serialization.get("location") == "header" or shape.serialization.get("timestampFormat") == "rfc822"
        )
        milliseconds = self._random.randrange(10**12)
        return _START + timedelta(milliseconds=milliseconds - milliseconds % 1000 if whole else milliseconds)

    def _plain(self, shape: Any, depth: int) -> Any:
        raise AssertionError(f"no values of type {shape.type_name}")


def _chance(depth: int) -> float:
    return 0.8 if depth == 0 else 0.5


def _enum(shape: Any) -> list[str]:
    return list(shape.metadata.get("enum", []))


def protocol_of(service: str) -> str:
    return str(service_model(service).metadata["protocol"])


@dataclass(frozen=True)
class Sent:
    """A request as a server gets it."""

    head: Head
    body: BytesIO


def send(operation: Any, params: Mapping[str, Any], protocol: str) -> Sent:
    """What botocore writes of it, with a signature's scope."""
    service = operation.service_model.service_name
    serialized = create_serializer(protocol, include_validation=False).serialize_to_request(params, operation)
    prepare_request_dict(serialized, "http://127.0.0.1:4566")
    prepared = AWSRequest(
        method=serialized["method"], url=serialized["url"], data=serialized["body"], headers=serialized["headers"]
    ).prepare()
    scope = f"AKIAEXAMPLE/20260301/eu-west-1/{SIGNING_NAMES.get(service, service)}/aws4_request"
    headers = [(name.lower().encode(), _raw(value)) for name, value in prepared.headers.items()]
    headers += [
        (b"host", b"127.0.0.1:4566"),
        (b"authorization", f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0".encode()),
    ]
    body: Any = prepared.body or b""
    parts = urlsplit(prepared.url)
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    return Sent(Head(prepared.method, target, headers), BytesIO(body.encode() if isinstance(body, str) else body))


def _raw(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode()


def plain(value: Any) -> Any:
    """With files read, so that values can be compared."""
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    return value.read() if hasattr(value, "read") else value
