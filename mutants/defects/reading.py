"""Defects in reading from Kafka: claims, commits, pauses, failures."""

from __future__ import annotations

from typing import Final

from mutants.mutant import Mutant

SOURCE: Final = "worker/edges/source.py"
COMMITS: Final = "worker/edges/commits.py"
FAILURES: Final = "worker/edges/failures.py"
PAUSING: Final = "worker/edges/pausing.py"
FAILURE_TESTS: Final = "tests/edges/test_source_failures.py"
CLAIM_TESTS: Final = "tests/edges/test_source_claims.py"
PAUSE_TESTS: Final = "tests/edges/test_source_pausing.py"
RETENTION: Final = "tests/edges/test_source_retention.py"
EXCEPTION: Final = f"{FAILURE_TESTS}::test_a_callback_of_the_client_that_raises_ends_the_source_and_all_is_read_again"

MUTANTS: Final = (
    Mutant(
        "a-failed-callback-is-swallowed",
        "a claim that nobody took charge of is read, and its records are settled nowhere",
        FAILURES,
        "            yield\n        except Exception as error:  # noqa: BLE001 - whatever it is\n"
        "            self._keep(error)\n",
        "            yield\n        except Exception as error:  # noqa: BLE001 - whatever it is\n"
        "            error.add_note('swallowed')\n",
        (
            f"{FAILURE_TESTS}::test_a_callback_of_the_sources_own_never_raises_and_what_went_wrong_is_told",
            f"{FAILURE_TESTS}::test_a_holder_that_raises_in_a_rebalance_ends_the_source_and_nothing_is_committed",
        ),
    ),
    Mutant(
        "a-chunk-is-skipped-after-an-exception",
        "an exception out of a read costs all that librdkafka had given out in it, and the reading goes on behind it",
        SOURCE,
        "        messages = self._consumer.consume(1, timeout)\n",
        "        try:\n            messages = self._consumer.consume(1, timeout)\n"
        "        except Exception:\n            messages = []\n",
        (EXCEPTION,),
    ),
    Mutant(
        "commits-go-on-after-a-failure",
        "what was lost with an exception is committed with the rest",
        COMMITS,
        "        if self._failures.any:\n            return False\n",
        "",
        (EXCEPTION,),
    ),
    Mutant(
        "commits-for-partitions-that-are-not-owned",
        "the broker moves the new owner's commit backwards",
        COMMITS,
        "        owned = {claim: mark for claim, mark in marks.items() if self._claims.owns(claim)}\n",
        "        owned = dict(marks)\n",
        (f"{CLAIM_TESTS}::test_a_commit_for_a_claim_that_has_gone_is_not_sent_and_moves_nothing_back",),
    ),
    Mutant(
        "a-revoked-claim-is-still-owned",
        "a revocation is ignored: what is late for the old claim is taken for the new owner's",
        SOURCE,
        "            self.commit(self._holder.revoked(claims), wait=True)\n            self._forget(claims)\n",
        "            self.commit(self._holder.revoked(claims), wait=True)\n",
        (f"{CLAIM_TESTS}::test_a_commit_for_a_claim_that_has_gone_is_not_sent_and_moves_nothing_back",),
    ),
    Mutant(
        "a-commit-that-failed-is-not-noticed",
        "a worker ends well although the broker has refused its last commit",
        COMMITS,
        "        self._failed += self._claims.on(failed)\n",
        "",
        ("tests/mutants/test_survivors.py::test_a_commit_that_the_broker_refused_is_offered_again",),
    ),
    Mutant(
        "paused-after-a-reassignment",
        "a partition that was paused when it was revoked is never read again",
        PAUSING,
        "if self._told.get(claim) is not paused}\n",
        "if self._told.get(claim, False) is not paused}\n",
        (f"{PAUSE_TESTS}::test_a_partition_that_was_held_when_it_went_is_read_when_it_comes_back",),
    ),
    Mutant(
        "held-for-ever",
        "a partition that was held for a sick subscription is never read again",
        PAUSING,
        "        held = frozenset(claims)\n",
        "        held = self._held.union(claims)\n",
        (f"{PAUSE_TESTS}::test_a_partition_that_is_held_is_not_read_while_the_others_are_and_loses_nothing",),
    ),
    Mutant(
        "deleted-offsets-are-not-looked-after",
        "a partition whose next record Kafka has deleted stands still without a word",
        "worker/edges/envelopes.py",
        "            self._resets.note(topic, partition)\n",
        "            self._failures.note(error)\n",
        (f"{RETENTION}::test_a_group_that_has_committed_nothing_begins_at_the_start_and_has_lost_nothing",),
    ),
)
