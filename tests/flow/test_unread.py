"""Records that wait for their writer schema: held, counted and told like all others, and stopping nobody else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from tests.flow.build import envelope, policy, row
from tests.flow.mart import ACCEPT, CLAIM, OTHER, Mart
from worker.flow.flow import Flow
from worker.flow.unread import Unread

if TYPE_CHECKING:
    from worker.model import Claim, Envelope

RECORDS = 40


def shelved(flow: Flow, schema: str, *offsets: int, claim: Claim = CLAIM) -> list[Envelope]:
    """Records begun, and waiting for a schema."""
    begun = flow.begin([envelope(claim, offset) for offset in offsets])
    flow.shelve([(schema, one) for one in begun])
    return begun


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from((CLAIM, OTHER))), max_size=30),
    st.sets(st.sampled_from("abc")),
)
def test_what_waits_for_a_schema_comes_out_once_and_in_its_order(
    came: list[tuple[str, Claim]], taken: set[str]
) -> None:
    unread = Unread()
    for offset, (schema, claim) in enumerate(came):
        unread.add(schema, envelope(claim, offset))
    found = [each.offset for schema in sorted(taken) for each in unread.take([schema])]
    expected = [n for schema in sorted(taken) for n, (name, _) in enumerate(came) if name == schema]
    assert found == expected
    left = {n for n, (name, _) in enumerate(came) if name not in taken}
    assert {each.offset for each in unread.held()} == left
    assert len(unread) == len(left)
    assert set(unread.schemas) == {name for name, _ in came} - taken
    unread.drop([CLAIM])
    assert {each.offset for each in unread.held()} == {n for n in left if came[n][1] is OTHER}
    assert len(unread) == len(list(unread.held()))
    assert set(unread.schemas) == {came[n][0] for n in left if came[n][1] is OTHER}


def test_a_record_that_waits_holds_its_commit_and_not_the_records_behind_it() -> None:
    flow = Flow(policy(records=RECORDS))
    mart = Mart(flow)
    mart.read(0)
    (waiting,) = shelved(flow, "a", 1)
    mart.read(2, 3)
    mart.turn(ACCEPT)
    mart.turn(ACCEPT)
    assert set(mart.stored) == {0, 2, 3}
    assert flow.committable() == {CLAIM: 1}
    assert flow.wanted_schemas == {"a"}
    assert flow.unshelve(["b"]) == []
    assert flow.unshelve(["a"]) == [waiting]
    assert flow.unread_records == 0
    flow.admit([row(waiting)], [], mart.now)
    mart.turn(ACCEPT)
    mart.turn(ACCEPT)
    assert flow.committable() == {CLAIM: 4}
    assert flow.idle


def test_a_partition_full_of_records_that_wait_is_not_read_and_the_others_are() -> None:
    flow = Flow(policy(records=RECORDS))
    flow.assign([CLAIM, OTHER])
    shelved(flow, "a", *range(RECORDS // 4), claim=OTHER)
    flow.look(0.0)
    assert set(flow.crowded) == {OTHER}
    assert not flow.full
    assert flow.room == RECORDS - RECORDS // 4
    flow.unshelve(["a"])
    flow.look(1.0)
    assert set(flow.crowded) == set()


def test_many_that_wait_are_crowding_at_once() -> None:
    flow = Flow(policy(records=RECORDS))
    flow.assign([CLAIM])
    shelved(flow, "a", *range(RECORDS // 2))
    assert flow.crowding


def test_what_waits_for_a_claim_that_has_gone_is_forgotten_and_what_comes_late_is_not_taken() -> None:
    flow = Flow(policy())
    flow.assign([CLAIM, OTHER])
    (gone,) = shelved(flow, "a", 0)
    (kept,) = shelved(flow, "a", 0, claim=OTHER)
    flow.release([CLAIM])
    flow.shelve([("a", gone)])
    assert flow.unshelve(["a"]) == [kept]
    assert flow.committable() == {OTHER: 0}


def test_a_record_that_holds_up_its_partition_is_told_with_its_reason() -> None:
    flow = Flow(policy(records=RECORDS))
    mart = Mart(flow)
    shelved(flow, "a", 0)
    mart.read(*range(1, 12))
    mart.turn(ACCEPT)
    mart.turn(ACCEPT)
    flow.look(mart.now)
    flow.look(mart.now + 100)
    (notice,) = [each for each in flow.account.notices if each.event == "partition.held_up"]
    assert notice.fields["reason"] == "waits for its writer schema"
