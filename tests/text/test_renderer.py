"""Chat templates run in a process of their own, which a hostile one can only get killed."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable

import pytest
from townsfolk.text.renderer import RenderingError, RenderingLimits, TemplateRenderer

HELLO = [{"role": "user", "content": "Hello"}]
PLAIN = "{{ bos }}{% for m in messages %}{{ m.role }}: {{ m.content }}{% endfor %}"
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="Windows limits the time only")


def render(renderer: TemplateRenderer, text: str = "Hello") -> str:
    messages = [{"role": "user", "content": text}]
    return renderer.render(messages, add_generation_prompt=True)


@pytest.fixture
def renderer() -> TemplateRenderer:
    return TemplateRenderer(PLAIN, {"bos": "<s>"})


def test_renders_with_its_variables(renderer: TemplateRenderer) -> None:
    assert render(renderer, "Grüße 🍺\n\x00\u2028") == "<s>user: Grüße 🍺\n\x00\u2028"
    assert renderer.render([], add_generation_prompt=False, bos="</s>") == "</s>"


def test_one_process_renders_again_and_again(renderer: TemplateRenderer) -> None:
    render(renderer)
    process = renderer._process
    assert all(render(renderer, str(n)) == f"<s>user: {n}" for n in range(50))
    assert renderer._process is process


@POSIX
@pytest.mark.parametrize(
    ("hostile", "message"),
    [
        (
            "{% for a in range(90000) %}{% for b in range(90000) %}{% endfor %}{% endfor %}",
            "takes more than 1 s of processor time",
        ),
        (
            "{% set ns = namespace(x='abcd') %}{% for a in range(99) %}"
            "{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
            "takes more than 64 MiB",
        ),
        ("{{ 'a' * 10**10 }}", "takes more than 64 MiB"),
        ("{{ 'a' * 10**6 }}", "writes more than 1000 characters"),
        ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "recursion"),
        ("{{ raise_exception('never') }}", "never"),
        ("{{ messages.__class__.__mro__ }}", "unsafe"),
        ("{% for", "unexpected 'end of template'"),
    ],
)
def test_what_takes_too_much_fails_and_what_comes_next_does_not(hostile: str, message: str) -> None:
    source = f"{{% if messages[0].content == 'evil' %}}{hostile}{{% endif %}}fine"
    source = source if hostile != "{% for" else hostile
    limits = RenderingLimits(cpu_s=1, wall_s=120, memory_mib=64, most_characters=1000)
    renderer = TemplateRenderer(source, {}, limits)
    with pytest.raises(RenderingError, match=message) as error:
        render(renderer, "evil")
    assert not error.value.again
    if hostile != "{% for":
        assert render(renderer) == "fine"


def test_the_clock_ends_what_the_processor_time_does_not() -> None:
    endless = "{% for a in range(90000) %}{% for b in range(90000) %}{% endfor %}{% endfor %}"
    renderer = TemplateRenderer(endless, {}, RenderingLimits(cpu_s=60, wall_s=0.2))
    with pytest.raises(RenderingError, match=r"longer than 0\.2 s") as error:
        render(renderer)
    assert error.value.again


def test_a_process_that_was_killed_is_started_again(renderer: TemplateRenderer) -> None:
    render(renderer)
    process = renderer._process
    assert process is not None
    process._popen.kill()
    process._popen.wait()
    assert render(renderer) == "<s>user: Hello"


def test_the_process_ends_with_its_renderer() -> None:
    renderer = TemplateRenderer(PLAIN, {})
    render(renderer)
    assert renderer._process is not None
    popen = renderer._process._popen
    del renderer
    assert popen.wait(timeout=500) != 0


def test_the_process_ends_with_its_standard_input(renderer: TemplateRenderer) -> None:
    """So it does when the runtime is killed."""
    render(renderer)
    assert renderer._process is not None
    popen = renderer._process._popen
    assert popen.stdin is not None
    popen.stdin.close()
    assert popen.wait(timeout=500) == 0


def test_many_threads_get_their_own_texts(renderer: TemplateRenderer) -> None:
    texts: dict[int, str] = {}

    def work(number: int) -> None:
        for _ in range(20):
            texts[number] = render(renderer, str(number))
            assert texts[number] == f"<s>user: {number}"

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(texts) == 8


def test_secrets_of_the_environment_stay_here(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[dict[str, str]] = []
    import subprocess

    popen: Callable[..., subprocess.Popen[bytes]] = subprocess.Popen

    def recording(*args: object, **options: object) -> subprocess.Popen[bytes]:
        started.append(options["env"])
        return popen(*args, **options)

    monkeypatch.setattr(subprocess, "Popen", recording)
    monkeypatch.setitem(os.environ, "TOWNSFOLK_AUTH_TOKEN", "secret")
    render(TemplateRenderer(PLAIN, {}))
    assert len(started) == 1
    assert "secret" not in started[0].values()
