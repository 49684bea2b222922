"""Names and ARNs that `Ref` and `Fn::GetAtt` give: real ones for what Penstock runs, stand-ins for the rest."""

import re
from collections.abc import Mapping
from typing import Final

from penstock.model import ids
from penstock.model.errors import Place, UserError
from penstock.template.hints import did_you_mean
from penstock.template.intrinsics import Resolver, UnresolvableError, partition, text_of
from penstock.template.source import Map, Source, Value

FUNCTION: Final = "AWS::Lambda::Function"
VERSION: Final = "AWS::Lambda::Version"
ALIAS: Final = "AWS::Lambda::Alias"
URL: Final = "AWS::Lambda::Url"
EVENT_INVOKE_CONFIG: Final = "AWS::Lambda::EventInvokeConfig"
LAYER_VERSION: Final = "AWS::Lambda::LayerVersion"
CAPACITY_PROVIDER: Final = "AWS::Lambda::CapacityProvider"

FIRST_VERSION: Final = "1"
# CloudFormation's own limit of a generated name; a capacity provider may have 140 characters.
# https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html#lambda-CreateFunction-request-FunctionName
_MAX_NAME: Final = 64
_NAME: Final = re.compile(r"[a-zA-Z0-9-_]+")

_NAME_PROPERTY: Final = {
    FUNCTION: "FunctionName",
    CAPACITY_PROVIDER: "CapacityProviderName",
    LAYER_VERSION: "LayerName",
    "AWS::DynamoDB::Table": "TableName",
    "AWS::Events::EventBus": "Name",
    "AWS::IAM::Role": "RoleName",
    "AWS::S3::Bucket": "BucketName",
    "AWS::SNS::Topic": "TopicName",
    "AWS::SQS::Queue": "QueueName",
}
# Attributes by type, for the types Penstock runs: "Return values" of each page under
# https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_Lambda.html
_ATTRIBUTES: Final = {
    FUNCTION: ("Arn",),
    VERSION: ("FunctionArn", "Version"),
    ALIAS: ("AliasArn",),
    URL: ("FunctionArn", "FunctionUrl"),
    LAYER_VERSION: ("LayerVersionArn",),
    CAPACITY_PROVIDER: ("Arn", "State"),
}


