"""Simulated images with known answers: for tests, the demonstration, and heat maps that can be checked."""

from iatros.imaging.simulation.radiographs import Radiographs, simulate_radiographs
from iatros.imaging.simulation.series import DISC, RING, Series, content_task, order_task, simulate_volumes
from iatros.imaging.simulation.ultrasound import PROPERTIES, Ultrasound, simulate_ultrasound
from iatros.imaging.simulation.writing import (
    CLASSES,
    COLUMNS,
    write_npz,
    write_radiographs,
    write_ultrasound,
)

__all__ = [
    "CLASSES",
    "COLUMNS",
    "DISC",
    "PROPERTIES",
    "RING",
    "Radiographs",
    "Series",
    "Ultrasound",
    "content_task",
    "order_task",
    "simulate_radiographs",
    "simulate_ultrasound",
    "simulate_volumes",
    "write_npz",
    "write_radiographs",
    "write_ultrasound",
]
