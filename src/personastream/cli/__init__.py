"""The command line: one module a verb, loaded when it is called, so that `--help` is quick."""

import errno
import importlib
import os
import signal
import sys
from contextlib import suppress
from io import TextIOWrapper
from typing import NoReturn

import click

from personastream import __version__
from personastream.errors import ExitCode, RunError
from personastream.observe.say import say

LAST_STANDARD_PLACE = 2
ENDING = (signal.SIGINT, signal.SIGTERM)
VERBS = {
    "run": "Run a configuration, or continue it with --resume.",
    "check": "Show what a configuration would do; sends nothing.",
    "status": "Show what is settled, in flight and spent in a run.",
    "retry": "Ask the dead rows of a run again, into the same run.",
    "reparse": "Read kept replies again by a mended template; asks nothing.",
    "dedup": "Drop duplicates from files of rows; no model is asked.",
    "decontaminate": "Tell which records hold texts of test sets; changes nothing.",
    "report": "Write a page about a run: what it made, how fast and diverse.",
    "export": "Write a run's records as training data for other tools.",
    "review": "Let people judge a sample of the records, on a page.",
    "card": "Write a data set card: README, Croissant, lineage.",
    "purge": "Remove somebody, or a source, with all made of them.",
    "verify": "Read a run's output back and prove it whole.",
    "eval": "Ask a model problems with known answers; report its accuracy.",
    "serve": "Run jobs as a service: side by side, for months.",
    "ctl": "Command a service: submit, list, pause, limits.",
    "top": "Watch a service on the terminal.",
    "simulate": "Serve an LLM simulator on this machine.",
    "demo": "Run the main job on built-in personas and the simulator.",
}


class Verbs(click.Group):
    """Commands whose modules are imported when they are needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs, in the order in which one meets them."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name."""
        if cmd_name not in VERBS:
            return None
        command: click.Command = importlib.import_module(f"personastream.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="personastream")
def personastream() -> None:
    """Stream personas through an LLM, with every row accounted for.

    \b
    Start here:
      personastream demo                       the whole thing, no server needed
      personastream check configs/math.toml    what a run would do and cost
      personastream run configs/math.toml      do it; add --resume to continue
    """


def main() -> NoReturn:
    """Entry point of the `personastream` command. Exit codes are those of `ExitCode`."""
    _fill_standard_places()
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115 - closed by whoever started us, open to the end
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a persona may hold what the terminal's encoding does not
            stream.reconfigure(errors="backslashreplace")
    for number in ENDING:
        signal.signal(number, _leave)
    code = _call()
    for number in ENDING:  # it is over: one signal more must not change the exit code
        signal.signal(number, signal.SIG_IGN)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:  # told already, or nobody listens; what is left must not fail again as Python ends
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    sys.exit(code)


def _fill_standard_places() -> None:
    """Whoever started us with closed streams leaves their numbers to other files: libuv dies rather than close one."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= LAST_STANDARD_PLACE:
        os.set_inheritable(number, True)
    os.close(number)


def _leave(number: int, frame: object) -> NoReturn:
    """What a signal does until a run listens for itself. Raising would do too, but crash libraries being imported."""
    os._exit(ExitCode.WORK_LEFT)


def _call() -> int:
    try:
        return int(personastream.main(standalone_mode=False) or 0)
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.Abort:
        return ExitCode.WORK_LEFT
    except click.ClickException as error:
        with suppress(OSError):
            error.show(sys.stderr)
        return ExitCode.USAGE
    except RunError as error:
        say(f"personastream: {error}")
        return error.exit_code
    except SystemExit:  # how click ends when the reader of our output went away: that is not our failure
        return ExitCode.DONE
    except OSError as error:
        if error.errno != errno.ENOSPC or error.filename is not None:
            raise
        say(f"personastream: cannot write the output: {error.strerror}")
        return ExitCode.IO_ERROR
