"""Defects in the joining of two records to one scoring: one row that stands for two offsets."""

from __future__ import annotations

from typing import Final

from mutants.mutant import Mutant

JOINING: Final = "worker/flow/joining.py"
OFFSETS: Final = "worker/flow/offsets.py"
TESTS: Final = "tests/flow/test_joining.py"

MUTANTS: Final = (
    Mutant(
        "a-row-settles-only-the-older-of-its-two-records",
        "the newer stays open for ever, and holds up its partition",
        OFFSETS,
        "        for claim, run in groupby(apart(envelopes) if self.paired else envelopes, _claim):\n",
        "        for claim, run in groupby(envelopes, _claim):\n",
        (f"{TESTS}::test_one_row_settles_two_offsets_and_nothing_commits_past_a_half_that_waits",),
    ),
    Mutant(
        "a-pair-is-dead-lettered-as-one-record",
        "what was refused is a tombstone in the dead-letter topic, and two records are gone",
        "worker/flow/letters.py",
        "            for envelope in apart((rejection.envelope,)):\n",
        "            for envelope in (rejection.envelope,):\n",
        (f"{TESTS}::test_a_scoring_that_is_refused_is_dead_lettered_as_two_records_each_as_it_came",),
    ),
    Mutant(
        "halves-of-a-revoked-claim-are-kept",
        "a half of the old claim is joined with one of the new, whose other half nobody has settled",
        "worker/flow/flow.py",
        "        self._joining.drop(claims)\n",
        "",
        (f"{TESTS}::test_a_revoked_claim_forgets_its_halves",),
    ),
    Mutant(
        "a-half-is-given-up-while-nothing-is-read",
        "an hour of the data mart's outage dead-letters scorings whose other half is the next record",
        JOINING,
        "            if ended or passed:\n",
        "            if True:\n",
        (f"{TESTS}::test_what_is_not_read_to_the_end_may_still_come_however_long_it_takes",),
    ),
    Mutant(
        "settled-beyond-the-commit-is-believed-of-another-topic",
        "records of a topic made anew are passed over as if they had been stored",
        "worker/flow/settled.py",
        "    if not text.startswith(begun):\n",
        "    if not text.startswith(VERSION):\n",
        (f"{TESTS}::test_what_was_committed_with_another_position_or_topic_is_no_news",),
    ),
    Mutant(
        "what-is-open-is-told-as-settled",
        "the next owner passes over a half that waited, and the other waits in vain",
        OFFSETS,
        "        return settled_beyond(self.settled(), upto, (*self._open, *sorted(unread)))\n",
        "        return settled_beyond(self.settled(), upto, (*[*self._open][:1], *sorted(unread)))\n",
        (f"{TESTS}::test_after_a_restart_what_was_settled_behind_a_waiting_half_is_passed_over",),
    ),
    Mutant(
        "nothing-is-remembered-beyond-a-commit",
        "a restart between the two halves of a stored scoring dead-letters the second, and delivers others twice",
        "worker/flow/recall.py",
        "            ledger.recalled = found\n",
        "            pass\n",
        (f"{TESTS}::test_after_a_restart_what_was_settled_behind_a_waiting_half_is_passed_over",),
    ),
)
