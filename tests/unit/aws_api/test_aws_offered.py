"""docs/aws-endpoint.md names every operation that is offered, and no other."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from penstock.aws_api.cloudformation import CloudFormationService
from penstock.aws_api.cloudwatch import CloudWatchService
from penstock.aws_api.ec2 import Ec2Service
from penstock.aws_api.functions import LambdaService
from penstock.aws_api.iam import IamService
from penstock.aws_api.logs import LogsService
from penstock.aws_api.s3 import S3Service
from penstock.aws_api.service import Dispatcher, Service
from penstock.aws_api.store import Store
from penstock.aws_api.sts import StsService
from support.aws_calls import model_of
from support.clock import VirtualClock
from support.lambda_rig import FakeHost

PAGE = Path(__file__).parents[3] / "docs" / "aws-endpoint.md"
TITLES = {
    "cloudformation": "CloudFormation",
    "cloudwatch": "CloudWatch",
    "ec2": "EC2",
    "iam": "IAM",
    "lambda": "Lambda",
    "logs": "CloudWatch Logs",
    "s3": "S3",
    "sts": "STS",
}


@pytest.fixture
def services(tmp_path: Path) -> Iterator[dict[str, Service]]:
    store, clock, dispatcher = Store(tmp_path), VirtualClock(), Dispatcher()
    made: list[Service] = [
        CloudFormationService(store, clock, dispatcher),
        CloudWatchService(store, clock),
        Ec2Service(store, clock),
        IamService(store, clock),
        LambdaService(store, clock, dispatcher, FakeHost(), "us-east-1", "123456789012"),
        LogsService(store, clock),
        S3Service(store, clock),
        StsService(store, clock, dispatcher),
    ]
    yield {one.name: one for one in made}
    store.close()


@pytest.mark.parametrize("name", sorted(TITLES))
def test_the_page_lists_what_is_offered(services: dict[str, Service], name: str) -> None:
    section = PAGE.read_text().split(f"### {TITLES[name]}\n")[1].split("### ")[0]
    listed = section.strip().split("\n\n")[-1]
    assert re.findall(r"`(\w+)`", listed) == sorted(services[name].operations)


@pytest.mark.parametrize("name", sorted(TITLES))
def test_what_is_offered_is_the_services_own(services: dict[str, Service], name: str) -> None:
    assert set(services[name].operations) <= set(model_of(name).operation_names)
