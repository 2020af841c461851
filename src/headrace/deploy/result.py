"""What deploying answers: the release, where it is, and how the paths agreed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headrace.result import Result

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from matplotlib.axes import Axes

    from headrace.deploy.parity import Verification
    from headrace.deploy.release import Release

__all__ = ["DeployResult"]


@dataclass(frozen=True)
class DeployResult(Result):
    """A release that was published.

    Attributes:
        path: The release folder.
        version: Its version, the first 16 hexadecimal digits of the content's hash.
        alias: The alias that names it now, such as "champion"; None when none does.
        sizes: The size of each file in bytes.
        verification: How the paths agreed; None when there is one path only.
        portable: Whether it has an ONNX graph, so that `hr.Runtime` can answer.
    """

    path: Path
    version: str
    alias: str | None
    sizes: Mapping[str, int]
    verification: Verification | None
    portable: bool = True

    @classmethod
    def of(
        cls, release: Release, verification: Verification | None, *, portable: bool = True
    ) -> DeployResult:
        """Answer the result for a release and the verification that let it pass."""
        return cls(
            release.path, release.version, release.alias, release.sizes, verification, portable
        )

    @property
    def size(self) -> int:
        """The size of the whole release in bytes."""
        return sum(self.sizes.values())

    def summary(self) -> str:
        """Answer version, place, size and agreement."""
        alias = f" ({self.alias})" if self.alias else ""
        lines = [
            f"release {self.version}{alias}",
            f"folder  {self.path}",
            f"size    {_size(self.size)} in {len(self.sizes)} files",
        ]
        if self.verification is not None:
            lines.append(self.verification.summary())
        if not self.portable:
            lines.append("a step is free Python: no ONNX graph; use hr.load(path), not hr.Runtime")
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Answer the facts as plain values."""
        return {
            "path": str(self.path),
            "version": self.version,
            "alias": self.alias,
            "sizes": dict(self.sizes),
            "portable": self.portable,
            "verification": None if self.verification is None else self.verification.to_dict(),
        }

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw how the paths agreed; the sizes of the files when there was one path only."""
        if self.verification is not None:
            return self.verification.plot(ax)
        from headrace import visualization

        axes: Axes = visualization.release_files(self, ax=ax)
        return axes


def _size(count: int) -> str:
    if count < 1024:
        return f"{count} bytes"
    return f"{count / 1024:.1f} KiB" if count < 1024**2 else f"{count / 1024**2:.1f} MiB"
