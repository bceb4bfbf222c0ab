#!/usr/bin/env bash
# Packages: torch 2.15.0.
# Guess: each fresh network of a search is compiled anew; what is only a number (dropout, a learning rate) is not.
# What happens: the other way round. Fresh networks of one shape share one graph, whichever way they are compiled. Each dropout
#     probability is a graph of its own, and so is each fresh optimizer's step: the ninth of them in a process is run without
#     compiling, for good, and all that tells so is a warning in the log. `torch.compiler.reset()` between trials begins anew.
# Why it matters: a process that serves many trials, which saves the start-up of each, compiles the first eight at a cost
#     of a minute each and trains the rest at the eager pace. Comparisons of pace between trials are void.
# Seen: graphs compiled by trials 1 to 12
#     fresh networks, torch.compile(network):        [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], compiled calls 12 of 12
#     fresh networks, one function:                  [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], compiled calls 12 of 12
#     fresh networks with dropout of their own:      [1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0], compiled calls 8 of 12
#     fresh AdamW, compiled step:                    [1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0], compiled calls 8 of 12
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv .
bin/pip install --quiet --disable-pip-version-check uv==0.13.9
bin/uv pip install --quiet --python bin/python torch==2.15.0 numpy==2.4.6
bin/python - <<'END'
import sys

import torch
from torch import nn

torch._logging.set_logs(dynamo=40)  # the warnings that the limit was hit
TRIALS = 12
graphs, calls = [], []


def counting(graph, _):
    graphs.append(graph)

    def run(*inputs):
        calls.append(graph)
        return graph.forward(*inputs)

    return run


def network(dropout=0.0):
    layers = [nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 2)]
    return nn.Sequential(*layers, *([nn.Dropout(dropout)] if dropout else []))


def trials(name, run):
    torch.compiler.reset()
    compiled, called = [], 0
    for number in range(TRIALS):
        before = len(graphs)
        calls.clear()
        run(number)
        compiled.append(len(graphs) - before)
        called += bool(calls)
    print(f"{name + ':':46} {compiled}, compiled calls {called} of {TRIALS}")
    return compiled, called


def of_its_own(_):
    torch.compile(network(), backend=counting)(images).sum().backward()


def one_function(_, dropout=0.0):
    forward(network(dropout), images).sum().backward()


def optimizer(number):
    model = network()
    adamw = torch.optim.AdamW(model.parameters(), lr=0.1 / (number + 1))
    model(images).sum().backward()
    torch.compile(adamw.step, backend=counting)()


images = torch.rand(2, 3, 8, 8)
forward = torch.compile(lambda model, batch: model(batch), backend=counting)
once = ([1] + [0] * (TRIALS - 1), TRIALS)
shared = [trials("fresh networks, torch.compile(network)", of_its_own), trials("fresh networks, one function", one_function)]
dropouts = trials("fresh networks with dropout of their own", lambda number: one_function(number, 0.1 + number / 50))
steps = trials("fresh AdamW, compiled step", optimizer)
sys.exit(not (shared == [once, once] and dropouts[1] == 8 and dropouts[0][8:] == [0] * 4 and steps[0][8:] == [0] * 4))
END
