"""The services CloudFormation calls, small and strict: each keeps what it is told; it refuses or lingers when asked."""

from collections.abc import Callable, Mapping
from typing import Any

from penstock.aws_api.service import Answer, Call, Operation, Params, ServiceError

ACCOUNT = "123456789012"
ARN = f"arn:aws:lambda:us-east-1:{ACCOUNT}"


class ScriptedService:
    """`refusals`: operation -> the error it answers with, until taken out. `calls` are all there were, in order."""

    def __init__(self, name: str, calls: list[tuple[str, Params]]) -> None:
        self.name = name
        self.refusals: dict[str, ServiceError] = {}
        self.offered: dict[str, Callable[[Params], Answer]] = {}
        self.on_call: Callable[[str], None] = lambda operation: None
        self._calls = calls

    @property
    def operations(self) -> Mapping[str, Operation]:
        return dict.fromkeys(self.offered, self._answer)

    async def start(self) -> None:
        """Nothing to do."""

    async def close(self) -> None:
        """Nothing to do."""

    def _answer(self, call: Call) -> Answer:
        self._calls.append((call.operation, call.params))
        self.on_call(call.operation)
        if call.operation in self.refusals:
            raise self.refusals[call.operation]
        return self.offered[call.operation](call.params)


def not_found(what: str) -> ServiceError:
    return ServiceError("ResourceNotFoundException", f"{what} not found", 404)


