"""Quality gates: is this an image that the model can answer? Numpy, scipy and Pillow only."""

from __future__ import annotations

from iatros.imaging.quality.finding import CODES, Finding
from iatros.imaging.quality.gates import FILE, Gates, fit_gates, gate_report

__all__ = ["CODES", "FILE", "Finding", "Gates", "fit_gates", "gate_report"]
