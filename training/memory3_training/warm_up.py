"""First stage: a plain decoder learns language, and to read, without memory.

    python3 -m memory3_training.warm_up --tokenizer DIR --out RUN

In three of four batches the layers above the memory layers see a short window only, so that what reads
a text forms in the layers that will see memories. Writes RUN/warm_up/model.
"""

from memory3_training.stages import Session, run_warm_up, stage_parser


def main() -> None:
    parser = stage_parser("warm_up", __doc__)
    parser.add_argument("--steps", type=int, default=3000)
    arguments = parser.parse_args()
    session = Session(arguments)
    run_warm_up(session, session.new_model(), arguments.steps)


if __name__ == "__main__":
    main()
