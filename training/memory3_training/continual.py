"""Second stage: every chunk sees memories, written in the same pass and with gradient.

    python3 -m memory3_training.continual --tokenizer DIR --from RUN/warm_up/model --out RUN

Writes RUN/continual/model.
"""

from pathlib import Path

from memory3_training.stages import Session, run_continual, stage_parser


def main() -> None:
    parser = stage_parser("continual", __doc__)
    parser.add_argument("--steps", type=int, default=10000)
    parser.add_argument("--from", type=Path, dest="start", required=True,
                        help="model folder of the first stage")
    arguments = parser.parse_args()
    session = Session(arguments)
    run_continual(session, session.load_model(arguments.start), arguments.steps)


if __name__ == "__main__":
    main()
