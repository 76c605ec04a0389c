import json

import pytest
from townsfolk.starter import recipe
from townsfolk.starter.corpus.conversation import natural
from townsfolk.training.script import InvalidScriptError, Script, read

GOOD = {
    "persona": {"name": "Mira"},
    "transcript": [{"kind": "heard", "text": "Hi"}, {"kind": "spoke", "text": "Hello."}],
}


def test_a_script_survives_json(scripts):
    for script in scripts:
        assert Script.from_json(json.loads(json.dumps(script.to_json()))) == script


def test_actions_survive_json():
    told = next(filter(None, (acting(number) for number in range(100))))
    again = Script.from_json(json.loads(json.dumps(told.to_json())))
    assert again == told
    assert again.messages() == told.messages()


def acting(number):
    told = recipe.script(natural(f"json:{number}"))
    return told if told.actions else None


def test_conversations_and_texts_may_be_mixed(tmp_path):
    path = tmp_path / "data.jsonl"
    path.write_text(json.dumps(GOOD) + "\n\n" + json.dumps({"text": "Once."}) + "\n")
    conversation, text = read([path])
    assert isinstance(conversation, Script)
    assert text == "Once."


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "line 2"),
        ("[]", "JSON object"),
        ('{"transcript": []}', "persona"),
        (json.dumps({**GOOD, "loer": []}), "persona"),
        (json.dumps({**GOOD, "lore": "text"}), "lore"),
        (json.dumps({**GOOD, "persona": {"name": ""}}), "name"),
        (json.dumps({**GOOD, "transcript": [{"kind": "sang", "text": "la"}]}), "kind"),
        (json.dumps({**GOOD, "transcript": ["Hello"]}), "transcript"),
        (json.dumps({**GOOD, "actions": [{"name": "give item"}]}), r"actions\[0\].name"),
        (json.dumps({**GOOD, "actions": ["give"]}), r"actions\[0\]: must be an object"),
    ],
)
def test_a_bad_line_is_named(tmp_path, line, reason):
    path = tmp_path / "data.jsonl"
    path.write_text(json.dumps(GOOD) + "\n" + line + "\n")
    with pytest.raises(InvalidScriptError, match=reason) as error:
        read([path])
    assert "line 2" in str(error.value)


def test_nothing_to_learn_is_an_error(tmp_path):
    path = tmp_path / "data.jsonl"
    path.write_text("\n")
    with pytest.raises(InvalidScriptError, match="nothing to learn"):
        read([path])
