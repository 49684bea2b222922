"""Operations on log groups and their tags."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from penstock.aws_api.logs import checks, errors
from penstock.aws_api.logs.answers import group_answer, summary
from penstock.aws_api.logs.catalogue import DEFAULT_CLASS, Catalogue, Group, new_group
from penstock.aws_api.logs.tokens import list_token, read_list_token
from penstock.aws_api.service import Answer, Call, Operation, ServiceError
from penstock.model.clock import Clock

# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_DescribeLogGroups.html
_DESCRIBED: Final = 50
# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_ListLogGroups.html
_LISTED: Final = 1000
_CLASSES: Final = ("STANDARD", "INFREQUENT_ACCESS", "DELIVERY", "ESSENTIALS")


class GroupOperations:
    def __init__(self, catalogue: Catalogue, clock: Clock) -> None:
        self._catalogue = catalogue
        self._clock = clock

    @property
    def operations(self) -> dict[str, Operation]:
        return {
            "CreateLogGroup": self.create,
            "DeleteLogGroup": self.delete,
            "DescribeLogGroups": self.describe,
            "ListLogGroups": self.list_groups,
            "PutRetentionPolicy": self.put_retention,
            "DeleteRetentionPolicy": self.delete_retention,
            "PutLogGroupDeletionProtection": self.protect,
            "TagLogGroup": self.tag_by_name,
            "UntagLogGroup": self.untag_by_name,
            "ListTagsLogGroup": self.tags_by_name,
            "TagResource": self.tag,
            "UntagResource": self.untag,
            "ListTagsForResource": self.tags,
            "DescribeMetricFilters": self.describe_metric_filters,
            "DescribeSubscriptionFilters": self.describe_subscription_filters,
        }

    def create(self, call: Call) -> Answer:
        """A group that a function writes already is taken over: on AWS it would not be there before its first line,
        and a template that makes it beside the function goes through.
        """
        params, region = call.params, call.context.region
        name = checks.group_name(params)
        log_class = str(params.get("logGroupClass") or DEFAULT_CLASS)
        if log_class not in _CLASSES:
            raise errors.constraint(log_class, "logGroupClass", f"satisfy enum value set: [{', '.join(_CLASSES)}]")
        there = self._catalogue.group(region, name)
        if there and there.record:
            raise errors.group_exists()
        record = new_group(int(self._clock.epoch() * 1000))
        record["class"] = log_class
        record["tags"] = checks.tags(params.get("tags") or {})
        record["protected"] = bool(params.get("deletionProtectionEnabled"))
        record["kmsKeyId"] = params.get("kmsKeyId")
        self._catalogue.put_group(region, name, record)
        return {}

    def delete(self, call: Call) -> Answer:
        group = self._named(call, checks.group_name(call.params))
        if group.record and group.record["protected"]:
            # The operation is not allowed while the protection is on; the words are assumed.
            raise ServiceError("ValidationException", "The specified log group has deletion protection enabled.")
        self._catalogue.delete_group(group, int(self._clock.epoch() * 1000))
        return {}

    def describe(self, call: Call) -> Answer:
        params = call.params
        prefix, pattern = params.get("logGroupNamePrefix"), params.get("logGroupNamePattern")
        if prefix and pattern:
            # As observed on AWS: https://github.com/getmoto/moto (moto/logs/models.py).
            raise errors.invalid("LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.")
        named = [checks.identified(one, "logGroupIdentifiers") for one in params.get("logGroupIdentifiers") or ()]
        groups = [
            group
            for group in self._catalogue.groups(call.context.region, prefix or "")
            if (not pattern or pattern in group.name) and (not named or group.name in named)
        ]
        page, token = _page(self._of_class(call, groups), call, _DESCRIBED)
        now_ms = int(self._clock.epoch() * 1000)
        found = [group_answer(call.context, one, self._catalogue.sources(one, now_ms)) for one in page]
        return {"logGroups": found, **token}

    def list_groups(self, call: Call) -> Answer:
        params = call.params
        for name in ("dataSources", "fieldIndexNames"):
            if params.get(name):
                raise errors.not_offered(name)
        matches = _name_pattern(params.get("logGroupNamePattern"))
        wanted = params.get("logGroupTags") or ()
        groups = [
            one for one in self._catalogue.groups(call.context.region) if matches(one.name) and _has_tags(one, wanted)
        ]
        page, token = _page(self._of_class(call, groups), call, _LISTED, default=_DESCRIBED)
        return {"logGroups": [summary(call.context, one) for one in page], **token}

    def put_retention(self, call: Call) -> Answer:
        days = int(call.params["retentionInDays"])
        if days not in checks.RETENTION_DAYS:
            allowed = ", ".join(map(str, checks.RETENTION_DAYS))
            raise errors.constraint(days, "retentionInDays", f"satisfy enum value set: [{allowed}]")
        return self._change(call, checks.group_name(call.params), retention=days)

    def delete_retention(self, call: Call) -> Answer:
        return self._change(call, checks.group_name(call.params), retention=None)

    def protect(self, call: Call) -> Answer:
        name = checks.identified(str(call.params["logGroupIdentifier"]), "logGroupIdentifier")
        return self._change(call, name, protected=bool(call.params["deletionProtectionEnabled"]))

    def tag_by_name(self, call: Call) -> Answer:
        return self._tag(call, checks.group_name(call.params))

    def untag_by_name(self, call: Call) -> Answer:
        return self._untag(call, checks.group_name(call.params), call.params["tags"])

    def tags_by_name(self, call: Call) -> Answer:
        return self._tags(call, checks.group_name(call.params))

    def tag(self, call: Call) -> Answer:
        return self._tag(call, self._by_arn(call))

    def untag(self, call: Call) -> Answer:
        return self._untag(call, self._by_arn(call), call.params["tagKeys"])

    def tags(self, call: Call) -> Answer:
        return self._tags(call, self._by_arn(call))

    def describe_metric_filters(self, call: Call) -> Answer:
        """None can be made."""
        if call.params.get("logGroupName"):
            self._named(call, checks.group_name(call.params))
        return {"metricFilters": []}

    def describe_subscription_filters(self, call: Call) -> Answer:
        """None can be made."""
        self._named(call, checks.group_name(call.params))
        return {"subscriptionFilters": []}

    def _by_arn(self, call: Call) -> str:
        arn = str(call.params["resourceArn"])
        if not arn.startswith("arn:"):
            raise errors.constraint(arn, "resourceArn", "be an ARN")
        return checks.identified(arn, "resourceArn")

    def _tag(self, call: Call, name: str) -> Answer:
        group = self._named(call, name)
        held = group.record["tags"] if group.record else {}
        return self._change(call, name, tags=checks.tags(call.params["tags"], held))

    def _untag(self, call: Call, name: str, keys: list[str]) -> Answer:
        group = self._named(call, name)
        held = group.record["tags"] if group.record else {}
        return self._change(call, name, tags={key: value for key, value in held.items() if key not in keys})

    def _tags(self, call: Call, name: str) -> Answer:
        group = self._named(call, name)
        return {"tags": dict(group.record["tags"]) if group.record else {}}

    def _named(self, call: Call, name: str) -> Group:
        group = self._catalogue.group(call.context.region, name)
        if group is None:
            raise errors.no_group()
        return group

    def _change(self, call: Call, name: str, **changes: Any) -> Answer:
        group = self._named(call, name)
        record = {**self._catalogue.ensure_record(group), **changes}
        self._catalogue.put_group(group.region, group.name, record)
        return {}

    @staticmethod
    def _of_class(call: Call, groups: list[Group]) -> list[Group]:
        wanted = call.params.get("logGroupClass")
        return [one for one in groups if one.log_class == wanted] if wanted else groups


def _page(groups: list[Group], call: Call, most: int, default: int | None = None) -> tuple[list[Group], dict[str, str]]:
    """A page, and `nextToken` when there are more."""
    token = call.params.get("nextToken")
    if token:
        last = read_list_token(token)
        groups = [one for one in groups if one.name > last]
    limit = checks.limit(call.params, most, default)
    page = groups[:limit]
    return page, {"nextToken": list_token(page[-1].name)} if len(groups) > limit else {}


def _name_pattern(pattern: str | None) -> Callable[[str], bool]:
    """`^/aws/lambda|discovery`: up to five substrings, or prefixes with `^`."""
    if not pattern:
        return lambda name: True
    if not re.fullmatch(r"(\^?[.\-_/#A-Za-z0-9]{3,24})(\|\^?[.\-_/#A-Za-z0-9]{3,24}){0,4}", pattern):
        raise errors.constraint(pattern, "logGroupNamePattern", "be up to five names of 3 to 24 characters")
    parts = pattern.split("|")

    def matches(name: str) -> bool:
        return any(name.startswith(part[1:]) if part[0] == "^" else part in name for part in parts)

    return matches


def _has_tags(group: Group, wanted: Sequence[Mapping[str, Any]]) -> bool:
    held = group.record["tags"] if group.record else {}
    return all(one["key"] in held and (not one.get("values") or held[one["key"]] in one["values"]) for one in wanted)
