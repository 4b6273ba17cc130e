"""The leakage audit: columns and rows that give the outcome away."""

from __future__ import annotations

from iatros.core.leakage.columns import CHECKS, AuditColumn, Suspect
from iatros.core.leakage.scan import audit

__all__ = ["CHECKS", "AuditColumn", "Suspect", "audit"]
