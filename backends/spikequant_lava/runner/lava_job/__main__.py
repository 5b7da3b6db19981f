"""Entry point of the runner: watch the client, run the job, never hang and never leave a process behind."""

import os
import signal
import sys
import traceback
from pathlib import Path

from .supervision import Supervision


def main(job: str, result: str) -> None:
    """Run the job file ``job`` and write ``result``; any failure prints its traceback and ends the group."""
    supervision = Supervision(Path(job).parent)
    supervision.start()
    try:
        from .execute import run_job  # imports lava, which may fail: inside the guard

        run_job(Path(job), Path(result), supervision)
    except BaseException:  # the last line of defence: Lava's processes must not outlive this one
        traceback.print_exc()
        supervision.report()
        sys.stderr.flush()
        os.killpg(os.getpgrp(), signal.SIGTERM)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
