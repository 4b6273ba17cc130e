"""The datasets about treatment: where each one is, its licence, and what others reached on it."""

from __future__ import annotations

from iatros.core.cards import Card, Cards

CARDS = Cards(
    (
        Card(
            name="simulated-responses",
            title="Simulated responses of 600 subjects to 16 therapies, with known truth (no patients)",
            domain="treatment",
            page="",
            licence="Apache-2.0",
            citation="simulated by iatros itself",
            loader="iatros.treatment.dataset_tables:load_simulated",
            embedded=True,
            notes="nothing in it was learned from patients; the sicker were given the stronger therapies",
        ),
        Card(
            name="simulated-visits",
            title="Simulated visits of 500 subjects whose next medications follow known rules (no patients)",
            domain="treatment",
            page="",
            licence="Apache-2.0",
            citation="simulated by iatros itself",
            loader="iatros.treatment.dataset_tables:load_visits",
            embedded=True,
            notes="nothing in it was learned from patients: the next set hangs on the line taken and what came of it",
        ),
        Card(
            name="gbsg2",
            title="GBSG2: node-positive breast cancer and hormone therapy, as lifelines ships it",
            domain="treatment",
            page="https://doi.org/10.1200/JCO.1994.12.10.2086",
            licence="public, as distributed with lifelines (MIT)",
            citation="Schumacher M, Bastert G, Bojar H, et al. Randomized 2 x 2 trial evaluating hormonal treatment "
            "and the duration of chemotherapy in node-positive breast cancer patients. J Clin Oncol 1994;12:2086-2093",
            loader="iatros.treatment.dataset_tables:load_gbsg2",
            embedded=True,
            notes="hormone therapy was randomised for some of the women only: it is analysed as observational",
        ),
    )
)
"""All datasets about treatment."""
