#!/bin/sh
# The function's packages lie in the task root, next to this file.
export PYTHONPATH="${LAMBDA_TASK_ROOT:-.}${PYTHONPATH:+:$PYTHONPATH}"
exec python3 -m uvicorn --host 127.0.0.1 --port "$PORT" main:app
