"""Second stage: every chunk sees memories, written in the same pass and with gradient.

    python3 -m memory3_training.continual --tokenizer DIR --from RUN/warm_up/model --out RUN

Then anneals: more of what the stage ends with, at a lower rate that falls. Writes RUN/continual/model and, the end,
RUN/annealing/model.
"""

from pathlib import Path

from memory3_training.stages import Session, run_annealing, run_continual, stage_parser


def main() -> None:
    parser = stage_parser("continual", __doc__)
    parser.add_argument("--steps", type=int, default=9000)
    parser.add_argument("--annealing_steps", type=int, default=4000)
    parser.add_argument("--from", type=Path, dest="start", required=True,
                        help="model folder of the first stage")
    arguments = parser.parse_args()
    session = Session(arguments)
    model = run_continual(session, session.load_model(arguments.start), arguments.steps)
    run_annealing(session, model, arguments.annealing_steps)


if __name__ == "__main__":
    main()
