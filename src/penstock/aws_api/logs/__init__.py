"""CloudWatch Logs."""

from penstock.aws_api.logs.ports import FunctionLog, FunctionLogs
from penstock.aws_api.logs.service import LogsService

__all__ = ["FunctionLog", "FunctionLogs", "LogsService"]
