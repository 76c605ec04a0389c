import math
import re

import pytest
from townsfolk.sampling import InvalidSamplingError, SamplingParams
from townsfolk.v1 import sampling_pb2

REFUSED = [
    ("temperature", [-0.1, 5.1, math.nan, math.inf, "1", None, True]),
    ("top_k", [-1, 1025, 1.5, True]),
    ("top_p", [0, -0.5, 1.01, math.nan]),
    ("min_p", [-0.1, 1.1]),
    ("repetition_penalty", [0, 10.5, -1]),
    ("presence_penalty", [-10.1, 10.1]),
    ("frequency_penalty", [-10.1, 10.1]),
    (
        "logit_bias",
        [{1: 101.0}, {-1: 1.0}, {1: math.nan}, {"a": 1.0}],
    ),
    ("logit_bias", [dict.fromkeys(range(1025), 1.0)]),
    ("stop", [("",), ("x" * 257,), tuple("abcdefghijklmnopq"), (5,), "end"]),
    ("stop_token_ids", [(-1,), tuple(range(65)), ("a",)]),
    ("max_new_tokens", [0, -1, 1.0]),
    ("min_new_tokens", [-1, 257]),
    ("seed", [-1, 2**64, 0.5]),
    ("logprobs", [-1, 21]),
]
ACCEPTED = [
    ("temperature", [0, 5, 0.001]),
    ("top_k", [0, 1024]),
    ("top_p", [1, 1e-9]),
    ("min_p", [0, 1]),
    ("repetition_penalty", [10, 0.01]),
    ("presence_penalty", [-10, 10]),
    ("frequency_penalty", [-10, 10]),
    ("logit_bias", [{}, {0: -100, 5: 100}]),
    ("stop", [(), ["a", "x" * 256]]),
    ("stop_token_ids", [(), [0, 5]]),
    ("max_new_tokens", [1, 10**6]),
    ("min_new_tokens", [0, 256]),
    ("seed", [None, 0, 2**64 - 1]),
    ("logprobs", [None, 0, 20]),
]


@pytest.mark.parametrize(("name", "value"), [(n, v) for n, values in REFUSED for v in values])
def test_refused_with_the_name_of_the_field(name: str, value: object) -> None:
    with pytest.raises(InvalidSamplingError, match=f"^{re.escape(name)}.* must be ") as caught:
        SamplingParams(**{name: value})
    assert caught.value.field_name.startswith(name)


@pytest.mark.parametrize(("name", "value"), [(n, v) for n, values in ACCEPTED for v in values])
def test_accepted(name: str, value: object) -> None:
    assert getattr(SamplingParams(**{name: value}), name) == (
        tuple(value) if isinstance(value, list) else value
    )


def test_fields_are_those_of_the_contract() -> None:
    contract = set(sampling_pb2.SamplingParams.DESCRIPTOR.fields_by_name)
    assert set(SamplingParams.__dataclass_fields__) == contract


def test_token_ids_must_be_in_the_vocabulary() -> None:
    SamplingParams(logit_bias={9: 1.0}, stop_token_ids=(9,)).check_vocabulary(10)
    with pytest.raises(InvalidSamplingError, match=r"logit_bias key .* from 0 to 8, but is 9"):
        SamplingParams(logit_bias={9: 1.0}).check_vocabulary(9)
    with pytest.raises(InvalidSamplingError, match="stop_token_ids"):
        SamplingParams(stop_token_ids=(9,)).check_vocabulary(9)


def test_nothing_changes_after_the_check() -> None:
    bias = {1: 1.0}
    params = SamplingParams(logit_bias=bias)
    bias[1] = 1e9
    assert params.logit_bias == {1: 1.0}
