"""The Lambda service over a store in memory, with a host that runs nothing and tells what it was asked."""

import io
import zipfile
from dataclasses import dataclass, field
from typing import Any, Final

from penstock.aws_api.functions import LambdaService
from penstock.aws_api.service import Answer, Call, Dispatcher, Operation, ServiceError
from penstock.aws_api.store import Store
from penstock.control_plane.scaling_config import ScalingConfig
from penstock.model.function import CapacityProvider, Function
from penstock.router import Router
from support.aws_calls import Calls
from support.clock import VirtualClock

ROLE: Final = "arn:aws:iam::123456789012:role/r"
PROVIDER_ARN: Final = "arn:aws:lambda:us-east-1:123456789012:capacity-provider:cp"
VPC: Final = {"SubnetIds": ["subnet-1", "subnet-2", "subnet-3"], "SecurityGroupIds": ["sg-1"]}


@dataclass(eq=False)
class FakeVersion:
    function: Function
    router: Router = field(default_factory=Router)
    state: str = "Pending"
    reason: tuple[str, str] | None = ("Creating", "The function is being created.")
    retired: bool = False
    config: ScalingConfig = field(default_factory=ScalingConfig)
    requested: ScalingConfig | None = None

    @property
    def scalable(self) -> "FakeVersion":
        return self

    @property
    def applied(self) -> ScalingConfig:
        return self.config

    def put(self, config: ScalingConfig) -> None:
        self.config = config

    def retire(self) -> None:
        self.retired = True

    def become(self, state: str, reason: tuple[str, str] | None = None) -> None:
        self.state, self.reason = state, reason


@dataclass(eq=False)
class FakeUrl:
    function: Function
    router: Router
    removed: bool = False

    @property
    def address(self) -> str:
        return f"http://{self.function.qualifier}.localhost:4566/"

    def point_at(self, function: Function, router: Router) -> None:
        self.function, self.router = function, router

    def remove(self) -> None:
        self.removed = True


class FakeHost:
    def __init__(self) -> None:
        self.versions: list[FakeVersion] = []
        self.urls: list[FakeUrl] = []
        self.configured: list[CapacityProvider] = []

    def run(self, function: Function) -> FakeVersion:
        version = FakeVersion(function, config=ScalingConfig(function.min_environments, function.max_environments))
        self.versions.append(version)
        return version

    def configure(self, provider: CapacityProvider) -> None:
        self.configured.append(provider)

    def open_url(self, function: Function, router: Router) -> FakeUrl:
        url = FakeUrl(function, router)
        self.urls.append(url)
        return url


class FakeS3:
    """One object, or a refusal."""

    name = "s3"

    def __init__(self) -> None:
        self.answer: Answer | ServiceError = ServiceError("NoSuchKey", "The specified key does not exist.", 404)
        self.asked: list[dict[str, Any]] = []

    @property
    def operations(self) -> dict[str, Operation]:
        return {"GetObject": self._get}

    def _get(self, call: Call) -> Answer:
        self.asked.append(dict(call.params))
        if isinstance(self.answer, ServiceError):
            raise self.answer
        return self.answer

    async def start(self) -> None: ...
    async def close(self) -> None: ...


class LambdaRig:
    def __init__(self, store: Store) -> None:
        self.store = store
        self.clock = VirtualClock()
        self.host = FakeHost()
        self.s3 = FakeS3()
        dispatcher = Dispatcher()
        dispatcher.add(self.s3)
        self.warnings: list[str] = []
        self.service = LambdaService(
            store,
            self.clock,
            dispatcher,
            self.host,
            "us-east-1",
            "123456789012",
            on_warning=self.warnings.append,
        )
        self.calls = Calls(self.service)

    async def provider(self, name: str = "cp", **more: Any) -> Answer:
        return await self.calls(
            "CreateCapacityProvider",
            CapacityProviderName=name,
            VpcConfig=VPC,
            PermissionsConfig={"CapacityProviderOperatorRoleArn": ROLE},
            **more,
        )

    async def function(self, name: str = "f", content: str = "one", **more: Any) -> Answer:
        """On a capacity provider of its own making when there is none."""
        if not (await self.calls("ListCapacityProviders"))["CapacityProviders"]:
            await self.provider()
        return await self.calls("CreateFunction", **function_params(name, content) | more)

    async def published(self, name: str = "f", content: str = "one", alias: str | None = "live", **more: Any) -> None:
        """With version 1, which serves."""
        await self.function(name, content, **more)
        await self.calls("PublishVersion", FunctionName=name)
        self.host.versions[-1].become("Active")
        if alias:
            await self.calls("CreateAlias", FunctionName=name, Name=alias, FunctionVersion="1")


def function_params(name: str, content: str) -> dict[str, Any]:
    return {
        "FunctionName": name,
        "Runtime": "python3.13",
        "Role": ROLE,
        "Handler": "app.handler",
        "Code": {"ZipFile": archive(content)},
        "CapacityProviderConfig": {
            "LambdaManagedInstancesCapacityProviderConfig": {"CapacityProviderArn": PROVIDER_ARN}
        },
    }


def archive(content: str) -> bytes:
    """A zip file, the same for the same content."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as opened:
        opened.writestr(zipfile.ZipInfo("app.py"), content)
    return data.getvalue()
