"""Defects around the way: where letters say that a record was, several processes, and the producer of services."""

from __future__ import annotations

from typing import Final

from mutants.mutant import Mutant

LETTER: Final = "worker/edges/letter_headers.py"
SLOTS: Final = "worker/processes/slots.py"
LINK: Final = "worker/processes/link.py"
SENDING: Final = "worker/producer/sending.py"
HEADERS: Final = "tests/dlq/test_headers.py"
ACKNOWLEDGED: Final = (
    "tests/edges/test_acknowledged.py::test_a_producer_is_idempotent_and_wants_the_word_of_all_replicas"
)

MUTANTS: Final = (
    Mutant(
        "the-first-place-is-dropped",
        "a record that was sent back and is refused again gets another scoring id, and is stored twice",
        LETTER,
        "    topic, partition, offset = place_of(envelope)\n",
        "    topic, partition, offset = envelope.claim.topic, envelope.claim.partition, envelope.offset\n",
        (f"{HEADERS}::test_a_record_that_was_sent_back_and_is_refused_again_keeps_its_first_place_in_any_convention",),
    ),
    Mutant(
        "the-count-of-redrives-is-dropped",
        "a record that is refused again and again is sent back for ever",
        LETTER,
        "rejection.refusal.code), *redrives[-1:]]",
        "rejection.refusal.code)]",
        (f"{HEADERS}::test_what_the_worker_writes_in_any_convention_is_read_back",),
    ),
    Mutant(
        "a-bare-letter-forgets-its-first-place",
        "a record that is near its topic's limit and was sent back cannot be sent back again: its identity is lost",
        LETTER,
        "        return kept + _brought(rejection.envelope)\n",
        "        return kept\n",
        (f"{HEADERS}::test_a_letter_that_has_room_for_nothing_of_ours_keeps_what_its_record_brought",),
    ),
    Mutant(
        "the-last-of-springs-places-counts",
        "a record that Spring has dead-lettered twice gets the scoring id of another place, and is stored twice",
        "worker/rooms/places.py",
        "        by_name = dict(reversed(headers))\n",
        "        by_name = dict(headers)\n",
        (f"{HEADERS}::test_of_a_letter_that_spring_dead_lettered_twice_the_first_place_counts",),
    ),
    Mutant(
        "letters-are-not-replicated",
        "a refused record is settled when one broker has it, and gone with that broker",
        "worker/edges/deadletter.py",
        '        "enable.idempotence": True,\n        "acks": "all",\n',
        '        "acks": 1,\n',
        (ACKNOWLEDGED,),
    ),
    Mutant(
        "events-are-not-replicated",
        "a service's event counts as delivered when one broker has it, and is gone with that broker",
        SENDING,
        '{"enable.idempotence": True, "acks": "all"}',
        '{"acks": 1}',
        (ACKNOWLEDGED,),
    ),
    Mutant(
        "handed-over-counts-as-delivered",
        "a service ends well with events that no broker has taken",
        SENDING,
        "        return True\n\n    def _reported",
        "        self._closed(scoring_id)\n        return True\n\n    def _reported",
        ("tests/producer/test_sending.py::test_a_full_queue_is_waited_for_no_longer_than_was_said",),
    ),
    Mutant(
        "every-report-is-a-good-one",
        "`payload-worker produce` counts events as delivered that were not",
        SENDING,
        "            told(None if error is None else error.str())\n",
        "            told(None)\n",
        ("tests/producer/test_sending.py::test_who_is_told_of_one_event_hears_that_it_was_not_delivered_and_why",),
    ),
    Mutant(
        "a-process-is-not-started-again",
        "after a crash the others carry on with less, and the last crash ends the delivery",
        SLOTS,
        "if not slot.up and slot.due <= now and (",
        "if not slot.up and slot.code is None and slot.due <= now and (",
        (
            "tests/processes/test_slots.py::test_a_process_that_has_ended_is_started_again_once_its_wait_is_over_whatever_the_others_do",
        ),
    ),
    Mutant(
        "a-crash-is-a-good-end",
        "whoever stops the worker for good believes that all is delivered",
        SLOTS,
        "code if code in _WORSE else UNSETTLED for code in ends",
        "code if code in _WORSE else 0 for code in ends",
        ("tests/processes/test_slots.py::test_the_exit_code_is_0_only_if_every_process_ended_so",),
    ),
    Mutant(
        "what-was-ended-by-force-is-forgiven",
        "exit code 0 though a process was killed with records in flight",
        "worker/processes/supervisor.py",
        "        if self._stopping and not slot.begun and code not in FATAL:\n",
        "        if self._stopping and code not in FATAL:\n",
        (
            "tests/processes/test_supervisor.py::test_what_does_not_end_within_the_drain_budget_and_a_margin_is_ended_by_force",
        ),
    ),
    Mutant(
        "a-process-outlives-its-supervisor",
        "processes that nobody stops hold their partitions, beside those of the next start",
        LINK,
        "        self._socket.close()\n        self._stop(1)\n",
        "        self._socket.close()\n",
        ("tests/processes/test_link.py::test_without_a_supervisor_it_stops_once",),
    ),
    Mutant(
        "static-members-share-a-name",
        "the processes throw one another out of the group, and nothing is delivered",
        LINK,
        '{kafka.consumer[INSTANCE]}-{number}"',
        '{kafka.consumer[INSTANCE]}"',
        ("tests/processes/test_link.py::test_a_static_member_gets_its_number_and_nothing_else_changes",),
    ),
)
