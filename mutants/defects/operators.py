"""Defects in what operators repair and check with: replays, redrives of dead letters, audits."""

from __future__ import annotations

from typing import Final

from mutants.mutant import Mutant

REDRIVING: Final = "worker/dlq/redriving.py"
AUDITING: Final = "worker/audit/auditing.py"
STANDINS: Final = "worker/replay/standins.py"
SPANS: Final = "tests/replay/test_source.py"
COUNTS: Final = "tests/replay/test_counts.py"
REDRIVEN: Final = "tests/dlq/test_redriving.py"
SENT: Final = "tests/dlq/test_sending.py"

MUTANTS: Final = (
    Mutant(
        "a-replay-commits-to-the-live-group",
        "the live group's offsets are moved: its workers pass over records, or deliver them again",
        "worker/replay/consumer.py",
        '        "group.id": group or kafka.group_id,',
        '        "group.id": kafka.group_id,',
        (f"{SPANS}::test_positions_are_kept_though_the_settings_are_those_of_a_static_member",),
    ),
    Mutant(
        "a-replay-passes-over-what-was-deleted",
        "records that Kafka deleted before they were replayed are passed over without a word",
        "worker/replay/consumer.py",
        '    "auto.offset.reset": "error",\n',
        '    "auto.offset.reset": "earliest",\n',
        (f"{SPANS}::test_records_that_were_deleted_meanwhile_are_told",),
    ),
    Mutant(
        "a-replay-ends-one-offset-short",
        "the last record of each partition is not replayed, and the end is called good",
        "worker/replay/ends.py",
        "        if offset >= end:\n            del self.open[claim]\n        return offset >= end\n",
        "        if offset >= end - 1:\n            del self.open[claim]\n        return offset >= end - 1\n",
        ("tests/replay/test_ends.py::test_a_span_is_open_until_all_before_its_end_is_read_and_no_longer",),
    ),
    Mutant(
        "a-replay-goes-on-one-offset-late",
        "what was stopped goes on behind the first record that is not posted",
        "worker/replay/plan.py",
        "    return Leg(span, min(committed, span.end))\n",
        "    return Leg(span, min(committed + 1, span.end))\n",
        ("tests/replay/test_plan.py::test_a_leg_goes_on_where_the_group_is_and_never_outside_of_its_span",),
    ),
    Mutant(
        "a-replay-ends-well-with-something-unsettled",
        "exit code 0 though the place that is kept is not where the replay has come to",
        "worker/replay/session.py",
        "    if not (outcome.ended and ran.settled):\n",
        "    if not outcome.ended:\n",
        (f"{COUNTS}::test_the_exit_code_is_0_only_where_all_is_read_and_settled_and_lies_somewhere",),
    ),
    Mutant(
        "a-letter-that-failed-counts-as-written",
        "an operator is told that a record is dead-lettered though the topic has not taken it",
        STANDINS,
        "            if outcome.error is None:\n                self._count(outcome.letter)\n",
        "            self._count(outcome.letter)\n",
        (f"{COUNTS}::test_a_letter_counts_once_the_topic_has_it_and_no_try_before",),
    ),
    Mutant(
        "every-answer-counts-as-stored",
        "an operator is told that rows are posted which the data mart has refused",
        STANDINS,
        "            if outcome.answer.verdict is Verdict.ACCEPTED:\n",
        "            if outcome.answer.verdict is not Verdict.RETRY:\n",
        (f"{COUNTS}::test_only_rows_of_a_batch_that_was_accepted_are_posted",),
    ),
    Mutant(
        "what-is-not-chosen-stays-open",
        "a replay of one subscription commits nothing and never ends",
        "worker/replay/chosen.py",
        "            self._settle(others)\n",
        "",
        (f"{COUNTS}::test_an_event_that_is_not_chosen_is_settled_and_counted_and_no_other_one_is",),
    ),
    Mutant(
        "a-shadow-begins-with-what-is-old",
        "a dry run tells of all the log though the worker would read only what is new",
        "worker/replay/planning.py",
        "    otherwise = span.end if latest else span.begin\n",
        "    otherwise = span.begin\n",
        ("tests/replay/test_plan.py::test_a_shadow_begins_where_the_worker_would",),
    ),
    Mutant(
        "a-redrive-is-not-counted",
        "a record that is refused again and again is sent back for ever, and its newest letter is not known",
        "worker/dlq/sending.py",
        "*identity(told, told.redrives + 1)]",
        "*identity(told, told.redrives)]",
        (f"{SENT}::test_a_record_goes_back_to_its_first_place_one_redrive_more_and_with_what_was_its_own",),
    ),
    Mutant(
        "progress-is-kept-before-delivery",
        "letters that the brokers did not take count as sent back, and are never sent again",
        REDRIVING,
        "            done = 0\n            while",
        "            done = 0\n            keep(held.positions(found.reached, ()))\n            while",
        (f"{REDRIVEN}::test_nothing_is_kept_of_what_the_brokers_have_not_acknowledged",),
    ),
    Mutant(
        "progress-passes-over-what-is-left",
        "after `--max`, or a signal, the rest of the chunk is never sent back",
        REDRIVING,
        "            keep(held.positions(found.reached, entries[done:]))\n",
        "            keep(held.positions(found.reached, ()))\n",
        (f"{REDRIVEN}::test_where_it_ends_for_it_has_sent_enough_the_rest_is_still_to_be_sent",),
    ),
    Mutant(
        "only-the-last-that-stays-holds",
        "of two letters that cannot be sent yet the first is forgotten",
        REDRIVING,
        "        self._first.setdefault((letter.topic, letter.partition), letter.offset)\n",
        "        self._first[letter.topic, letter.partition] = letter.offset\n",
        (f"{REDRIVEN}::test_the_first_that_stays_holds_the_position_whatever_stays_behind_it",),
    ),
    Mutant(
        "what-is-too-large-counts-as-sent",
        "a letter that its topic does not take is called sent back, and is in no topic of events",
        REDRIVING,
        "            held.see(letter, last)\n",
        "            held.see(letter, found)\n",
        (f"{REDRIVEN}::test_what_is_too_large_for_its_topic_is_not_called_sent_and_holds_the_position",),
    ),
    Mutant(
        "a-redrive-believes-the-brokers-silence",
        "letters whose write has timed out count as sent back",
        "worker/dlq/writing.py",
        "                elif error is not None:\n",
        "                elif error is not None and error.fatal():\n",
        ("tests/dlq/test_writing.py::test_what_no_broker_has_acknowledged_is_not_called_written",),
    ),
    Mutant(
        "a-redrive-goes-on-without-an-answer",
        "letters of which the brokers have not told yet count as sent back",
        "worker/dlq/writing.py",
        '        failed += [f"no answer within {self._patience:g} s"] * silent\n',
        "        silent = 0\n",
        (
            "tests/dlq/test_writing.py::test_what_is_still_open_when_patience_ends_is_not_called_written_and_all_of_it_is_counted",
        ),
    ),
    Mutant(
        "all-redrives-share-their-progress",
        "letters that one filter passed over count as done for every other filter",
        "worker/dlq/progress.py",
        "    text = repr((sorted(topics), *meant))\n",
        "    text = repr(sorted(topics))\n",
        (f"{SENT}::test_progress_is_another_one_s_for_every_other_choice",),
    ),
    Mutant(
        "one-row-is-the-whole-event",
        "an event of which the data mart holds some rows is called held",
        "worker/audit/books.py",
        "        if count >= rows:\n",
        "        if count:\n",
        ("tests/audit/test_books.py::test_an_event_is_held_when_all_of_its_rows_are",),
    ),
    Mutant(
        "acknowledged-counts-as-stored",
        "what the group has committed is called held, whatever the data mart says: an audit that finds nothing",
        "worker/audit/books.py",
        "        if mark == Mark.STORED and not (",
        "        if mark in (Mark.STORED, Mark.WAITING) and not (",
        ("tests/audit/test_books.py::test_what_was_produced_and_is_not_held_is_missing_exactly",),
    ),
    Mutant(
        "another-groups-letter-explains-ours",
        "an event that our group has lost is called dead-lettered, for another group has refused it",
        AUDITING,
        "    return not told.own or told.group in (None, group)\n",
        "    return not told.own or bool(group)\n",
        (
            "tests/audit/test_books.py::test_another_group_s_letter_explains_nothing_and_one_that_names_no_group_of_ours_does",
        ),
    ),
    Mutant(
        "pages-are-taken-to-be-full",
        "rows behind a short page are not seen, and called missing",
        "worker/audit/held.py",
        "            offset += len(page.ids)\n",
        "            offset += PAGE\n",
        ("tests/audit/test_held.py::test_no_row_is_passed_over_where_a_page_has_fewer_than_were_asked_for",),
    ),
    Mutant(
        "an-audit-looks-at-the-usual-time-alone",
        "rows that are stored at another time than their event's are called missing",
        AUDITING,
        "            self._look(tables, totals, everywhere=True)\n",
        "            self._look(tables, totals)\n",
        ("tests/audit/test_held.py::test_a_row_that_is_stored_at_another_time_than_its_event_s_is_no_gap",),
    ),
)
