"""What a verdict of the gate looks like in an answer that lists treatments."""

from __future__ import annotations

from typing import Any

from iatros.treatment.safety.actions import sentence
from iatros.treatment.safety.gate import Verdict


def said(verdict: Verdict) -> dict[str, Any]:
    """What stands beside a treatment that was let through: findings in a sentence each, and what was not checked."""
    return {
        "status": verdict.status,
        "because": [sentence(one) for one in verdict.findings],
        "not_checked": [gap.reason for gap in verdict.gaps],
    }


def stopped(verdict: Verdict) -> dict[str, Any]:
    """A treatment that was removed, with every rule that stops it and where the rule stands."""
    because = [one.document() for one in verdict.findings if one.stops]
    because += [gap.document() for gap in verdict.gaps if gap.stops]
    return {"treatment": verdict.candidate, "because": because, "said": said(verdict)["because"]}
