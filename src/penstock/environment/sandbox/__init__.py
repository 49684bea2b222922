"""Where an execution environment runs: one first process owns all others, in namespaces where the kernel has them."""

from penstock.environment.sandbox.sandbox import Sandbox
from penstock.environment.sandbox.spec import (
    ProcessExit,
    SandboxError,
    SandboxFeatures,
    SandboxPaths,
    SandboxSpec,
    SpawnError,
)

__all__ = [
    "ProcessExit",
    "Sandbox",
    "SandboxError",
    "SandboxFeatures",
    "SandboxPaths",
    "SandboxSpec",
    "SpawnError",
]
