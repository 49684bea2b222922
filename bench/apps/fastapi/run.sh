#!/bin/sh
export PYTHONPATH="$LAMBDA_TASK_ROOT"
exec python3 -m uvicorn --host 127.0.0.1 --port "$PORT" --no-access-log --log-level warning main:app