class LambdaService(ScriptedService):
    """`looks`: how often something new is shown as being on its way before it is ready."""

    def __init__(self, calls: list[tuple[str, Params]]) -> None:
        super().__init__("lambda", calls)
        self.functions: dict[str, dict[str, Any]] = {}
        self.versions: dict[str, dict[str, Any]] = {}
        self.aliases: dict[str, dict[str, Any]] = {}
        self.urls: dict[str, dict[str, Any]] = {}
        self.permissions: dict[str, dict[str, Any]] = {}
        self.providers: dict[str, dict[str, Any]] = {}
        self.layers: dict[str, dict[str, Any]] = {}
        self.looks = 0
        self.broken: dict[str, str] = {}
        """ARN of a version -> why it never becomes active; `*` for all."""
        self._left: dict[str, int] = {}
        self._last: dict[str, int] = {}
        members = (name for name in vars(LambdaService) if name[0].isupper())
        self.offered = {name: getattr(self, name) for name in members}

    def empty(self) -> bool:
        kept = (self.functions, self.versions, self.aliases, self.urls, self.permissions, self.providers, self.layers)
        return not any(kept)

    def _ready(self, arn: str) -> bool:
        left = self._left.get(arn, 0)
        self._left[arn] = max(left - 1, 0)
        return left == 0

    def _name(self, params: Params) -> str:
        name = str(params["FunctionName"]).removeprefix(f"{ARN}:function:")
        assert ":" not in name, params
        return name

    def _function(self, params: Params) -> dict[str, Any]:
        name = self._name(params)
        if name not in self.functions:
            raise not_found(f"Function {name}")
        return self.functions[name]

    def CreateFunction(self, params: Params) -> Answer:
        name = params["FunctionName"]
        if name in self.functions:
            raise ServiceError("ResourceConflictException", f"Function already exist: {name}", 409)
        for value in params.get("Environment", {}).get("Variables", {}).values():
            assert isinstance(value, str)
        self.functions[name] = {**params, "FunctionArn": f"{ARN}:function:{name}", "revision": 1, "published": 0}
        self._left[name] = self.looks
        return {"FunctionArn": f"{ARN}:function:{name}", "State": "Pending"}

    def GetFunctionConfiguration(self, params: Params) -> Answer:
        function = self._function(params)
        qualifier = params.get("Qualifier")
        if qualifier is None:
            ready = self._ready(self._name(params))
            status = "Successful" if ready else "InProgress"
            return {"FunctionArn": function["FunctionArn"], "State": "ActiveNonInvocable", "LastUpdateStatus": status}
        arn = f"{function['FunctionArn']}:{qualifier}"
        if arn not in self.versions:
            raise not_found(arn)
        reason = self.broken.get(arn) or self.broken.get("*")
        if reason:
            return {"FunctionArn": arn, "State": "Failed", "StateReason": reason}
        return {"FunctionArn": arn, "State": "Active" if self._ready(arn) else "Pending"}

    def UpdateFunctionCode(self, params: Params) -> Answer:
        return self._change(params, {"Code": {key: value for key, value in params.items() if key != "FunctionName"}})

    def UpdateFunctionConfiguration(self, params: Params) -> Answer:
        return self._change(params, dict(params))

    def _change(self, params: Params, change: dict[str, Any]) -> Answer:
        function, name = self._function(params), self._name(params)
        if self._left.get(name, 0):
            raise ServiceError("ResourceConflictException", "An update is in progress", 409)
        function.update({key: value for key, value in change.items() if key != "FunctionName"})
        function["revision"] += 1
        self._left[name] = self.looks
        return {"FunctionArn": function["FunctionArn"]}

    def DeleteFunction(self, params: Params) -> Answer:
        function = self._function(params)
        arn = function["FunctionArn"]
        if "Qualifier" in params:
            qualified = f"{arn}:{params['Qualifier']}"
            if any(item["FunctionVersion"] == params["Qualifier"] for item in self._of(self.aliases, f"{arn}:")):
                raise ServiceError("ResourceConflictException", "An alias points to the version", 409)
            self.versions.pop(qualified, None)
            return {}
        for kept in (self.versions, self.aliases, self.urls, self.permissions):
            for key in [key for key in kept if key.startswith(arn)]:
                del kept[key]
        del self.functions[self._name(params)]
        return {}

    def _of(self, kept: dict[str, dict[str, Any]], beginning: str) -> list[dict[str, Any]]:
        return [item for key, item in kept.items() if key.startswith(beginning)]

    def PublishVersion(self, params: Params) -> Answer:
        function = self._function(params)
        arn = function["FunctionArn"]
        if function["published"] == function["revision"]:
            return {"FunctionArn": f"{arn}:{self._last[arn]}", "Version": str(self._last[arn])}
        function["published"] = function["revision"]
        self._last[arn] = self._last.get(arn, 0) + 1
        version = str(self._last[arn])
        self.versions[f"{arn}:{version}"] = {"Version": version, "Code": function["Code"]}
        self._left[f"{arn}:{version}"] = self.looks
        return {"FunctionArn": f"{arn}:{version}", "Version": version, "State": "Pending"}

    def ListVersionsByFunction(self, params: Params) -> Answer:
        arn = self._function(params)["FunctionArn"]
        return {"Versions": [{"Version": "$LATEST"}, *self._of(self.versions, f"{arn}:")]}

    def PutFunctionScalingConfig(self, params: Params) -> Answer:
        arn = f"{self._function(params)['FunctionArn']}:{params['Qualifier']}"
        self.versions[arn]["scaling"] = params["FunctionScalingConfig"]
        return {"FunctionState": "Active"}

    def CreateAlias(self, params: Params) -> Answer:
        arn = self._function(params)["FunctionArn"]
        assert f"{arn}:{params['FunctionVersion']}" in self.versions
        self.aliases[f"{arn}:{params['Name']}"] = dict(params)
        return {"AliasArn": f"{arn}:{params['Name']}"}

    def GetAlias(self, params: Params) -> Answer:
        arn = f"{self._function(params)['FunctionArn']}:{params['Name']}"
        if arn not in self.aliases:
            raise not_found(arn)
        return {"AliasArn": arn}

    def UpdateAlias(self, params: Params) -> Answer:
        arn = self._function(params)["FunctionArn"]
        assert f"{arn}:{params['FunctionVersion']}" in self.versions
        routing = params.get("RoutingConfig", {}).get("AdditionalVersionWeights")
        unset = {"Description", "RoutingConfig"} if not routing and not params.get("Description") else set()
        given = {key: value for key, value in params.items() if key not in unset}
        self.aliases[f"{arn}:{params['Name']}"].update(given)
        return {}

    def DeleteAlias(self, params: Params) -> Answer:
        self.aliases.pop(f"{self._function(params)['FunctionArn']}:{params['Name']}", None)
        return {}

    def _qualified(self, params: Params) -> str:
        arn = self._function(params)["FunctionArn"]
        return f"{arn}:{params['Qualifier']}" if "Qualifier" in params else str(arn)

    def CreateFunctionUrlConfig(self, params: Params) -> Answer:
        arn = self._qualified(params)
        self.urls[arn] = dict(params)
        return {"FunctionArn": arn, "FunctionUrl": "http://abc.lambda-url.us-east-1.localhost:4566/"}

    def GetFunctionUrlConfig(self, params: Params) -> Answer:
        arn = self._qualified(params)
        if arn not in self.urls:
            raise not_found(arn)
        return {"FunctionArn": arn}

    def UpdateFunctionUrlConfig(self, params: Params) -> Answer:
        self.urls[self._qualified(params)].update(params)
        return {"FunctionUrl": "http://abc.lambda-url.us-east-1.localhost:4566/"}

    def DeleteFunctionUrlConfig(self, params: Params) -> Answer:
        self.urls.pop(self._qualified(params), None)
        return {}

    def AddPermission(self, params: Params) -> Answer:
        self.permissions[f"{self._qualified(params)}#{params['StatementId']}"] = dict(params)
        return {}

    def RemovePermission(self, params: Params) -> Answer:
        key = f"{self._qualified(params)}#{params['StatementId']}"
        if key not in self.permissions:
            raise not_found(key)
        del self.permissions[key]
        return {}

    def CreateCapacityProvider(self, params: Params) -> Answer:
        name = params["CapacityProviderName"]
        arn = f"{ARN}:capacity-provider:{name}"
        self.providers[name] = dict(params)
        self._left[arn] = self.looks
        return {"CapacityProvider": {"CapacityProviderArn": arn, "State": "Pending"}}

    def GetCapacityProvider(self, params: Params) -> Answer:
        name = params["CapacityProviderName"]
        if name not in self.providers:
            raise not_found(name)
        arn = f"{ARN}:capacity-provider:{name}"
        return {"CapacityProvider": {"CapacityProviderArn": arn, "State": "Active" if self._ready(arn) else "Pending"}}

    def UpdateCapacityProvider(self, params: Params) -> Answer:
        self.providers[params["CapacityProviderName"]].update(params)
        return {}

    def DeleteCapacityProvider(self, params: Params) -> Answer:
        if params["CapacityProviderName"] not in self.providers:
            raise not_found(params["CapacityProviderName"])
        arn = f"{ARN}:capacity-provider:{params['CapacityProviderName']}"
        if any(arn in str(item.get("CapacityProviderConfig")) for item in self.functions.values()):
            raise ServiceError("ResourceConflictException", "The capacity provider is in use", 409)
        del self.providers[params["CapacityProviderName"]]
        return {"CapacityProvider": {"State": "Deleting"}}

    def PublishLayerVersion(self, params: Params) -> Answer:
        arn = f"{ARN}:layer:{params['LayerName']}"
        number = self._last[arn] = self._last.get(arn, 0) + 1
        self.layers[f"{arn}:{number}"] = dict(params)
        return {"LayerVersionArn": f"{arn}:{number}", "Version": number}

    def ListLayerVersions(self, params: Params) -> Answer:
        arn = f"{ARN}:layer:{params['LayerName']}:"
        found = [{"LayerVersionArn": key, "Version": int(key.rpartition(":")[2])} for key in self.layers]
        return {"LayerVersions": [item for item in found if str(item["LayerVersionArn"]).startswith(arn)]}

    def DeleteLayerVersion(self, params: Params) -> Answer:
        self.layers.pop(f"{params['LayerName']}:{params['VersionNumber']}", None)
        return {}

    def TagResource(self, params: Params) -> Answer:
        function = self.functions.get(params["Resource"].rpartition(":")[2])
        if function is not None:
            function["Tags"] = {**(function.get("Tags") or {}), **params["Tags"]}
        return {}

    def UntagResource(self, params: Params) -> Answer:
        function = self.functions[params["Resource"].rpartition(":")[2]]
        function["Tags"] = {key: value for key, value in function["Tags"].items() if key not in params["TagKeys"]}
        return {}


