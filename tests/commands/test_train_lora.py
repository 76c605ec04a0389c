"""`townsfolk train lora` as its user meets it, on a tiny random model."""

import json
from argparse import ArgumentParser

import pytest
import torch
from chat_models import write_model
from peft import PeftModel
from safetensors.torch import load_file
from townsfolk.checkpoint import AdapterConfig, read_adapter
from townsfolk.commands import train_lora as command
from townsfolk.text.tokenizer import Tokenizer
from townsfolk.training.chat import ChatEncoder
from townsfolk.training.held_out import hold_out
from townsfolk.training.lora import LoraDecoder
from townsfolk.training.sources import PackedSource
from townsfolk.training.trainer import Trainer, TrainerSettings
from transformers import AutoModelForCausalLM

CPU = torch.device("cpu")
pytestmark = pytest.mark.usefixtures("one_thread")
FAST = ("--device=cpu", "--rank=4", "--rows=2", "--length=192", "--log-every=5", "--warmup-steps=1")


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("base"), "llama3", context=512)


@pytest.fixture
def data(tmp_path, scripts):
    path = tmp_path / "data.jsonl"
    path.write_text("\n".join(json.dumps(script.to_json()) for script in scripts))
    return path


def train(base, data, output, *options):
    parser = ArgumentParser()
    command.add_arguments(parser)
    arguments = ["--base", str(base), "--data", str(data), "-o", str(output), *FAST, *options]
    return command.run(parser.parse_args(arguments))


def adapter_weights(folder):
    return load_file(folder / "adapter_model.safetensors")


def test_an_adapter_learns_what_is_said_and_loads_in_peft(tmp_path, base, data, capsys):
    output = tmp_path / "adapter"
    options = ("--validation", str(data), "--steps=60", "--learning-rate=0.01")
    assert train(base, data, output, *options) == 0
    shown = capsys.readouterr().out
    assert "6 dialogues" in shown
    assert "step 60" in shown
    history = json.loads((output / "checkpoint" / "progress.json").read_text())["history"]
    assert history["validation_loss"][-1] < history["validation_loss"][0] / 2
    assert (output / "loss.png").read_bytes().startswith(b"\x89PNG")
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    peft = PeftModel.from_pretrained(model, output)
    assert peft.peft_config["default"].r == 4
    before = {name: each.clone() for name, each in adapter_weights(output).items()}
    assert train(base, data, output, *options, "--resume") == 0  # there is nothing left to do
    for name, each in adapter_weights(output).items():
        assert each.equal(before[name]), name


class Interrupted:
    """Ends like a run that is stopped by hand."""

    def __init__(self, source, steps):
        self._source, self._steps = source, steps

    def batches(self, first_step):
        batches = self._source.batches(first_step)
        yield from (next(batches) for _ in range(self._steps))
        raise KeyboardInterrupt


def test_a_resumed_run_ends_in_the_same_weights(tmp_path, base, scripts):
    encoder = ChatEncoder(Tokenizer.from_directory(base))
    examples = [each for script in scripts for each in encoder(script)]
    source = PackedSource(examples, 2, 192, seed=3)
    config = AdapterConfig(r=4, lora_dropout=0.2, target_modules=("q_proj", "down_proj"))
    settings = TrainerSettings(
        steps=12, learning_rate=0.01, warmup_steps=2, log_every=4, prompt_weight=0.0
    )

    def trainer(folder, batches=source):
        return Trainer(LoraDecoder(base, config, CPU), batches, settings, tmp_path / folder)

    whole = trainer("whole")
    whole.run()
    begun = trainer("parts", Interrupted(source, 5))
    with pytest.raises(KeyboardInterrupt):
        begun.run()
    resumed = trainer("parts")
    resumed.resume()
    resumed.run()
    for name, weight in whole.model.weights().items():
        assert torch.equal(weight, resumed.model.weights()[name]), name
    saved = load_file(tmp_path / "parts" / "checkpoint" / "weights.safetensors")
    assert saved.keys() == whole.model.weights().keys()
    moments = load_file(tmp_path / "parts" / "checkpoint" / "optimizer.safetensors")
    trained = sum(each.numel() for each in saved.values())
    assert sum(each.numel() for each in moments.values()) == 2 * trained + len(saved)


def test_a_stopped_run_has_an_adapter_and_goes_on(tmp_path, base, data, monkeypatch, capsys):
    options = ("--steps=8", "--learning-rate=0.01", "--log-every=2", "--dropout=0.1")
    assert train(base, data, tmp_path / "whole", *options) == 0
    with monkeypatch.context() as patched:
        whole = PackedSource.batches

        def interrupted(source, first_step):
            batches = whole(source, first_step)
            yield from (next(batches) for _ in range(5))
            raise KeyboardInterrupt

        patched.setattr(PackedSource, "batches", interrupted)
        assert train(base, data, tmp_path / "parts", *options) == 130
    assert "with --resume goes on" in capsys.readouterr().out
    read_adapter(tmp_path / "parts")
    assert train(base, data, tmp_path / "parts", *options, "--resume") == 0
    expected = adapter_weights(tmp_path / "whole")
    for name, each in adapter_weights(tmp_path / "parts").items():
        assert each.equal(expected[name]), name


