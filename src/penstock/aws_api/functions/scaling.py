"""FunctionScalingConfig: how many environments a version has.

https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionScalingConfig.html
"""

from collections.abc import Mapping

from penstock.aws_api.functions.errors import missing
from penstock.aws_api.functions.host import Running
from penstock.aws_api.functions.state import Record, State, version_key
from penstock.aws_api.service import Answer, Call, Operation
from penstock.control_plane.scaling_config import read_scaling_config


class Scaling:
    def __init__(self, state: State) -> None:
        self._state = state

    @property
    def operations(self) -> Mapping[str, Operation]:
        return {"GetFunctionScalingConfig": self._get, "PutFunctionScalingConfig": self._put}

    def _get(self, call: Call) -> Answer:
        record, running = self._find(call)
        scalable = running.scalable
        answer: Answer = {
            "FunctionArn": record["config"]["FunctionArn"],
            "AppliedFunctionScalingConfig": scalable.applied.shape(),
        }
        if scalable.requested is not None:
            answer["RequestedFunctionScalingConfig"] = scalable.requested.shape()
        return answer

    def _put(self, call: Call) -> Answer:
        record, running = self._find(call)
        config = read_scaling_config(call.params)
        name, version = record["config"]["FunctionName"], record["config"]["Version"]
        self._state.versions.put(version_key(name, version), record | {"scaling": config.shape()})
        running.scalable.put(config)
        return {"FunctionState": running.state}

    def _find(self, call: Call) -> tuple[Record, Running]:
        state = self._state
        name = state.read_name({"FunctionName": call.params["FunctionName"]}).name
        version = call.params["Qualifier"]
        record, running = state.version(name, version), state.running.get((name, version))
        if record is None or running is None:
            raise missing(f"Function not found: {state.function_arn(name, version)}")
        return record, running
