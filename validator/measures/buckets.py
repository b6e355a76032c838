"""The measure of a Prometheus histogram: `histogram_quantile`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from validator.arguments import NUMBER, Form, given
from validator.histogram import Bucket, check_cumulative, histogram_quantile, is_beyond
from validator.measures.base import Measure, Reach, measure
from validator.values import Json, Number


def _share(value: Json) -> Json:
    number = NUMBER.read(value)
    if not 0 <= number <= 1:
        raise ValueError(f"expected a quantile between 0 and 1, found {number}")
    found: Json = number
    return found


_SHARE = Form("a quantile between 0 and 1", _share, {"type": "number", "minimum": 0, "maximum": 1})


@measure("histogram_quantile")
@dataclass(frozen=True, slots=True)
class HistogramQuantile(Measure):
    """The quantile `q` that the buckets of a histogram imply, as Prometheus estimates it.

    Select the `_bucket` series. Within `delta` it is the quantile of this load's observations.
    Where Prometheus makes do, this does not: a quantile in the `+Inf` bucket is above every bound,
    and buckets that are not cumulative have none.

    ```yaml
    - metric: http_request_duration_seconds_bucket
      delta: {histogram_quantile: {q: 0.5, between: [0.001, 2]}}
    ```
    """

    reach = Reach.BUCKETS
    noun = "quantile"
    q: Number = given(_SHARE, 0.5)

    def of(self, subject: Sequence[Bucket]) -> Number:
        found = histogram_quantile(self.q, subject)
        if found is None:
            raise ValueError("nothing was observed")
        check_cumulative(subject)
        return math.inf if is_beyond(self.q, subject) else found
