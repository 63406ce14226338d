"""Both stages, one after the other, or the second alone.

    python3 -m memory3_training.train --tokenizer DIR --out RUN [--memory_from_start]

With --memory_from_start the second stage begins with a new model and takes all the steps: what the
paper says makes a model ignore its memories.
"""

from memory3_training.stages import (
    Session,
    run_annealing,
    run_continual,
    run_warm_up,
    stage_parser,
)


def main() -> None:
    parser = stage_parser("train", __doc__)
    parser.add_argument("--warm_up_steps", type=int, default=3000)
    parser.add_argument("--continual_steps", type=int, default=9000)
    parser.add_argument("--annealing_steps", type=int, default=4000)
    parser.add_argument("--memory_from_start", action="store_true")
    arguments = parser.parse_args()
    session = Session(arguments)
    model, steps = session.new_model(), arguments.continual_steps
    if arguments.memory_from_start:
        steps += arguments.warm_up_steps
    else:
        run_warm_up(session, model, arguments.warm_up_steps)
    model = run_continual(session, model, steps)
    run_annealing(session, model, arguments.annealing_steps)


if __name__ == "__main__":
    main()
