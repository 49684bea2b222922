"""How many execution environments a function version should have. Pure: values in, values out."""

from penstock.scaler.deciding import Decision, Reason, ScalerState, decide, launch_failed, launch_succeeded
from penstock.scaler.policy import LaunchDelays, ScalerSettings, ScalingPolicy, policy_of
from penstock.scaler.sample import EnvironmentSample, Sample
from penstock.scaler.throttling import ThrottleSettings, throttle_reason

__all__ = [
    "Decision",
    "EnvironmentSample",
    "LaunchDelays",
    "Reason",
    "Sample",
    "ScalerSettings",
    "ScalerState",
    "ScalingPolicy",
    "ThrottleSettings",
    "decide",
    "launch_failed",
    "launch_succeeded",
    "policy_of",
    "throttle_reason",
]