class IamService(ScriptedService):
    def __init__(self, calls: list[tuple[str, Params]]) -> None:
        super().__init__("iam", calls)
        self.roles: dict[str, dict[str, Any]] = {}
        self.policies: dict[str, dict[str, Any]] = {}
        members = (name for name in vars(IamService) if name[0].isupper())
        self.offered = {name: getattr(self, name) for name in members}

    def empty(self) -> bool:
        return not self.roles and not self.policies

    def _role(self, params: Params) -> dict[str, Any]:
        if params["RoleName"] not in self.roles:
            raise ServiceError("NoSuchEntity", f"The role with name {params['RoleName']} cannot be found.", 404)
        return self.roles[params["RoleName"]]

    def CreateRole(self, params: Params) -> Answer:
        name = params["RoleName"]
        if name in self.roles:
            raise ServiceError("EntityAlreadyExists", f"Role with name {name} already exists.", 409)
        assert isinstance(params["AssumeRolePolicyDocument"], str)
        self.roles[name] = {"given": dict(params), "attached": [], "inline": {}}
        return {"Role": {"Arn": f"arn:aws:iam::{ACCOUNT}:role/{name}", "RoleId": f"AROA{name}"}}

    def GetRole(self, params: Params) -> Answer:
        self._role(params)
        return {"Role": {}}

    def DeleteRole(self, params: Params) -> Answer:
        role = self._role(params)
        if role["attached"] or role["inline"]:
            raise ServiceError("DeleteConflict", "Cannot delete entity, must detach all policies first.", 409)
        del self.roles[params["RoleName"]]
        return {}

    def UpdateAssumeRolePolicy(self, params: Params) -> Answer:
        self._role(params)["given"]["AssumeRolePolicyDocument"] = params["PolicyDocument"]
        return {}

    def UpdateRole(self, params: Params) -> Answer:
        self._role(params)["given"].update(params)
        return {}

    def AttachRolePolicy(self, params: Params) -> Answer:
        attached = self._role(params)["attached"]
        if params["PolicyArn"] not in attached:
            attached.append(params["PolicyArn"])
        return {}

    def DetachRolePolicy(self, params: Params) -> Answer:
        attached = self._role(params)["attached"]
        if params["PolicyArn"] not in attached:
            raise ServiceError("NoSuchEntity", "Policy was not found.", 404)
        attached.remove(params["PolicyArn"])
        return {}

    def PutRolePolicy(self, params: Params) -> Answer:
        self._role(params)["inline"][params["PolicyName"]] = params["PolicyDocument"]
        return {}

    def DeleteRolePolicy(self, params: Params) -> Answer:
        if self._role(params)["inline"].pop(params["PolicyName"], None) is None:
            raise ServiceError("NoSuchEntity", "The role policy cannot be found.", 404)
        return {}

    def TagRole(self, params: Params) -> Answer:
        self._role(params)["given"]["Tags"] = params["Tags"]
        return {}

    def UntagRole(self, params: Params) -> Answer:
        self._role(params)
        return {}

    def CreatePolicy(self, params: Params) -> Answer:
        arn = f"arn:aws:iam::{ACCOUNT}:policy{params.get('Path', '/')}{params['PolicyName']}"
        self.policies[arn] = {"documents": {"v1": params["PolicyDocument"]}, "default": "v1"}
        return {"Policy": {"Arn": arn, "PolicyId": "ANPA"}}

    def _policy(self, params: Params) -> dict[str, Any]:
        if params["PolicyArn"] not in self.policies:
            raise ServiceError("NoSuchEntity", f"Policy {params['PolicyArn']} was not found.", 404)
        return self.policies[params["PolicyArn"]]

    def GetPolicy(self, params: Params) -> Answer:
        self._policy(params)
        return {"Policy": {}}

    def CreatePolicyVersion(self, params: Params) -> Answer:
        policy = self._policy(params)
        assert len(policy["documents"]) < 5
        version = f"v{int(max(policy['documents'])[1:]) + 1}"
        policy["documents"][version] = params["PolicyDocument"]
        policy["default"] = version
        return {}

    def ListPolicyVersions(self, params: Params) -> Answer:
        policy = self._policy(params)
        return {
            "Versions": [
                {"VersionId": name, "IsDefaultVersion": name == policy["default"]} for name in policy["documents"]
            ]
        }

    def DeletePolicyVersion(self, params: Params) -> Answer:
        del self._policy(params)["documents"][params["VersionId"]]
        return {}

    def DeletePolicy(self, params: Params) -> Answer:
        if len(self._policy(params)["documents"]) > 1:
            raise ServiceError("DeleteConflict", "This policy has more than one version.", 409)
        del self.policies[params["PolicyArn"]]
        return {}