def test_a_run_ends_early_and_keeps_its_best(tmp_path, base, data, scripts, capsys):
    other = tmp_path / "other.jsonl"
    lines = [
        script.to_json() | {"transcript": [
            {"kind": "heard", "text": "Where do you live?"},
            {"kind": "spoke", "text": "Wolves don't talk of 12 gold coins in the northern woods!"},
        ]}
        for script in scripts
    ]  # fmt: skip
    other.write_text("\n".join(map(json.dumps, lines)))
    output = tmp_path / "adapter"
    options = ("--validation", str(other), "--steps=1000", "--patience=3", "--learning-rate=0.01")
    assert train(base, data, output, *options) == 0
    history = json.loads((output / "checkpoint" / "progress.json").read_text())["history"]
    losses = history["validation_loss"]
    assert len(losses) < 200
    assert losses.index(min(losses)) == len(losses) - 4
    best = load_file(output / "checkpoint" / "best.safetensors")
    written = adapter_weights(output)
    for name, each in best.items():
        assert written[f"base_model.model.{name}"].equal(each), name
    assert f"best {min(losses):.4f}" in capsys.readouterr().out


def test_an_adapter_is_gone_on_from(tmp_path, base, data):
    assert train(base, data, tmp_path / "first", "--steps=2", "--targets=q_proj,v_proj") == 0
    parser = ArgumentParser()
    command.add_arguments(parser)
    begin = ("--adapter", str(tmp_path / "first"), "--steps=1", "--learning-rate=1e-9")
    fast = [each for each in FAST if not each.startswith("--rank")]
    places = ("--base", str(base), "--data", str(data), "-o", str(tmp_path / "second"))
    assert command.run(parser.parse_args([*places, *fast, *begin])) == 0
    first, second = read_adapter(tmp_path / "first"), read_adapter(tmp_path / "second")
    assert first.weights.keys() == second.weights.keys()
    for name, weight in first.weights.items():
        torch.testing.assert_close(second.weights[name].a, weight.a, atol=1e-6, rtol=0)


def test_another_run_is_neither_overwritten_nor_gone_on_with(tmp_path, base, data, capsys):
    output = tmp_path / "adapter"
    assert train(base, data, output, "--steps=1") == 0
    before = adapter_weights(output)
    assert train(base, data, output, "--steps=1") == 2
    assert "holds a run already: go on with it by --resume" in capsys.readouterr().err
    assert train(base, data, output, "--steps=1", "--rank=2", "--resume") == 2
    assert "was begun otherwise, with adapter" in capsys.readouterr().err
    assert train(base, data, output, "--steps=2", "--resume") == 2
    assert "steps 1 (now 2)" in capsys.readouterr().err
    for name, each in adapter_weights(output).items():
        assert each.equal(before[name]), name


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ({"persona": {"name": "Mira"}, "transcript": [{"kind": "sang"}]}, "transcript[0].kind"),
        ({"persona": {"nam": "Mira"}, "transcript": [{"kind": "event", "text": "x"}]}, "persona.n"),
        ({"persona": {"name": "Mira"}, "turns": []}, "turns: there is no such field"),
        ({"persona": {"name": "Mira"}}, "transcript: is missing"),
    ],
)
def test_what_is_wrong_with_a_dialogue_is_said(tmp_path, base, data, capsys, line, reason):
    data.write_text(f"{data.read_text()}\n{json.dumps(line)}")
    assert train(base, data, tmp_path / "adapter") == 2
    shown = capsys.readouterr().err
    assert f"data.jsonl, line 7: {reason}" in shown


@pytest.mark.parametrize(
    ("option", "reason"),
    [
        ("--targets=q_proj,c_attn", "no c_attn; it has down_proj, gate_proj"),
        ("--length=513", "the model's context is 512"),
        ("--length=10", "no reply that can be learned"),
        ("--base=/nowhere/model", "/nowhere/model"),
        ("--device=tpu", "write cpu, cuda"),
        ("--adapter=/nowhere/adapter", "leave out ours"),
    ],
)
def test_what_cannot_be_done_is_said(tmp_path, base, data, capsys, option, reason):
    assert train(base, data, tmp_path / "adapter", option) == 2
    assert reason in capsys.readouterr().err
    assert not (tmp_path / "adapter").exists()


def test_whole_characters_are_held_out(scripts):
    documents = [script for script in scripts for _ in range(5)]
    learned, held = hold_out(documents, 0.2, seed=1)
    assert len(held) == 5
    names = [{each.persona.name for each in some} for some in (learned, held)]
    assert not names[0] & names[1]
    assert hold_out(documents, 0.2, seed=1) == (learned, held)
    one = documents[:10:5] * 5
    assert [len(each) for each in hold_out(one[:1] * 10, 0.2, 0)] == [8, 2]
    assert hold_out(documents, 0.0, 0) == (documents, [])
