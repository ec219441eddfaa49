"""Defects in asking a registry for schemas, and in reading with them."""

from __future__ import annotations

from typing import Final

from mutants.mutant import Mutant

KEEPER: Final = "worker/edges/schema_keeper.py"
REGISTRY: Final = "worker/edges/registry.py"
KEEPER_TESTS: Final = "tests/edges/test_schema_keeper.py"
CLIENT_TESTS: Final = "tests/registry/test_client.py"

MUTANTS: Final = (
    Mutant(
        "a-registry-that-is-down-has-no-schema",
        "an outage of the registry dead-letters what it would have explained",
        KEEPER,
        "                    self._answers.put(_Failed(each, str(error)))\n",
        "                    self._answers.put(_Answer(each, None))\n",
        (f"{KEEPER_TESTS}::test_no_answer_or_nonsense_refuses_nothing_and_is_asked_again_after_a_growing_wait",),
    ),
    Mutant(
        "any-404-says-that-there-is-no-schema",
        "a wrong address, or a proxy's page, dead-letters every record",
        REGISTRY,
        "        if answer.status_code == codes.NOT_FOUND and code in absent:\n",
        "        if answer.status_code == codes.NOT_FOUND and absent:\n",
        (f"{KEEPER_TESTS}::test_no_answer_or_nonsense_refuses_nothing_and_is_asked_again_after_a_growing_wait",),
    ),
    Mutant(
        "that-there-is-no-schema-is-believed-for-ever",
        "what is registered after its first record is dead-lettered until a restart",
        KEEPER,
        "        while self._believed and self._believed[0][0] <= now:\n",
        "        while self._believed and self._believed[0][0] < 0:\n",
        (f"{KEEPER_TESTS}::test_that_the_registry_has_none_is_believed_for_a_while_and_asked_again",),
    ),
    Mutant(
        "one-schema-that-fails-holds-up-the-others",
        "records of every new schema wait for one that the registry cannot give",
        KEEPER,
        "nsmallest(AT_ONCE, left, key=self._failed.__getitem__)",
        "nsmallest(AT_ONCE, left, key=str)",
        (f"{KEEPER_TESTS}::test_one_schema_that_always_fails_does_not_hold_up_the_others",),
    ),
    Mutant(
        "a-registry-that-drips-is-waited-for",
        "a byte now and then holds up every record of a new schema, for hours",
        "worker/edges/deadline.py",
        "            late.set()\n            self._cut()\n",
        "            late.set()\n",
        (f"{CLIENT_TESTS}::test_after_one_that_dripped_the_next_address_is_asked_and_the_client_goes_on",),
    ),
    Mutant(
        "read-again-and-forgotten",
        "records that waited for their schema are never settled",
        "worker/run.py",
        "            self._take(self._flow.unshelve(known))\n",
        "            self._flow.unshelve(known)\n",
        ("tests/way/test_registry.py::test_a_worker_starts_while_the_registry_is_down_and_reads_what_it_can",),
    ),
    Mutant(
        "what-is-no-avro-is-read-with-an-evolved-schema",
        "broken bytes become a row, of another branch than was written",
        "worker/rooms/writer_schema.py",
        "        if self.strict is not None:\n",
        "        if self.strict is None:\n",
        (
            "tests/fuzz/test_fuzz.py::test_what_is_no_avro_is_none_for_the_plain_decoder_and_for_every_reader_of_the_worker",
        ),
    ),
    Mutant(
        "a-schema-that-is-a-bomb-is-taken",
        "a few lines of JSON take all memory of the machine, and the group with it",
        "worker/rooms/schema_bombs.py",
        "        if size.free > FREE:\n",
        "        if size.free > FREE * PARTS:\n",
        ("tests/rooms/test_schema_bombs.py::test_a_schema_that_makes_much_of_little_is_refused",),
    ),
)
