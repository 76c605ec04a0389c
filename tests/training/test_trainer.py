import operator
from contextlib import suppress

import pytest
import torch
from townsfolk.training.model import TrainableDecoder
from townsfolk.training.sources import PackedSource, WorkerSource
from townsfolk.training.trainer import Trainer, TrainerSettings


def trainer(config, scripts, encoder, folder, **settings):
    torch.manual_seed(0)
    source = PackedSource(map(encoder, scripts), rows=2, length=192, seed=3)
    chosen = {"learning_rate": 3e-3, "warmup_steps": 2, "log_every": 10} | settings
    return Trainer(TrainableDecoder(config), source, TrainerSettings(**chosen), folder)


def test_the_loss_falls_until_the_replies_are_known(config, scripts, encoder, tmp_path):
    run = trainer(config, scripts, encoder, tmp_path, steps=160)
    run.run()
    first, last = run.history.loss[0], run.history.loss[-1]
    assert first > 3.0  # log 400 is 6.0
    assert last < 0.5


@pytest.mark.parametrize("orthogonal", [False, True])
def test_a_resumed_run_ends_in_the_same_weights(config, scripts, encoder, tmp_path, orthogonal):
    chosen = {"steps": 12, "orthogonal": orthogonal}
    whole = trainer(config, scripts, encoder, tmp_path / "whole", **chosen)
    whole.run()

    begun = trainer(config, scripts, encoder, tmp_path / "parts", **chosen)
    batches = begun._source.batches(0)

    class Interrupted:
        def batches(self, first_step):
            yield from (next(batches) for _ in range(5))
            raise KeyboardInterrupt

    begun._source = Interrupted()
    with suppress(KeyboardInterrupt):
        begun.run()
    resumed = trainer(config, scripts, encoder, tmp_path / "parts", **chosen)
    resumed.resume()
    resumed.run()

    for name, weight in whole.model.weights().items():
        assert torch.equal(weight, resumed.model.weights()[name]), name


def test_muon_steps_the_matrices_of_the_layers_in_all_directions_alike(
    config, scripts, encoder, tmp_path
):
    chosen = {"steps": 1, "orthogonal": True, "warmup_steps": 1, "weight_decay": 0.0}
    run = trainer(config, scripts, encoder, tmp_path, **chosen)
    before = {name: weight.clone() for name, weight in run.model.weights().items()}
    run._update([next(run._source.batches(0))], 0.0)
    stepped = {id(each) for each in run.model.matrices()}
    assert len(stepped) == 7 * config["num_hidden_layers"]
    for name, weight in run.model.named_parameters():
        step = weight.detach() - before[name]
        assert step.abs().max() > 0, name
        if id(weight) in stepped:
            values = torch.linalg.svdvals(step)
            assert values.max() < 2.5 * values.median(), name  # of a gradient it is far more


def test_prompts_are_not_learned_without_weight(config, scripts, encoder, tmp_path):
    run = trainer(config, scripts, encoder, tmp_path, steps=1, prompt_weight=0.0)
    batch = next(run._source.batches(0))
    prompts_changed = type(batch)(batch.tokens, batch.kinds.copy(), batch.documents)
    prompts_changed.kinds[prompts_changed.kinds == 1] = 0
    run._update([batch], 0.0)
    other = trainer(config, scripts, encoder, tmp_path, steps=1, prompt_weight=0.0)
    other._update([prompts_changed], 0.0)
    for name, weight in run.model.weights().items():
        assert torch.equal(weight, other.model.weights()[name]), name


@pytest.mark.parametrize("prompt_weight", [0.0, 0.3])
def test_batches_of_a_step_have_the_gradients_of_one_with_all_their_rows(
    config, scripts, encoder, tmp_path, monkeypatch, prompt_weight
):
    run = trainer(config, scripts, encoder, tmp_path, prompt_weight=prompt_weight)
    rows = run._source._all
    rows.kinds[0][rows.kinds[0] == 2] = 1  # a batch of few replies beside one of many
    gradients = []
    for optimizer in run._optimizers:
        monkeypatch.setattr(optimizer, "step", lambda: None)
        monkeypatch.setattr(optimizer, "zero_grad", lambda **_: None)
    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", lambda *_: None)
    measured = []
    for batches in ([rows.rows([0, 1, 2])], [rows.rows([0]), rows.rows([1, 2])]):
        measured.append(run._update(batches, 0.0))
        gradients.append([each.grad.clone() for each in run.model.parameters()])
        run.model.zero_grad()
    torch.testing.assert_close(*measured)
    torch.testing.assert_close(*gradients)


def test_a_run_that_accumulates_resumes_and_ends_as_one_of_larger_batches(
    config, scripts, encoder, tmp_path
):
    def run(folder, rows, accumulate):
        torch.manual_seed(0)
        source = PackedSource(map(encoder, scripts), rows=rows, length=192, seed=3)
        settings = TrainerSettings(steps=4, accumulate=accumulate, warmup_steps=2, log_every=1)
        return Trainer(TrainableDecoder(config), source, settings, tmp_path / folder)

    whole, parts = run("whole", 4, 1), run("parts", 2, 2)
    whole.run()
    batches = parts._source.batches

    def interrupted(first):
        taken = batches(first)
        yield from (next(taken) for _ in range(5))  # in the middle of the third step
        raise KeyboardInterrupt

    parts._source.batches = interrupted
    with pytest.raises(KeyboardInterrupt):
        parts.run()
    resumed = run("parts", 2, 2)
    resumed.resume()
    assert resumed._step == 2
    resumed.run()
    torch.testing.assert_close(resumed.history.loss, whole.history.loss, atol=1e-3, rtol=0)


def test_time_ends_a_run(config, scripts, encoder, tmp_path):
    run = trainer(config, scripts, encoder, tmp_path, steps=10**9, max_minutes=1e-3)
    run.run()
    assert run.history.step[-1] < 1000


def test_every_epoch_has_every_row_once(scripts, encoder):
    source = PackedSource(map(encoder, scripts), rows=1, length=192, seed=0)
    size = len(source._all.tokens)
    order = [next(source.batches(step)).tokens[0].tolist() for step in range(2 * size)]
    assert sorted(order[:size]) == sorted(order[size:]) == sorted(source._all.tokens.tolist())


def test_worker_batches_come_in_order():
    source = WorkerSource(operator.neg, workers=2)
    batches = source.batches(7)
    assert [next(batches) for _ in range(8)] == [-step for step in range(7, 15)]
    batches.close()
