"""What is kept, as the API shows it. Members are those of botocore's service model:
https://github.com/boto/botocore/blob/develop/botocore/data/lambda/2015-03-31/service-2.json
"""

from penstock.aws_api.functions.state import LATEST, Record, State
from penstock.model.capacity import VersionState


def listed(state: State, record: Record, qualifier: str | None) -> Record:
    """A FunctionConfiguration without its state: one item of a list. `qualifier` is what its ARN ends with."""
    config = dict(record["config"])
    config["FunctionArn"] = state.function_arn(config["FunctionName"], qualifier)
    return config


def whole(state: State, record: Record, qualifier: str | None) -> Record:
    """With its state.

    `$LATEST` on Managed Instances exists and cannot run, as observed in outputs of AWS's workshop
    "Deep Dive into Lambda Managed Instances". https://docs.aws.amazon.com/lambda/latest/api/API_ListFunctions.html
    """
    config = listed(state, record, qualifier) | {"LastUpdateStatus": "Successful"}
    if config["Version"] == LATEST:
        return config | {"State": VersionState.ACTIVE_NON_INVOCABLE.value}
    running = state.running.get((config["FunctionName"], config["Version"]))
    if running is None:
        reason = "The environments of this version could not be started"
        return config | {"State": "Failed", "StateReasonCode": "InternalError", "StateReason": reason}
    config["State"] = running.state
    if running.reason is not None:
        config["StateReasonCode"], config["StateReason"] = running.reason
    return config


def being_created(config: Record) -> Record:
    """As CreateFunction and PublishVersion answer it."""
    return config | {
        "State": "Pending",
        "StateReason": "The function is being created.",
        "StateReasonCode": "Creating",
    }


def being_updated(config: Record) -> Record:
    """The reason code seen on AWS is in no list of botocore's, so that none is told."""
    return config | {"LastUpdateStatus": "InProgress", "LastUpdateStatusReason": "The function is being created."}


def alias(state: State, record: Record) -> Record:
    """An AliasConfiguration."""
    name = record["Name"]
    shape = {key: value for key, value in record.items() if key not in ("function",)}
    return shape | {"AliasArn": state.function_arn(record["function"], name)}
