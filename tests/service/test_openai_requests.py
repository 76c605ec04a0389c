"""What front ends and agents really send is taken, and means what it says."""

import pytest
from townsfolk.sampling import SamplingParams
from townsfolk.service.openai.requests import ChatRequest

CALL = {"id": "c1", "type": "function", "function": {"name": "give", "arguments": "{}"}}


def params(**more):
    body = {"model": "m", "messages": [{"role": "user", "content": "Hello!"}], **more}
    return ChatRequest.model_validate(body).params(SamplingParams(top_k=7), 4096)


def test_numbers_without_a_fraction_are_whole_numbers():
    """Godot's JSON and JavaScript's numbers are floats."""
    found = params(max_tokens=250.0, top_k=40.0, seed=3.0, n=1.0, logprobs=True, top_logprobs=2.0)
    assert found == params(max_tokens=250, top_k=40, seed=3, n=1, logprobs=True, top_logprobs=2)
    for wrong in ({"max_tokens": 2.5}, {"max_tokens": True}, {"n": "1"}, {"seed": float("nan")}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            params(**wrong)


@pytest.mark.parametrize(("given", "taken"), [(-1, 0), (0, 0), (40, 40), (None, 7)])
def test_all_tokens_may_be_drawn_where_top_k_is_none_or_minus_one(given, taken):
    assert params(top_k=given).top_k == taken


@pytest.mark.parametrize("nothing", [{"logit_bias": []}, {"top_logprobs": 0}, {"stop": None}])
def test_what_asks_for_nothing_changes_nothing(nothing):
    assert params(**nothing) == params()


@pytest.mark.parametrize(
    "more",
    [
        {"annotations": [], "refusal": None, "audio": None, "function_call": None},
        {"reasoning_content": "She likes him."},
        {"reasoning": "She likes him.", "reasoning_details": []},
        {"tool_calls": []},
    ],
)
def test_an_earlier_reply_comes_back_as_another_server_s_client_kept_it(more):
    said = {"role": "assistant", "content": "Welcome!", **more}
    request = ChatRequest.model_validate({"model": "m", "messages": [said]})
    assert request.messages[0].content == "Welcome!"


def test_calls_that_were_put_together_from_a_stream_come_back():
    messages = [
        {"role": "assistant", "content": None, "tool_calls": [{**CALL, "index": 0}]},
        {"role": "tool", "tool_call_id": "c1", "name": "give", "content": "done"},
    ]
    request = ChatRequest.model_validate({"model": "m", "messages": messages})
    assert request.messages[0].tool_calls[0].function.name == "give"


def test_what_a_player_is_said_to_have_thought_is_refused():
    said = {"role": "user", "content": "Hello!", "reasoning_content": "?"}
    with pytest.raises(ValueError, match="reasoning_content"):
        ChatRequest.model_validate({"model": "m", "messages": [said]})
