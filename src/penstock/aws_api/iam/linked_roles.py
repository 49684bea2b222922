"""Roles of AWS's services: https://docs.aws.amazon.com/IAM/latest/UserGuide/using-service-linked-roles.html."""

import json
import re
from typing import Final

from penstock.aws_api.iam.errors import invalid_input, no_such_entity
from penstock.aws_api.iam.names import MAX_ROLE_NAME, check_name
from penstock.aws_api.iam.roles import SERVICE_PATH, new_role, told
from penstock.aws_api.iam.state import IamState
from penstock.aws_api.service import Answer, Call, Operation

_PRINCIPAL: Final = re.compile(r"([a-z0-9-]+\.)+amazonaws\.com")
# Linked to from https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_aws-services-that-work-with-iam.html.
_NAMES: Final = {
    "autoscaling.amazonaws.com": "AutoScaling",
    "ecs.amazonaws.com": "ECS",
    "elasticloadbalancing.amazonaws.com": "ElasticLoadBalancing",
    "lambda.amazonaws.com": "Lambda",
    "rds.amazonaws.com": "RDS",
    "spot.amazonaws.com": "EC2Spot",
}


class LinkedRoleOperations:
    def __init__(self, state: IamState) -> None:
        self._state = state
        self.operations: dict[str, Operation] = {
            "CreateServiceLinkedRole": self.create,
            "DeleteServiceLinkedRole": self.delete,
            "GetServiceLinkedRoleDeletionStatus": self.deletion_status,
        }

    def create(self, call: Call) -> Answer:
        service = call.params["AWSServiceName"]
        if not _PRINCIPAL.fullmatch(service):
            raise invalid_input(f"Invalid AWS service name: {service}")
        suffix = call.params.get("CustomSuffix")
        name = f"AWSServiceRoleFor{_noun(service)}" + (f"_{suffix}" if suffix else "")
        check_name(name, "roleName", MAX_ROLE_NAME)
        if self._state.find_role(call, name) is not None:
            text = f"Service role name {name} has been taken in this account, please try a different suffix."
            raise invalid_input(text)
        allowed = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
        trust = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
        row = new_role(call, name, f"{SERVICE_PATH}{service}/", trust, self._state.clock.epoch())
        if call.params.get("Description"):
            row["Description"] = call.params["Description"]
        self._state.save_role(call, row)
        return {"Role": told(row)}

    def delete(self, call: Call) -> Answer:
        """At once, for no service here would mind. The task is over when its id is given out."""
        row = self._state.role(call)
        if not row["Path"].startswith(SERVICE_PATH):
            raise no_such_entity(f"The role with name {row['RoleName']} cannot be found.")
        self._state.delete_role(call, row)
        return {"DeletionTaskId": f"task{row['Path']}{row['RoleName']}/{call.context.request_id}"}

    def deletion_status(self, call: Call) -> Answer:
        """https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetServiceLinkedRoleDeletionStatus.html"""
        if not call.params["DeletionTaskId"].startswith(f"task{SERVICE_PATH}"):
            raise no_such_entity(f"The deletion task {call.params['DeletionTaskId']} cannot be found.")
        return {"Status": "SUCCEEDED"}


def _noun(service: str) -> str:
    """Where it is not known, the service's own label with capitals (assumed)."""
    known = _NAMES.get(service)
    return known or "".join(word.capitalize() for word in service.partition(".")[0].split("-"))
