"""Defects in what an answer means, and in what follows from it."""

from __future__ import annotations

from typing import Final

from mutants.mutant import Mutant

VERDICT: Final = "worker/flow/verdict.py"
OUTCOME: Final = "worker/flow/outcome.py"

MUTANTS: Final = (
    Mutant(
        "200-counts-as-stored",
        "the login page of a proxy answers 200, and the batch is gone",
        VERDICT,
        "    202: _ACCEPTED,\n",
        "    200: _ACCEPTED,\n    202: _ACCEPTED,\n",
        (
            "tests/flow/test_verdict.py::test_every_status_has_the_verdict_of_the_table",
            "tests/flow/test_verdict.py::test_something_in_between_halts_and_blames_no_record",
        ),
    ),
    Mutant(
        "401-as-a-refused-record",
        "a token that is refused sends good records to the dead-letter topic",
        VERDICT,
        '    401: Answer(Verdict.REFRESH, "unauthorised"),\n',
        "    401: _REFUSED,\n",
        ("tests/flow/test_verdict.py::test_every_status_has_the_verdict_of_the_table",),
    ),
    Mutant(
        "403-as-a-refused-record",
        "credentials that are withdrawn send good records to the dead-letter topic",
        VERDICT,
        '    403: Answer(Verdict.HALT, "forbidden"),\n',
        "    403: _REFUSED,\n",
        ("tests/flow/test_verdict.py::test_a_403_in_json_halts",),
    ),
    Mutant(
        "503-as-a-refused-record",
        "an outage sends good records to the dead-letter topic",
        VERDICT,
        '        return Answer(Verdict.RETRY, "server-error")\n',
        '        return Answer(Verdict.SPLIT, "server-error")\n',
        ("tests/flow/test_verdict.py::test_every_status_has_the_verdict_of_the_table",),
    ),
    Mutant(
        "no-answer-counts-as-stored",
        "a batch whose connection broke is taken for delivered",
        VERDICT,
        "    return Answer(Verdict.RETRY, reason, unseen=sent)\n",
        "    return Answer(Verdict.ACCEPTED if sent else Verdict.RETRY, reason, unseen=sent)\n",
        ("tests/flow/test_verdict.py::test_an_attempt_without_an_answer_is_tried_again",),
    ),
    Mutant(
        "404-of-the-mart-blames-records",
        "a data mart that is gone sends good records to the dead-letter topic",
        VERDICT,
        "    if codes and not codes & NO_DATA_MART:\n",
        "    if codes:\n",
        ("tests/flow/test_verdict.py::test_a_404_blames_a_subscription_only_in_the_data_marts_words",),
    ),
    Mutant(
        "retry-after-ignored",
        "a data mart that asks for less gets more, until it locks us out",
        OUTCOME,
        "        if answer.retry_after and answer.verdict is not Verdict.ACCEPTED:\n",
        "        if answer.retry_after and answer.verdict is Verdict.HALT:\n",
        ("tests/flow/test_flow.py::test_nothing_is_posted_before_retry_after_has_passed_in_any_lane",),
    ),
    Mutant(
        "an-outage-blames-records",
        "what fails for everybody is dead-lettered after some tries",
        OUTCOME,
        "        own = _passed_since(batch, lane.accept_started)\n        batch = replace(\n",
        "        own = True\n        batch = replace(\n",
        ("tests/flow/test_flow.py::test_an_outage_dead_letters_nothing_and_probes_one_at_a_time",),
    ),
    Mutant(
        "a-sick-subscription-is-blamed-at-once",
        "an hour's outage of one subscription sends its records to the dead-letter topic",
        "worker/flow/blame.py",
        "batch.elsewhere >= attempts * ALONE\n",
        "batch.elsewhere >= attempts\n",
        (
            "tests/flow/test_poison.py::test_a_lone_poison_is_dead_lettered_after_thirty_times_the_patience_while_others_pass",
        ),
    ),
    Mutant(
        "half-of-a-split-batch-dropped",
        "a bad record takes half of its batch along: open for ever, and its partition with it",
        OUTCOME,
        "            for half in reversed(batch.halves(now)):\n",
        "            for half in batch.halves(now)[:1]:\n",
        (
            "tests/flow/test_flow.py::test_bisection_finds_the_one_bad_record_of_five_hundred_in_18_more_posts",
            "tests/flow/test_state_machine.py",
        ),
    ),
    Mutant(
        "any-conflict-counts-as-stored",
        "a 409 that nobody can explain is taken for delivered",
        OUTCOME,
        '        elif answer.reason == "conflict" and batch.unseen:\n',
        '        elif answer.reason == "conflict":\n',
        ("tests/flow/test_flow.py::test_a_conflict_after_an_unseen_end_means_that_it_is_stored_already",),
    ),
    Mutant(
        "one-404-is-enough",
        "a directory that is a minute old sends records of a new subscription to the dead-letter topic",
        OUTCOME,
        "        if gone and place not in self._not_found and rejection.envelope.claim in self._ledgers:\n",
        "        if gone and place in self._not_found and rejection.envelope.claim in self._ledgers:\n",
        ("tests/flow/test_gone.py::test_a_404_asks_for_a_newer_directory_and_dead_letters_nothing_yet",),
    ),
    Mutant(
        "a-halted-batch-is-forgotten",
        "the batch that met the halt is never posted again, and its partition stands still",
        OUTCOME,
        "        self._lanes.again(post.lane, replace(post.batch, refreshed=False, due=now))\n",
        "        replace(post.batch, refreshed=False, due=now)\n",
        ("tests/flow/test_flow.py::test_a_halt_posts_nothing_but_probes_and_recovers_by_itself",),
    ),
)
