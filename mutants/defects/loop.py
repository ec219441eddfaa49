"""Defects in the loop, in what a group shares, and in the dead-letter topic's writer."""

from __future__ import annotations

from typing import Final

from mutants.mutant import Mutant

RUN: Final = "worker/run.py"
LETTERS: Final = "worker/edges/deadletter.py"
GROUP_STOP: Final = "worker/group_stop.py"
LETTER_TESTS: Final = "tests/edges/test_deadletter.py"
NEWCOMER: Final = "tests/way/test_trouble.py::test_an_event_of_an_asset_that_is_subscribed_a_moment_later_is_delivered"

MUTANTS: Final = (
    Mutant(
        "revoked-claims-are-kept",
        "the old owner of a partition goes on posting what its new owner posts too",
        RUN,
        "        self._remember(marks)\n        self._flow.release(claims)\n",
        "        self._remember(marks)\n",
        ("tests/mutants/test_survivors.py::test_rows_that_wait_when_their_partition_goes_are_the_next_owners_alone",),
    ),
    Mutant(
        "the-drain-drains-nothing",
        "a stop leaves behind what is in flight, to be delivered again",
        RUN,
        "        while not self._flow.idle and self._stops == 1 and self._clock() < deadline:\n",
        "        while not self._flow.idle and self._stops > 1 and self._clock() < deadline:\n",
        ("tests/way/test_stopping.py::test_after_sigterm_and_a_restart_nothing_is_missing_and_nothing_came_twice",),
    ),
    Mutant(
        "exit-0-though-something-is-open",
        "whoever stops the worker for good believes that all is delivered",
        RUN,
        "        return self._flow.idle and committed\n",
        "        return committed\n",
        ("tests/mutants/test_survivors.py::test_what_is_open_when_the_drain_ends_is_told_by_the_exit_code",),
    ),
    Mutant(
        "walked-again-and-forgotten",
        "records that the new directory knows go nowhere, and their partition stands still",
        RUN,
        "        self._flow.admit(passed.rows, refused, self._clock())\n",
        "        self._flow.admit([], refused, self._clock())\n",
        (NEWCOMER,),
    ),
    Mutant(
        "unknown-records-are-not-parked",
        "records of a subscription that is a moment old go nowhere",
        RUN,
        "            self._flow.park(passed.unknown, now)\n",
        "",
        (NEWCOMER,),
    ),
    Mutant(
        "a-letter-counts-when-it-is-produced",
        "a refused record is settled before the dead-letter topic has it, or though it never gets it",
        LETTERS,
        "        self._produce(letter, BATCHED)\n",
        "        self._produce(letter, BATCHED)\n        self._outcomes.append(Lettered(letter, None))\n",
        (
            f"{LETTER_TESTS}::test_letters_without_a_broker_do_not_hold_up_the_loop",
            f"{LETTER_TESTS}::test_a_topic_that_is_not_there_fails_each_letter_is_asked_for_once_a_second_and_then_takes_them",
        ),
    ),
    Mutant(
        "a-letter-that-is-too-large-is-dropped",
        "a record that does not fit into the dead-letter topic with its reasons is nowhere",
        LETTERS,
        "        elif error.code() in TOO_LARGE and level < BARE:\n"
        "            self._smaller.append((letter, level + 1))\n",
        "        elif error.code() in TOO_LARGE:\n            self._outcomes.append(Lettered(letter, None))\n",
        (f"{LETTER_TESTS}::test_a_record_that_its_headers_make_too_large_loses_headers_and_never_itself",),
    ),
    Mutant(
        "the-groups-stop-is-not-written",
        "after each restart another flood of good records goes to the dead-letter topic",
        GROUP_STOP,
        "            self._note.write(stop)\n",
        "",
        ("tests/test_group_stop.py::test_a_flood_stops_all_workers_of_the_group_and_one_resume_lets_all_go_on",),
    ),
    Mutant(
        "the-groups-stop-is-not-obeyed-at-the-start",
        "a worker that is restarted goes on where its guard had stopped it",
        GROUP_STOP,
        "        stop = self._note.read_now()\n        if stop is not None:\n",
        "        stop = self._note.read_now()\n        if stop is not None and not stop.at:\n",
        ("tests/test_group_stop.py::test_a_restarted_worker_is_stopped_before_it_reads_anything",),
    ),
)
