#!/bin/sh
# The paths are those of the Lambda Web Adapter's own examples.
export PYTHONPATH="$PYTHONPATH:$LAMBDA_TASK_ROOT:/opt/python"
cd "$LAMBDA_TASK_ROOT"
exec python3 -m uvicorn --host 127.0.0.1 --port "$PORT" --no-access-log --log-level warning main:app
