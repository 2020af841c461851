"""What a network reads: the plan's last columns, under the name of this room."""

from __future__ import annotations

from headrace.plan.features import Features, FeatureSpec

__all__ = ["FeatureSpec", "Features"]
