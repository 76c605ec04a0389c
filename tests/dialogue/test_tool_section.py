"""What a template says of tools: as it writes it itself, behind what the system text says else."""

import pytest
from chat_models import use_template, write_tokenizer
from townsfolk.dialogue.actions import Action, ActionBook, ActionParameter
from townsfolk.dialogue.chat_template import ChatTemplate
from townsfolk.dialogue.tool_section import ToolSection
from townsfolk.text.tokenizer import Tokenizer

ACTIONS = [
    Action(
        name="give",
        description='Hand over "an item", très vite',
        condition="it was paid for",
        parameters=(ActionParameter(name="item", options=("sword", "ale")),),
    ),
    Action(name="open_door", json_schema='{"type": "object", "properties": {}}'),
]
PLAIN = """\
{%- for message in messages %}
{{- '<|start_header_id|>' + message.role + '<|end_header_id|>\\n\\n' }}
{{- message.content + '<|eot_id|>' }}
{%- endfor %}
{%- if add_generation_prompt %}
{{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}"""
# In the manner of Qwen: behind the system text, a line for each tool.
BEHIND = """\
{%- if tools %}
{{- '<|start_header_id|>system<|end_header_id|>\\n\\n' + messages[0].content }}
{{- '\\n\\n# Tools\\n\\n<tools>' }}
{%- for tool in tools %}{{- '\\n' }}{{- tool | tojson }}{%- endfor %}
{{- '\\n</tools>\\n\\nAnswer with\\n<tool_call>\\n{"name": <n>, "arguments": <a>}\\n' }}
{{- '</tool_call><|eot_id|>' }}
{%- set messages = messages[1:] %}
{%- endif %}
"""
# In the manner of Llama 3.1: before it, and in the first thing that the user says unless told.
BEFORE = """\
{{- '<|start_header_id|>system<|end_header_id|>\\n\\n' }}
{%- if tools is not none %}{{- 'Environment: ipython\\n' }}{%- endif %}
{{- 'Today Date: 26 Jul 2024\\n\\n' }}
{%- if tools is not none and tools_in_user_message is defined and not tools_in_user_message %}
{{- 'Respond in the format {"name": function name, "parameters": its arguments}.\\n\\n' }}
{%- for tool in tools %}{{- tool | tojson(indent=4) }}{{- '\\n\\n' }}{%- endfor %}
{%- endif %}
{{- messages[0].content + '<|eot_id|>' }}
{%- set messages = messages[1:] %}
"""


@pytest.fixture
def load(tmp_path):
    directory = write_tokenizer(tmp_path, "llama3")
    return lambda template: Tokenizer.from_directory(use_template(directory, template))


def rendered(tokenizer, system, tools):
    messages = [{"role": "system", "content": system}, {"role": "user", "content": "Hm?"}]
    return tokenizer.renderer.render(
        messages, add_generation_prompt=True, tools=tools, tools_in_user_message=False
    )


def test_behind_the_system_text_it_is_the_template_s_own(load):
    tokenizer = load(BEHIND + PLAIN)
    tools = [action.tool for action in ACTIONS]
    section = ToolSection.of(tokenizer)
    assert section is not None
    assert rendered(tokenizer, f"I am Mira.\n\n{section.text(tools)}", None) == rendered(
        tokenizer, "I am Mira.", tools
    )


def test_before_the_system_text_its_words_are_the_template_s_own(load):
    tokenizer = load(BEFORE + PLAIN)
    tools = [action.tool for action in ACTIONS]
    section = ToolSection.of(tokenizer)
    assert section is not None
    assert f"\n\n{section.text(tools)}\n\nI am Mira." in rendered(tokenizer, "I am Mira.", tools)


def test_a_book_speaks_of_its_actions_so(load):
    template = ChatTemplate(load(BEHIND + PLAIN))
    book = ActionBook(ACTIONS, BEHIND, template.tools)
    assert book.text.startswith(
        '# Tools\n\n<tools>\n{"type": "function", "function": {"name": "give"'
    )
    assert "très vite When: it was paid for" in book.text
    assert "<tool_call>" in book.text
    assert book.text.endswith("mostly just speak.")
    assert ActionBook([], BEHIND, template.tools).text == ""


@pytest.mark.parametrize(
    "template",
    [
        PLAIN,
        "{% if tools %}{{ tools[0].function.name }}{% endif %}" + PLAIN,
        "{% if tools %}{{ raise_exception('no tools') }}{% endif %}" + PLAIN,
        "{% if tools %}{{ tools | tojson }}{% endif %}" + PLAIN,
    ],
    ids=["none", "looks into them", "refuses them", "elsewhere"],
)
def test_without_one_that_is_understood_actions_are_told_in_our_words(load, template):
    tokenizer = load(template)
    assert ChatTemplate(tokenizer).tools is None
    text = ActionBook(ACTIONS, tokenizer.chat_template, None).text
    assert text.startswith("To act, write <action>")
