"""Tells which of the environment's worker processes answered, and how many requests that one has seen."""

import json
import logging
import os
import time
from typing import Any

logger = logging.getLogger()
logger.setLevel(logging.INFO)

# Each worker is a process of its own: what is kept here is not shared with requests that run at the same time.
seen = 0


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    global seen
    seen += 1
    seconds = float((event.get("queryStringParameters") or {}).get("seconds", "0"))
    logger.info("request %d of this worker", seen)
    time.sleep(seconds)
    return {
        "statusCode": 200,
        "headers": {"content-type": "application/json"},
        "body": json.dumps({"worker": os.getpid(), "requests": seen, "requestId": context.aws_request_id}),
    }
