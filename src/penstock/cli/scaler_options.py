"""What the command line says about scaling, as settings."""

from dataclasses import replace

from penstock.scaler import ScalerSettings


def scaler_settings(scale_in: float) -> ScalerSettings:
    """`scale_in` in seconds: what was wanted is kept so long, and then one goes after the other, in a fifth of it."""
    usual = ScalerSettings()
    pace = scale_in / usual.scale_in_window_s
    return replace(usual, scale_in_window_s=scale_in, scale_in_every_s=usual.scale_in_every_s * pace)
