"""Defects in what is in flight: ledgers, lanes, letters, the flood guard, what waits."""

from __future__ import annotations

from typing import Final

from mutants.mutant import Mutant

OFFSETS: Final = "worker/flow/offsets.py"
LETTERS: Final = "worker/flow/letters.py"
FLOW: Final = "worker/flow/flow.py"
MACHINE: Final = "tests/flow/test_state_machine.py"

MUTANTS: Final = (
    Mutant(
        "commit-before-the-post-is-acknowledged",
        "what was read is committed; a crash loses all that is in flight",
        OFFSETS,
        "        return next(iter(self._open), self._next)\n",
        "        return self._next\n",
        (
            "tests/flow/test_offsets.py::test_a_commit_never_passes_an_open_offset_and_misses_no_settled_one",
            MACHINE,
        ),
    ),
    Mutant(
        "commit-the-maximum",
        "the highest settled offset is committed, over the heads of open ones",
        OFFSETS,
        "        self.size -= sum(map(self._open.pop, offsets))\n",
        "        self.size -= sum(map(self._open.pop, offsets))\n"
        "        self._open = {each: size for each, size in self._open.items() if each > max(offsets)}\n",
        ("tests/flow/test_offsets.py::test_a_commit_never_passes_an_open_offset_and_misses_no_settled_one",),
    ),
    Mutant(
        "fenced-by-partition-number",
        "a late answer to an earlier claim settles a record of the next claim that nobody has delivered",
        OFFSETS,
        "            ledger = self._ledgers.get(claim)\n"
        "            if ledger is not None:\n                ledger.finish(",
        "            same = (each for held, each in self._ledgers.items() if held.partition == claim.partition)\n"
        "            ledger = next(same, None)\n"
        "            if ledger is not None:\n                ledger.finish(",
        ("tests/flow/test_flow.py::test_a_late_result_for_a_revoked_claim_settles_nothing_of_the_next_claim",),
    ),
    Mutant(
        "a-failed-commit-is-not-offered-again",
        "the last commit is lost, and the next worker delivers everything twice",
        OFFSETS,
        "        self._committed = mark\n",
        "        self._committed = mark or self._committed\n",
        ("tests/flow/test_offsets.py::test_a_failed_commit_is_offered_again",),
    ),
    Mutant(
        "the-invariant-looks-away",
        "a fault in the ledgers commits records that are still held",
        "worker/flow/invariant.py",
        "        if mark is not None and envelope.offset < mark:\n",
        "        if mark is not None and envelope.offset < mark < 0:\n",
        ("tests/flow/test_invariant.py::test_what_is_held_below_a_mark_is_found_and_nothing_else",),
    ),
    Mutant(
        "dropped-when-the-dead-letter-write-fails",
        "a refused record is settled although it is nowhere",
        LETTERS,
        "        if error is None:\n            self._account",
        "        if error is None or letter.attempts >= 3:\n            self._account",
        (
            "tests/flow/test_letters.py::test_a_letter_is_tried_for_as_long_as_it_takes_and_settled_only_when_acknowledged",
            MACHINE,
        ),
    ),
    Mutant(
        "kept-back-records-are-forgotten",
        "what the flood guard kept back is gone after the resume, and its partition stands still",
        LETTERS,
        "        for rejection in kept_back:\n            self._admit(rejection)\n",
        "        kept_back.clear()\n",
        ("tests/flow/test_flood.py::test_after_a_resume_everything_goes_on",),
    ),
    Mutant(
        "the-flood-guard-is-ignored",
        "a bad deploy drains the topic into the dead-letter topic",
        LETTERS,
        "        if self._guard.admits(rejection.refusal, posted=rejection.attempts > 0):\n",
        "        if self._guard.admits(rejection.refusal, posted=rejection.attempts > 0) or self._guard.stop:\n",
        ("tests/flow/test_flood.py::test_what_is_kept_back_is_neither_settled_nor_lost_nor_written",),
    ),
    Mutant(
        "posts-go-on-while-the-flood-guard-stops",
        "a data mart that refuses everything is sent everything",
        FLOW,
        "        if self.stopped:\n            return [*letters]\n",
        "",
        ("tests/flow/test_flood.py::test_nothing_is_read_and_nothing_posted_while_it_is_stopped",),
    ),
    Mutant(
        "reading-goes-on-while-the-flood-guard-stops",
        "the room fills with what is kept back",
        FLOW,
        "        if self.stopped or self.open_bytes",
        "        if self.open_bytes",
        ("tests/flow/test_flood.py::test_nothing_is_read_and_nothing_posted_while_it_is_stopped",),
    ),
    Mutant(
        "letters-of-a-revoked-claim-are-kept",
        "a partition's old owner goes on with records that are another's",
        FLOW,
        "        self._letters.drop(claims)\n",
        "",
        (
            "tests/flow/test_flood.py::test_a_released_claim_takes_its_kept_back_records_along_and_the_others_stay",
            "tests/flow/test_letters.py::test_letters_of_a_claim_that_is_gone_are_not_written",
        ),
    ),
    Mutant(
        "rows-of-a-revoked-claim-are-kept",
        "a partition's old owner goes on posting records that are another's",
        FLOW,
        "        self._posting.drop(claims)\n",
        "",
        ("tests/flow/test_flow.py::test_rows_of_a_revoked_claim_are_not_posted",),
    ),
    Mutant(
        "parked-records-are-forgotten",
        "a new directory lets the records that came after its fetch began vanish",
        "worker/flow/waiting.py",
        "                self._of[claim] += 1\n                self._parked.append(each)\n",
        "                self._of[claim] += 1\n",
        (
            "tests/flow/test_waiting.py::test_a_fetch_takes_those_that_came_before_it_began_and_leaves_the_others",
            "tests/flow/test_flow.py::test_parked_records_are_given_back_only_by_a_fetch_begun_after_they_came",
        ),
    ),
    Mutant(
        "an-old-directory-is-believed",
        "a record is rejected by a directory that was fetched before it came",
        "worker/flow/waiting.py",
        "            if each.since <= begun or (fresh and self._of[claim] >= few):\n",
        "            if each.since <= begun or fresh or rejection.wanted is None:\n",
        ("tests/flow/test_gone.py::test_only_a_directory_begun_after_the_404_is_new",),
    ),
    Mutant(
        "a-404-is-answered-by-an-older-directory",
        "a record of a subscription that is gone is judged by a directory older than its 404",
        "worker/flow/waiting.py",
        "            fresh = rejection.wanted is not None and each.since <= begun + FRESH\n",
        "            fresh = each.since <= begun + FRESH\n",
        ("tests/flow/test_waiting.py::test_what_came_while_a_directory_was_fetched_is_answered_by_it_where_many_wait",),
    ),
    Mutant(
        "isolation-loses-what-waits",
        "batches that wait for their next try vanish when a subscription gets its own lane",
        "worker/flow/lanes.py",
        "        for batch in waiting:\n            self.again(mart, batch)\n",
        "        del waiting\n",
        ("tests/flow/test_lanes.py::test_what_waits_of_an_isolated_subscription_moves_with_it",),
    ),
    Mutant(
        "the-last-rows-never-leave",
        "rows that do not fill a batch wait for ever",
        "worker/flow/batch.py",
        "        return 0.0 if self.full(policy) else self._opened + policy.linger\n",
        "        return 0.0 if self.full(policy) else None\n",
        ("tests/flow/test_flow.py::test_a_lane_closes_when_full_or_when_its_first_record_has_lingered",),
    ),
    Mutant(
        "a-breaker-probes-once",
        "after the first probe that failed, nothing is posted ever again",
        "worker/flow/breaker.py",
        "        if probe:\n            self._probing = False\n",
        "        del probe\n",
        ("tests/flow/test_flow.py::test_an_outage_dead_letters_nothing_and_probes_one_at_a_time",),
    ),
    Mutant(
        "letters-crowd-out-all-partitions",
        "refused records that wait for the dead-letter topic take all room, and nothing is read of any partition",
        FLOW,
        "        stuck.update(each.claim for each in self._letters.held())\n",
        "",
        ("tests/flow/test_crowd.py::test_letters_in_flight_and_those_that_the_guard_keeps_back_crowd_too",),
    ),
    Mutant(
        "a-crowded-partition-stays-paused",
        "a partition that was paused for a sick subscription is never read again",
        "worker/flow/crowd.py",
        "        self.claims = full | still\n",
        "        self.claims |= full | still\n",
        ("tests/flow/test_crowd.py::test_it_is_read_again_only_when_half_of_that_is_gone",),
    ),
    Mutant(
        "a-fault-of-the-worker-loses-the-record",
        "a record that our own code cannot take is in no list, and holds its partition for ever",
        "worker/rooms/suite.py",
        "                found = _internal(error)\n",
        "                _internal(error)\n                continue\n",
        ("tests/rooms/test_suite.py::test_a_fault_of_the_worker_costs_the_record_and_not_its_neighbours",),
    ),
    Mutant(
        "what-is-to-be-tried-again-has-no-turn",
        "a batch that failed is never posted again where nothing more comes into its lane",
        "worker/flow/lanes.py",
        "            self.turns.wake(home, part.due)\n",
        "",
        (
            "tests/flow/test_turns.py::test_what_waits_for_a_later_try_is_tried_then_though_nothing_else_happens_in_its_lane",
        ),
    ),
    Mutant(
        "a-limit-of-none",
        "an endpoint that throttles is sent nothing any more",
        "worker/flow/concurrency.py",
        "        self._base = max(1, int(used * CUT))\n",
        "        self._base = int(used * CUT)\n",
        ("tests/flow/test_concurrency.py::test_it_never_leaves_its_bounds",),
    ),
    Mutant(
        "a-record-is-blamed-for-its-compression",
        "an endpoint that cannot read gzip gets good records dead-lettered",
        "worker/edges/courier.py",
        "        return len(post.batch.rows) > 1 or self._refused\n",
        "        return True\n",
        ("tests/edges/test_courier.py::test_no_record_is_blamed_because_an_endpoint_cannot_read_gzip",),
    ),
    Mutant(
        "a-post-thread-dies-with-its-batch",
        "an unexpected error on a post thread takes the batch along: in flight for ever",
        "worker/edges/courier.py",
        '            answer = no_answer("internal-error", sent=True)\n',
        "            return True\n",
        ("tests/edges/test_courier.py::test_a_token_source_that_fails_costs_no_batch",),
    ),
)