class Resources:
    """The transformed template's resources whose conditions hold. `urls`: logical id of a Url resource -> its URL."""

    def __init__(self, source: Source, resources: Map, resolver: Resolver, urls: Mapping[str, str]) -> None:
        self._source = source
        self._resolver = resolver
        self._urls = urls
        self._all = {key: item for key, item in resources.items() if isinstance(item, dict)}
        self._active = {key: item for key, item in self._all.items() if self._holds(key, item)}

    def __contains__(self, logical_id: object) -> bool:
        return logical_id in self._all

    def of_type(self, kind: str) -> dict[str, Map]:
        """Logical id -> properties as the transformed template has them."""
        return {
            key: properties if isinstance(properties := item.get("Properties", {}), dict) else {}
            for key, item in self._active.items()
            if item.get("Type") == kind
        }

    def active(self) -> dict[str, Map]:
        return self._active

    def name(self, logical_id: str) -> str:
        """The physical name: the template's, else `<stack>-<logical id>-<suffix>` as CloudFormation generates it."""
        kind, properties = self._kind(logical_id), self._properties(logical_id)
        wanted = _NAME_PROPERTY.get(kind)
        place = self._source.place("Resources", logical_id, "Properties", wanted or "")
        if wanted and wanted in properties:
            name = text_of(self._plain(properties[wanted], place))
            if not name:
                raise UserError(f"{logical_id}: {wanted} must be text", place)
            return self._checked(name, kind, f"{logical_id}: {wanted}", place)
        return self._generated(logical_id, kind)

    def ref(self, logical_id: str, place: Place) -> Value:
        kind = self._kind(self._known(logical_id, place))
        if kind in (VERSION, ALIAS, URL, LAYER_VERSION, "AWS::SNS::Topic"):
            return self.arn(logical_id)
        name = self.name(logical_id)
        if kind == "AWS::SQS::Queue":
            pseudo = self._resolver.pseudo
            return f"https://sqs.{pseudo.region}.amazonaws.com/{pseudo.account_id}/{name}"
        return name

    def attribute(self, logical_id: str, name: str, place: Place) -> Value:
        kind = self._kind(self._known(logical_id, place))
        known = _ATTRIBUTES.get(kind)
        if known is not None and name not in known:
            raise UserError(f"{logical_id} has no attribute {name}{did_you_mean(name, known)}", place)
        if name == "FunctionUrl" and kind == URL:
            return self._url(logical_id, place)
        if kind == VERSION and name == "Version":
            return FIRST_VERSION
        if kind == CAPACITY_PROVIDER and name == "State":
            return "Active"
        if kind == URL or name.endswith("Arn"):
            return self.arn(logical_id)
        return f"{self.name(logical_id)}-{name}"

    def arn(self, logical_id: str) -> str:
        kind = self._kind(logical_id)
        if kind in (VERSION, ALIAS, URL):
            return self._qualified_arn(logical_id, kind)
        name, pseudo = self.name(logical_id), self._resolver.pseudo
        region, account = pseudo.region, pseudo.account_id
        service, resource = _arn_parts(kind, name)
        if service in ("iam", "s3"):
            region = ""
        return f"arn:{pseudo.partition}:{service}:{region}:{'' if service == 's3' else account}:{resource}"

    def function_arn(self, reference: Value) -> str:
        """The ARN a FunctionName or TargetFunctionArn means: it may hold a bare name."""
        text = text_of(reference) or ""
        pseudo = self._resolver.pseudo
        prefix = f"arn:{pseudo.partition}:lambda:{pseudo.region}:{pseudo.account_id}:function:"
        return text if text.startswith("arn:") else f"{prefix}{text}"

    def _qualified_arn(self, logical_id: str, kind: str) -> str:
        properties = self._properties(logical_id)
        target = "TargetFunctionArn" if kind == URL else "FunctionName"
        place = self._source.place("Resources", logical_id, "Properties", target)
        if target not in properties:
            raise UserError(f"{logical_id}: needs {target}", place)
        function = self.function_arn(self._plain(properties[target], place))
        if kind == URL:
            return function
        qualifier = FIRST_VERSION if kind == VERSION else text_of(self._plain(properties.get("Name"), place))
        return f"{function}:{qualifier}"

    def _url(self, logical_id: str, place: Place) -> str:
        if logical_id not in self._urls:
            raise UnresolvableError(f"{logical_id}.FunctionUrl is known only while its function runs", place)
        return self._urls[logical_id]

    def _known(self, logical_id: str, place: Place) -> str:
        if logical_id not in self._active:
            raise UserError(f"{logical_id} is left out by its Condition but needed here", place)
        return logical_id

    def _holds(self, logical_id: str, item: Map) -> bool:
        place = self._source.place("Resources", logical_id, "Condition")
        return "Condition" not in item or self._resolver.condition(item["Condition"], place)

    def _kind(self, logical_id: str) -> str:
        return str(self._all[logical_id].get("Type", ""))

    def _properties(self, logical_id: str) -> Map:
        properties = self._all[logical_id].get("Properties", {})
        return properties if isinstance(properties, dict) else {}

    def _plain(self, value: Value, place: Place) -> Value:
        resolved = self._resolver.resolve(value, place)
        return resolved if isinstance(resolved, str) else None

    def _generated(self, logical_id: str, kind: str) -> str:
        stack = self._resolver.pseudo.stack_name
        name = f"{stack}-{logical_id}-{ids.physical_suffix(stack, logical_id)}"
        name = name[-_MAX_NAME:].lstrip("-")
        return name.lower() if kind == "AWS::S3::Bucket" else name

    def _checked(self, name: str, kind: str, what: str, place: Place) -> str:
        longest = {FUNCTION: _MAX_NAME, CAPACITY_PROVIDER: 140}.get(kind)
        if longest and (len(name) > longest or not _NAME.fullmatch(name)):
            raise UserError(f"{what}: bad value {name!r}; allowed: 1 to {longest} of a-z, A-Z, 0-9, - and _", place)
        return name


def _arn_parts(kind: str, name: str) -> tuple[str, str]:
    """Service and resource part of an ARN. Types that Penstock does not run follow the commonest form."""
    known = {
        FUNCTION: ("lambda", f"function:{name}"),
        LAYER_VERSION: ("lambda", f"layer:{name}:1"),
        CAPACITY_PROVIDER: ("lambda", f"capacity-provider:{name}"),
        "AWS::Events::EventBus": ("events", f"event-bus/{name}"),
        "AWS::S3::Bucket": ("s3", name),
        "AWS::SNS::Topic": ("sns", name),
        "AWS::SQS::Queue": ("sqs", name),
    }
    if kind in known:
        return known[kind]
    _, service, noun = (*kind.split("::"), "", "")[:3]
    return service.lower(), f"{noun.lower()}/{name}"


def stack_id(region: str, account_id: str, stack_name: str) -> str:
    return f"arn:{partition(region)}:cloudformation:{region}:{account_id}:stack/{stack_name}/{ids.url_id(stack_name)}"
