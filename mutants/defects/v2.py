"""Defects in what v2 takes first and stores later."""

from __future__ import annotations

from typing import Final

from mutants.mutant import Mutant

POSTING: Final = "worker/flow/posting.py"
REQUESTS: Final = "worker/flow/requests.py"
HELD: Final = "worker/flow/following.py"
FOLLOWER: Final = "worker/edges/following.py"
MACHINE: Final = "tests/flow/test_state_machine.py"
IN_FLOW: Final = "tests/flow/test_following.py"
IN_REQUESTS: Final = "tests/flow/test_requests.py"
IN_EDGES: Final = "tests/edges/test_following.py"

MUTANTS: Final = (
    Mutant(
        "v2-202-counts-as-stored",
        "what a data mart has taken and never stored is committed",
        REQUESTS,
        "    return replace(answer, verdict=Verdict.FOLLOW, reason=FOLLOWED, request=request)\n",
        "    return replace(answer, request=request)\n",
        (f"{IN_REQUESTS}::test_a_202_is_followed_by_the_last_part_of_its_location",),
    ),
    Mutant(
        "v2-followed-batches-are-settled-at-once",
        "what a data mart has taken and never stored is committed",
        POSTING,
        "        if answer.verdict is Verdict.FOLLOW and answer.request is not None:\n",
        "        if answer.verdict is Verdict.FOLLOW and answer.request is not None:\n"
        "            for row in post.batch.rows:\n"
        "                self._outcomes._ledgers.finish(row.envelope)\n",
        (f"{IN_FLOW}::test_what_is_taken_is_open_until_its_request_is_active", MACHINE),
    ),
    Mutant(
        "v2-a-lost-request-counts-as-stored",
        "a data mart that forgets its requests at a restart loses their records",
        REQUESTS,
        '    return Answer(Verdict.RETRY, "request-lost", request=request, unseen=True)\n',
        '    return Answer(Verdict.ACCEPTED, "request-lost", request=request, unseen=True)\n',
        (f"{IN_REQUESTS}::test_what_is_lost_is_posted_again_and_may_be_stored",),
    ),
    Mutant(
        "v2-preparing-counts-as-stored",
        "a worker that ends while the data mart prepares loses what then fails",
        REQUESTS,
        '        case "active":\n',
        '        case "active" | "preparing":\n',
        (f"{IN_REQUESTS}::test_what_shows_no_end_is_looked_at_again",),
    ),
    Mutant(
        "v2-an-outage-loses-requests",
        "each outage of the data mart posts again all that it was storing",
        REQUESTS,
        "    **dict.fromkeys((408, 425, 429, *range(500, 600)), Sight.UNSEEN),\n",
        "    **dict.fromkeys((408, 425, 429, *range(500, 600)), Sight.MISSING),\n",
        (f"{IN_EDGES}::test_a_data_mart_that_is_down_loses_no_request_however_long",),
    ),
    Mutant(
        "v2-a-failure-without-codes-blames-a-record",
        "a data mart whose storage is down sends good records to the dead-letter topic",
        REQUESTS,
        "    if not codes:\n",
        "    if codes is None:\n",
        (f"{IN_REQUESTS}::test_a_failure_without_codes_blames_no_record",),
    ),
    Mutant(
        "v2-a-failures-message-is-kept",
        "payloads stand in the headers of dead letters",
        REQUESTS,
        '    told = [each.get("code") for each',
        '    told = [each.get("message") for each',
        (f"{IN_REQUESTS}::test_a_failure_with_codes_blames_a_record_and_keeps_only_the_codes",),
    ),
    Mutant(
        "v2-followed-records-are-not-held",
        "the check of commits no longer sees what is followed",
        POSTING,
        "        yield from self._following.held()\n",
        "",
        (MACHINE,),
    ),
    Mutant(
        "v2-a-forgotten-end-settles",
        "an end that comes late counts for a claim that is another worker's",
        POSTING,
        "            if taken is None:\n                return []\n",
        "            if taken is None:\n                taken = post\n",
        (f"{IN_FLOW}::test_an_end_that_comes_for_a_claim_that_is_gone_changes_nothing",),
    ),
    Mutant(
        "v2-a-dropped-probe-never-ends",
        "a subscription whose probe was revoked is never posted again",
        HELD,
        "                post.lane.breaker.ended(probe=post.lane_probe)\n",
        "",
        (f"{IN_FLOW}::test_a_dropped_probe_lets_the_next_one_start",),
    ),
    Mutant(
        "v2-one-404-loses-a-request",
        "a data mart that knows its requests a moment late stores everything twice",
        FOLLOWER,
        "            if followed.seen - followed.since >= patience:\n",
        "            if followed.seen - followed.since >= 0:\n",
        (f"{IN_EDGES}::test_what_shows_nothing_is_looked_past",),
    ),
    Mutant(
        "v2-a-location-is-followed-anywhere",
        "tokens go to whatever host an answer names",
        "worker/edges/courier.py",
        '            follower.follow(post, answer.request, f"{place}/requests/{answer.request}")\n',
        '            follower.follow(post, answer.request, f"/requests/{answer.request}")\n',
        (f"{IN_EDGES}::test_a_post_is_the_documented_request_and_its_request_is_looked_at_where_it_was_posted",),
    ),
)
