"""CloudFormation over a store and scripted services, in virtual time."""

import asyncio
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

from penstock.aws_api.cloudformation import CloudFormationService
from penstock.aws_api.service import Answer, Call, Context, Dispatcher, Params, ServiceError
from penstock.aws_api.store import Store
from support.clock import VirtualClock
from support.cloudformation_services import IamService, LambdaService, LogsService, S3Service

CONTEXT = Context("us-east-1", "123456789012", "request", "http://127.0.0.1:4566")
CAPABILITIES = ["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]


class ClearableStore(Store):
    """Opening one takes longer than most of what is done with it."""

    def clear(self) -> None:
        self._db.execute("DELETE FROM item")


@dataclass
class Site:
    """`folder` keeps the state; None: only for as long as this lives, or `shared` does."""

    folder: Path | None = None
    shared: Store | None = None
    clock: VirtualClock = field(default_factory=VirtualClock)
    calls: list[tuple[str, Params]] = field(default_factory=list)
    head_start: float = 0.0
    step: float = 0.0
    """How much time passes at least with every look."""

    def __post_init__(self) -> None:
        self.make_services()
        self.open()

    def make_services(self) -> None:
        self.functions = LambdaService(self.calls)
        self.iam = IamService(self.calls)
        self.s3 = S3Service(self.calls)
        self.logs = LogsService(self.calls)

    def open(self) -> None:
        self.store = self.make_store()
        self.begin()

    def make_store(self) -> Store:
        return self.shared or Store(self.folder)

    def begin(self) -> None:
        """A new process over the store."""
        self.dispatcher = Dispatcher()
        for service in (self.functions, self.iam, self.s3, self.logs):
            self.dispatcher.add(service)
        self.cloudformation = CloudFormationService(
            self.store, self.clock, self.dispatcher, sleep=self._sleep, head_start=self.head_start
        )
        self.dispatcher.add(self.cloudformation)

    async def _sleep(self, seconds: float) -> None:
        self.clock.advance(max(seconds, self.step))
        await asyncio.sleep(0)

    async def close(self) -> None:
        await self.cloudformation.close()
        if self.shared is None:
            self.store.close()

    async def reopen(self) -> None:
        """The same state and services, for a new process."""
        await self.close()
        self.open()
        await self.cloudformation.start()

    async def call(self, operation: str, **params: Any) -> Answer:
        """Its answer, once what it has begun is over."""
        answer = await self.start(operation, **params)
        await self.cloudformation.settled()
        return answer

    async def start(self, operation: str, **params: Any) -> Answer:
        found = self.cloudformation.operations[operation](Call(operation, params, CONTEXT))
        answer = found if isinstance(found, dict) else await found
        _check(operation, answer)
        return answer

    async def refused(self, operation: str, **params: Any) -> ServiceError:
        refusal = await self.refused_now(operation, **params)
        await self.cloudformation.settled()
        return refusal

    async def refused_now(self, operation: str, **params: Any) -> ServiceError:
        try:
            await self.start(operation, **params)
        except ServiceError as error:
            return error
        raise AssertionError(f"{operation} was not refused")

    async def create(self, name: str, template: str, **params: Any) -> Answer:
        return await self.call(
            "CreateStack", StackName=name, TemplateBody=template, Capabilities=CAPABILITIES, **params
        )

    async def update(self, name: str, template: str, **params: Any) -> Answer:
        return await self.call(
            "UpdateStack", StackName=name, TemplateBody=template, Capabilities=CAPABILITIES, **params
        )

    async def stack(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = (await self.call("DescribeStacks", StackName=name))["Stacks"][0]
        return found

    async def status(self, name: str) -> str:
        return str((await self.stack(name))["StackStatus"])

    async def outputs(self, name: str) -> dict[str, str]:
        return {item["OutputKey"]: item["OutputValue"] for item in (await self.stack(name))["Outputs"]}

    async def events(self, name: str) -> list[dict[str, Any]]:
        """Oldest first."""
        found: list[dict[str, Any]] = []
        token: dict[str, str] = {}
        while True:
            answer = await self.call("DescribeStackEvents", StackName=name, **token)
            found += answer["StackEvents"]
            if "NextToken" not in answer:
                return found[::-1]
            token = {"NextToken": answer["NextToken"]}

    async def told(self, name: str, *logical_ids: str) -> list[str]:
        """`LogicalId STATUS` of every event, oldest first; of the named resources alone if any are named."""
        events = await self.events(name)
        wanted = [item for item in events if not logical_ids or item["LogicalResourceId"] in logical_ids]
        return [f"{item['LogicalResourceId']} {item['ResourceStatus']}" for item in wanted]

    async def reasons(self, name: str) -> dict[str, str]:
        """The last reason of each status of each resource, by `LogicalId STATUS`."""
        events = await self.events(name)
        return {
            f"{item['LogicalResourceId']} {item['ResourceStatus']}": item["ResourceStatusReason"]
            for item in events
            if "ResourceStatusReason" in item
        }

    def empty(self) -> bool:
        return all(item.empty() for item in (self.functions, self.iam, self.s3, self.logs))


@cache
def _model() -> ServiceModel:
    return ServiceModel(Loader().load_service_model("cloudformation", "service-2"), "cloudformation")


def _check(operation: str, answer: Answer) -> None:
    """An answer holds what AWS's own model says, and nothing else."""
    shape = _model().operation_model(operation).output_shape
    if shape is None:
        assert answer == {}
        return
    _no_strangers(shape, answer)
    report = ParamValidator().validate(answer, shape)
    assert not report.has_errors(), report.generate_report()


def _any_shape(name: str) -> Any:
    return _model().shape_for(name)


def _no_strangers(shape: Any, value: Any) -> None:
    if shape.type_name == "structure":
        assert value.keys() <= shape.members.keys(), (shape.name, value)
        for key, item in value.items():
            _no_strangers(shape.members[key], item)
    elif shape.type_name == "list":
        for item in value:
            _no_strangers(shape.member, item)
    elif getattr(shape, "enum", None):
        # Events of a stack bear its own states, which the model does not list there.
        more = _any_shape("StackStatus").enum if shape.name == "ResourceStatus" else []
        assert value in [*shape.enum, *more], (shape.name, value)


def parameters(**values: str) -> list[dict[str, str]]:
    return [{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()]


EXAMPLE = Path(__file__).parents[2] / "examples" / "fastapi-streaming" / "template.yaml"
SUBNETS = parameters(SubnetIds="subnet-1,subnet-2", SecurityGroupIds="sg-1")


def example(key: str = "app/abc") -> str:
    """The example as `sam deploy` uploads it: its code is in S3."""
    text = EXAMPLE.read_text(encoding="utf-8")
    assert "CodeUri: app/" in text
    return text.replace("CodeUri: app/", f"CodeUri: s3://code/{key}")
