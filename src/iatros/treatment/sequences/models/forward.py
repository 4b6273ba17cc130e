"""What the networks over visits answer, in numpy; the same equations as in `network_training`.

Arrays of a member, float32: `past` (places, e), `now` (other places, e) and `before` (m + 1, e) are vectors of codes;
`cells.*` (named as in torch.nn.GRU) or `first.*` and `second.*` (filters (out, in, width) and offsets) make the state;
`hidden.*` and `out.*` are layers; `wide_now` (other places, m) and `wide_before` (m + 1, m) are the wide part.
"""

from __future__ import annotations

import numpy as np

from iatros.learners.tabular.scorers import sigmoid
from iatros.treatment.sequences.models.bags import bag_sum
from iatros.treatment.sequences.vocabulary import Encoded

Weights = dict[str, np.ndarray]


def margins(encoder: str, w: Weights, encoded: Encoded, rows: np.ndarray) -> np.ndarray:
    """The log-odds of each medication in the visits at `rows`, float32 (n, m)."""
    visits = _mean(w["past"], encoded.bag_start, encoded.bag)
    visits = np.hstack([visits, encoded.gap[:, None]])
    states = (gru_states if encoder == "gru" else cnn_states)(w, visits, encoded.start)
    now_start, now = encoded.now()
    before_start, before = encoded.before()
    first = np.zeros((encoded.n_visits, 1), dtype=np.float32)
    first[encoded.start[:-1][np.diff(encoded.start) > 0]] = 1.0
    x = np.hstack([
        states, _mean(w["now"], now_start, now), _mean(w["before"], before_start, before),
        encoded.static[encoded.owner], encoded.gap[:, None], first,
    ])[rows]  # fmt: skip
    hidden = np.maximum(x @ w["hidden.weight"].T + w["hidden.bias"], 0.0)
    wide = bag_sum(w["wide_now"], now_start, now) + bag_sum(w["wide_before"], before_start, before)
    found: np.ndarray = hidden @ w["out.weight"].T + w["out.bias"] + wide[rows]
    return found


def gru_states(w: Weights, visits: np.ndarray, start: np.ndarray) -> np.ndarray:
    """The state before each visit (visits, units), 0 before the first, of `visits` (visits, e)."""
    units = w["cells.weight_hh_l0"].shape[1]
    given = visits @ w["cells.weight_ih_l0"].T + w["cells.bias_ih_l0"]
    length = np.diff(start)
    state = np.zeros((len(length), units), dtype=np.float32)
    before = np.zeros((len(visits), units), dtype=np.float32)
    for step in range(int(length.max(initial=0))):
        active = np.flatnonzero(length > step)
        rows = start[active] + step
        old = before[rows] = state[active]
        of_state = old @ w["cells.weight_hh_l0"].T + w["cells.bias_hh_l0"]
        both = sigmoid(given[rows, : 2 * units] + of_state[:, : 2 * units])
        reset, update = both[:, :units], both[:, units:]
        new = np.tanh(given[rows, 2 * units :] + reset * of_state[:, 2 * units :])
        state[active] = (1.0 - update) * new + update * old
    return before


def cnn_states(w: Weights, visits: np.ndarray, start: np.ndarray) -> np.ndarray:
    """What the filters say of the last visits before each one, and their maximum so far (visits, 2 units)."""
    place = np.arange(len(visits)) - np.repeat(start[:-1], np.diff(start))
    x = visits
    for name in ("first", "second"):
        x = np.maximum(_convolved(x, w[f"{name}.weight"], place) + w[f"{name}.bias"], 0.0)
    greatest = x.copy()
    for step in range(1, int(place.max(initial=0)) + 1):
        rows = np.flatnonzero(place == step)
        greatest[rows] = np.maximum(greatest[rows], greatest[rows - 1])
    both = np.hstack([x, greatest])
    before = np.zeros_like(both)
    later = np.flatnonzero(place > 0)
    before[later] = both[later - 1]
    return before


def _convolved(x: np.ndarray, filters: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Each visit with those before it, (visits, out), by `filters` (out, in, width), the last on the visit itself."""
    width = filters.shape[2]
    found = np.zeros((len(x), len(filters)), dtype=np.float32)
    for back in range(width):
        rows = np.flatnonzero(place >= back)
        found[rows] += x[rows - back] @ filters[:, :, width - 1 - back].T
    return found


def _mean(table: np.ndarray, start: np.ndarray, bag: np.ndarray) -> np.ndarray:
    """The sum of each visit's vectors over the root of their number."""
    n = np.maximum(np.diff(start), 1)[:, None]
    found: np.ndarray = bag_sum(table, start, bag) / np.sqrt(n).astype(np.float32)
    return found
