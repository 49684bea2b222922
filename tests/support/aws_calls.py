"""Calling a service of the AWS endpoint as the door does, with botocore's models as the judge of both directions."""

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from inspect import isawaitable
from typing import Any, Final

import pytest
from botocore.loaders import Loader
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StructureShape
from botocore.validate import ParamValidator

from penstock.aws_api.service import Call, Context, FilePart, Service, ServiceError

_LOADER: Final = Loader()


@lru_cache
def model_of(service: str) -> ServiceModel:
    return ServiceModel(_LOADER.load_service_model(service, "service-2"), service)


class Calls:
    """`await calls("GetRole", RoleName="r")`: parameters and answer must fit the operation's shapes."""

    def __init__(
        self,
        service: Service,
        *,
        region: str = "us-east-1",
        account_id: str = "123456789012",
        access_key_id: str = "AKIAEXAMPLE",
    ) -> None:
        self.service = service
        request_id = "11111111-2222-4333-8444-555555555555"
        self.context = Context(region, account_id, request_id, "http://127.0.0.1:4566", access_key_id)

    async def __call__(self, operation: str, **params: Any) -> dict[str, Any]:
        """Raises ServiceError."""
        shapes = model_of(self.service.name).operation_model(operation)
        if shapes.input_shape is not None:
            report = ParamValidator().validate(params, shapes.input_shape)
            assert not report.has_errors(), report.generate_report()
        answer = self.service.operations[operation](Call(operation, params, self.context))
        if isawaitable(answer):
            answer = await answer
        assert isinstance(answer, dict)
        check_answer(shapes.output_shape, answer, operation)
        return answer

    async def refused(self, operation: str, **params: Any) -> ServiceError:
        with pytest.raises(ServiceError) as caught:
            await self(operation, **params)
        return caught.value


def check_answer(shape: Shape | None, answer: Mapping[str, Any], name: str) -> None:
    """Fails on members that the shape does not know, on wrong types, and on required ones that are missing."""
    if shape is None:
        assert answer == {}, f"{name} has no output, got {answer}"
        return
    _check(shape, answer, name)


# What AWS answers although its model does not have it. An internet gateway that is attached is `available`:
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_InternetGatewayAttachment.html
_OUTSIDE_ENUMS: Final = {("AttachmentStatus", "available")}
_KINDS: Final[dict[str, tuple[type, ...]]] = {
    "string": (str,),
    "integer": (int,),
    "long": (int,),
    "boolean": (bool,),
    "timestamp": (datetime,),
    "blob": (bytes, FilePart),
    "float": (float, int),
    "double": (float, int),
}


def _check(shape: Shape, value: Any, path: str) -> None:
    if isinstance(shape, StructureShape):
        _check_structure(shape, value, path)
    elif isinstance(shape, ListShape):
        assert isinstance(value, list), f"{path}: {value!r} is no list"
        for number, one in enumerate(value):
            _check(shape.member, one, f"{path}[{number}]")
    elif isinstance(shape, MapShape):
        assert isinstance(value, dict), f"{path}: {value!r} is no map"
        for key, one in value.items():
            assert isinstance(key, str), f"{path}: {key!r} is no text"
            _check(shape.value, one, f"{path}.{key}")
    else:
        _check_scalar(shape, value, path)


def _check_structure(shape: StructureShape, value: Any, path: str) -> None:
    if shape.serialization.get("eventstream"):
        assert hasattr(value, "__aiter__"), f"{path}: {value!r} is no stream of events"
        return
    assert isinstance(value, dict), f"{path}: {value!r} is no structure"
    unknown = set(value) - set(shape.members)
    assert not unknown, f"{path} has no members {sorted(unknown)}"
    missing = set(shape.required_members) - set(value)
    assert not missing, f"{path} lacks {sorted(missing)}"
    for name, one in value.items():
        _check(shape.members[name], one, f"{path}.{name}")


def _check_scalar(shape: Shape, value: Any, path: str) -> None:
    kinds = _KINDS[shape.type_name]
    assert isinstance(value, kinds), f"{path}: {value!r} is no {shape.type_name}"
    assert isinstance(value, bool) == (shape.type_name == "boolean"), f"{path}: {value!r} is no {shape.type_name}"
    if isinstance(value, datetime):
        assert value.tzinfo is not None, f"{path}: {value!r} has no time zone"
    enum = getattr(shape, "enum", None)
    assert not enum or value in enum or (shape.name, value) in _OUTSIDE_ENUMS, f"{path}: {value!r} is none of {enum}"
