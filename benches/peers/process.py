"""A process that is spoken to in lines of JSON, and how much of the processors it used."""

import json
import os
import subprocess
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


class Process:
    """Started at once; ended by `close` or at the end of a `with`."""

    def __init__(self, name, command, threads):
        limits = ("RAYON_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        environment = {**os.environ, **{limit: str(threads) for limit in limits}}
        self.name = name
        self.child = subprocess.Popen(
            [str(part) for part in command], env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )

    def ask(self, do, **arguments):
        """The answer to a command; ends the program where it failed."""
        arguments = {key: value for key, value in arguments.items() if value is not None}
        line = json.dumps({"do": do, **arguments}, default=str)
        try:
            self.child.stdin.write(line + "\n")
            self.child.stdin.flush()
            answer = self.child.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            raise SystemExit(f"{self.name}: it ended at {line}")
        answer = json.loads(answer)
        if "error" in answer:
            raise SystemExit(f"{self.name}: {answer['error']}, at {line}")
        return answer

    def processor_seconds(self):
        """Of all its threads so far."""
        fields = Path(f"/proc/{self.child.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def close(self):
        self.child.stdin.close()
        self.child.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