class S3Service(ScriptedService):
    def __init__(self, calls: list[tuple[str, Params]]) -> None:
        super().__init__("s3", calls)
        self.buckets: dict[str, dict[str, Any]] = {}
        self.objects: dict[tuple[str, str], bytes] = {}
        members = (name for name in vars(S3Service) if name[0].isupper())
        self.offered = {name: getattr(self, name) for name in members}

    def empty(self) -> bool:
        return not self.buckets

    def _bucket(self, params: Params) -> dict[str, Any]:
        if params["Bucket"] not in self.buckets:
            raise ServiceError("NoSuchBucket", "The specified bucket does not exist", 404)
        return self.buckets[params["Bucket"]]

    def GetObject(self, params: Params) -> Answer:
        if (params["Bucket"], params["Key"]) not in self.objects:
            raise ServiceError("NoSuchKey", "The specified key does not exist.", 404)
        return {"Body": self.objects[params["Bucket"], params["Key"]]}

    def HeadBucket(self, params: Params) -> Answer:
        if params["Bucket"] not in self.buckets:
            raise ServiceError("404", "Not Found", 404)
        return {}

    def CreateBucket(self, params: Params) -> Answer:
        self.buckets[params["Bucket"]] = {}
        return {}

    def DeleteBucket(self, params: Params) -> Answer:
        self._bucket(params)
        if any(bucket == params["Bucket"] for bucket, _ in self.objects):
            raise ServiceError("BucketNotEmpty", "The bucket you tried to delete is not empty", 409)
        del self.buckets[params["Bucket"]]
        return {}

    def PutBucketVersioning(self, params: Params) -> Answer:
        self._bucket(params)["versioning"] = params["VersioningConfiguration"]
        return {}

    def PutBucketTagging(self, params: Params) -> Answer:
        self._bucket(params)["tags"] = params["Tagging"]
        return {}

    def PutBucketPolicy(self, params: Params) -> Answer:
        self._bucket(params)["policy"] = params["Policy"]
        return {}

    def DeleteBucketPolicy(self, params: Params) -> Answer:
        self._bucket(params).pop("policy", None)
        return {}


class LogsService(ScriptedService):
    def __init__(self, calls: list[tuple[str, Params]]) -> None:
        super().__init__("logs", calls)
        self.groups: dict[str, dict[str, Any]] = {}
        members = (name for name in vars(LogsService) if name[0].isupper())
        self.offered = {name: getattr(self, name) for name in members}

    def empty(self) -> bool:
        return not self.groups

    def DescribeLogGroups(self, params: Params) -> Answer:
        names = [name for name in self.groups if name.startswith(params["logGroupNamePrefix"])]
        return {"logGroups": [{"logGroupName": name} for name in names]}

    def CreateLogGroup(self, params: Params) -> Answer:
        self.groups[params["logGroupName"]] = dict(params)
        return {}

    def PutRetentionPolicy(self, params: Params) -> Answer:
        self.groups[params["logGroupName"]]["days"] = params["retentionInDays"]
        return {}

    def DeleteRetentionPolicy(self, params: Params) -> Answer:
        self.groups[params["logGroupName"]].pop("days", None)
        return {}

    def DeleteLogGroup(self, params: Params) -> Answer:
        if self.groups.pop(params["logGroupName"], None) is None:
            raise not_found(params["logGroupName"])
        return {}
