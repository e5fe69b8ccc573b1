"""How long an update of Conc4Hist takes, and where the time goes.

    python benchmarks/conc4hist_update.py [--games 8] [--steps 50] [--agents 20]
        [--microbatch 16384] [--own-heads]

Made-up observations of 12 entities of 16 features and as many remembered; a quarter of the entities
is not there. On a CPU it runs one thread and counts CPU seconds, on other devices seconds. GFLOP/s
are of the matrix products that an epoch cannot do without, forward and backward; beside them stand
those of a plain product of 1024 x 1024 in the same run.

What was learnt (one thread of a busy machine; before: the entities' hidden layer stored, as plain
autograd has it):

| | samples | epoch before | epoch now | peak memory before | now |
|---|---|---|---|---|---|
| 16 games x 50 steps x 10 agents | 7,075 | 0.160 s | 0.082 s | 0.59 GB | 0.44 GB |
| 64 x 50 x 20 | 56,150 | 1.19 s | 0.65 s | 0.82 GB | 0.68 GB |
| 64 x 190 x 50, the paper's size | 531,335 | 10.3 s | 5.9 s | 1.8 GB | 2.6 GB |
| 16 x 50 x 10, body frozen (``--own-heads``) | 7,075 | 0.097 s | 0.048 s | | |

- An iteration at the paper's size, 24 epochs and what precedes them, takes 24 x 5.9 + 6 = 149 s of
  one thread (254 s before). Playing is not in it.
- An epoch needs 0.5 MFLOP a sample, counted as if every product were computed as written. That is
  43 to 45 GFLOP/s where a plain product has 165 to 185 (25 before); of the time in the entities'
  part, products are a half.
- It was bound by memory, not by arithmetic: rows are 16 and 48 wide, 24 to a sample. The same
  operations take a fifth of the time on 256 samples that the cache holds. So the hidden layer of
  all entities is made tile by tile, read at once, and made again in going back
  (``hosts/attention.py``): it is never stored, nor are gradients by it added, filled or scattered.
  Tiles of 512 samples were the fastest; of 256 the starting of operations costs as much as the
  cache gains, of 1,024 they no longer fit.
- What is seen is gathered and normalised once an update (a tenth of each epoch), at the price of a
  second copy.
- Algebra comes first. Keys, values and the encoder's second layer are linear and need not run on
  every entity; folded into the layers that read them they need not run at all
  (``hosts/concentration.py``).
- A softmax over the last of 12 columns takes seven times as long as over the first of 12 rows;
  argmax is the other way.
- No help: ``torch.compile`` of the objective; small portions in place of tiles (512 samples: as
  slow as before, for each portion starts 400 operations, 4 ms); other settings of malloc, huge
  pages.
- Portions of 16,384 samples are 4 % faster than of 8,192 and 10 % faster than of 4,096.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from itertools import pairwise
from operator import itemgetter
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from marl_core.exploration.entropy_sampling import EntropySampling
from marl_core.hosts.conc4hist.conc4hist import Conc4Hist
from marl_core.hosts.conc4hist.config import Conc4HistConfig
from marl_core.learning import LearningContext
from marl_core.training.optimizer import FlatAdam
from marl_core.types import EnvironmentSpec, Observation, Progress, Rollout

POLICY = EntropySampling(coefficient=0.2)


def made_up_rollout(
    host: Conc4Hist, spec: EnvironmentSpec, games: int, steps: int, device: str
) -> Rollout:
    """Random observations: a quarter of all entities is missing, agents die half-way."""
    random = torch.Generator(device).manual_seed(0)
    assert spec.entities is not None
    shape = (steps, games, spec.agents)
    entities = torch.randn(*shape, *spec.entities, generator=random, device=device)
    mask = torch.rand(*shape, spec.entities[0], generator=random, device=device) < 0.75
    mask[..., 0] = True
    alive = torch.ones(shape, dtype=torch.bool, device=device)
    alive[steps // 2 :] = torch.rand(shape[1:], generator=random, device=device) < 0.75
    observations = Observation(entities=entities, entity_mask=mask, alive=alive)
    memory = host.initial_memory(games)
    before = []
    actions = []
    with torch.no_grad():
        for t in range(steps):
            before.append(memory)
            scores, memory = host.scores(observations.map(itemgetter(t)), memory)
            actions.append(scores.argmax(-1))
    reward = torch.randn(shape, generator=random, device=device)
    no = torch.zeros(steps, games, dtype=torch.bool, device=device)
    ends = no.clone()
    ends[-1] = True
    return Rollout(
        observations=observations,
        last_observation=observations.map(lambda x: x[-1]),
        actions=torch.stack(actions),
        reward=reward,
        team_reward=reward.mean(-1),
        terminated=ends,
        truncated=no,
        valid=~no,
        component=torch.zeros_like(no, dtype=torch.int64),
        progress=Progress(),
        memory={name: torch.stack([one[name] for one in before]) for name in memory},
        last_memory=memory,
    )


def clock(device: str) -> float:
    """CPU seconds of the process, or seconds where the CPU is not what works."""
    if device == "cpu":
        return time.process_time()
    torch.cuda.synchronize()
    return time.perf_counter()


def update(host: Conc4Hist, optimizer: FlatAdam, rollout: Rollout) -> list[float]:
    """The seconds until each epoch of an update is done."""
    device = rollout.reward.device.type
    done = []
    started = clock(device)
    for loss in host.losses(rollout, POLICY, LearningContext()):
        optimizer.set_gradients(optimizer.gradients_of(loss.total))
        optimizer.step()
        done.append(clock(device) - started)
    return done


def matmul_rate(device: str, size: int = 1024) -> float:
    """GFLOP/s of a plain product of square matrices."""
    one = torch.randn(size, size, device=device)
    rates = []
    for _ in range(10):
        started = clock(device)
        torch.mm(one, one)
        rates.append(2 * size**3 / (clock(device) - started) / 1e9)
    return max(rates)


def operations(
    width: int, entities: int, features: int, focus: int, actions: int
) -> float:
    """Operations of the matrix products that a sample needs in an epoch, forward and backward."""
    k = 2 * focus - 1  # entities chosen by both blocks
    first = 2 * entities * features * width
    products = (1 + k + 2) * width * width + 2 * width * width * 2 + 4 * width * width
    heads = (
        (k + 2) * (width + features) * width
        + 2 * width * width
        + width * width // 2
        + width // 2 * actions
    )
    heads += 2 * width * width + width
    attention = 4 * entities * width
    # Backward is two products for each, but for the first layer, whose input needs no gradient.
    return 2 * (2 * first + 3 * (products + heads + attention))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--games", type=int, default=8)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--agents", type=int, default=20)
    parser.add_argument("--microbatch", type=int, default=None)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--own-heads", action="store_true", help="as in PR-Fast")
    parser.add_argument("--profile", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    spec = EnvironmentSpec(
        agents=arguments.agents,
        actions=7,
        max_steps=arguments.steps,
        entities=(12, 16),
        agents_die=True,
    )
    settings = {"epochs": arguments.epochs, "min_inside_clip": 0.0}
    if arguments.microbatch is not None:
        settings["microbatch"] = arguments.microbatch
    config = Conc4HistConfig.model_validate(settings)
    host = Conc4Hist(config, spec, torch.Generator().manual_seed(0)).to(
        arguments.device
    )
    if arguments.own_heads:
        host.give_each_agent_its_own_head()
    rollout = made_up_rollout(
        host, spec, arguments.games, arguments.steps, arguments.device
    )
    optimizer = FlatAdam(host.parameter_groups())
    update(host, optimizer, rollout)
    done = update(host, optimizer, rollout)
    epochs = [later - earlier for earlier, later in pairwise(done)]
    seconds = sorted(epochs)[len(epochs) // 2]
    samples = int(rollout.acting.sum())
    rate = samples * operations(48, 12, 16, 3, 7) / seconds / 1e9
    result: dict[str, Any] = {
        "samples": samples,
        "epoch_seconds": seconds,
        "before_the_epochs": done[0] - epochs[0],
        "update_seconds": done[-1],
        "GFLOP/s": None
        if arguments.own_heads
        else rate,  # with a frozen body most of the products are not needed
        "matmul GFLOP/s": matmul_rate(arguments.device),
        "peak_memory_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    }
    print(json.dumps(result, indent=2))
    if arguments.profile:
        activities = [ProfilerActivity.CPU] + (
            [ProfilerActivity.CUDA] if arguments.device != "cpu" else []
        )
        with profile(activities=activities) as found:
            update(host, optimizer, rollout)
        by = (
            "self_cpu_time_total"
            if arguments.device == "cpu"
            else "self_cuda_time_total"
        )
        print(
            found.key_averages().table(
                sort_by=by, row_limit=30, max_name_column_width=40
            )
        )


if __name__ == "__main__":
    main()
