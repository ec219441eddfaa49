"""Whom an event is for: the lookup agrees with a plain search, and what it refuses it names."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from worker.model import Refusal, Target
from worker.rooms.directory import Binding, Deployment, Directory, Subscription

if TYPE_CHECKING:
    from collections.abc import Sequence

B1, B2 = Binding("b1", "loans", "custom_machine_learning"), Binding("b2", "cards", "amazon_sagemaker")
S1 = Subscription("s1", "b1", "a1", "credit", (Deployment("d1", "one"), Deployment("d2", "two")), ("x", "y"), True)  # noqa: FBT003
S2 = replace(S1, id="s2", binding_id="b2", asset_id="a2", asset_name="fraud", deployments=(), features=())


def directory(*subscriptions: Subscription, bindings: Sequence[Binding] = (B1, B2)) -> Directory:
    return Directory(bindings, subscriptions or (S1, S2), 0)


def refused(found: Target | Refusal) -> Refusal:
    assert isinstance(found, Refusal)
    return found


@pytest.mark.parametrize("asset", ["s1", "a1", "credit"])
@pytest.mark.parametrize("binding", [None, "b1", "loans"])
@pytest.mark.parametrize(("deployment", "expected"), [(None, "d1"), ("d2", "d2"), ("two", "d2"), ("d1", "d1")])
def test_a_target_has_the_ids_engine_and_features(
    asset: str, binding: str | None, deployment: str | None, expected: str
) -> None:
    target = Target("b1", "s1", expected, "custom_machine_learning", ("x", "y"))
    assert directory().resolve(binding, asset, deployment) == target


def test_a_subscription_without_deployments_has_the_generic_one() -> None:
    assert directory().resolve(None, "a2", None) == Target("b2", "s2", "generic_deployment", "amazon_sagemaker")
    assert refused(directory().resolve(None, "a2", "d1")).code == "unknown-deployment"


def test_an_id_beats_a_name() -> None:
    named_like_an_id = replace(S2, asset_name="a1")
    named_like_a_subscription = replace(S2, id="s3", asset_id="s1")
    found = directory(named_like_an_id, named_like_a_subscription, S1)
    for asset in ("a1", "s1"):
        target = found.resolve(None, asset, None)
        assert isinstance(target, Target)
        assert target.subscription_id == "s1"


def test_a_bindings_id_beats_anothers_name() -> None:
    other = replace(B2, name="b1")
    target = directory(bindings=(other, B1)).resolve("b1", "a1", None)
    assert isinstance(target, Target)


def test_a_deployments_id_beats_anothers_name() -> None:
    twisted = replace(S1, deployments=(Deployment("d1", "d2"), Deployment("d2", "d1")))
    target = directory(twisted).resolve(None, "a1", "d2")
    assert isinstance(target, Target)
    assert target.deployment_id == "d2"


def test_no_name_names_nothing() -> None:
    """Producers in some languages write '' for what they leave out."""
    nameless = directory(replace(S1, deployments=(Deployment("d1", ""),)), bindings=(replace(B1, name=""),))
    assert isinstance(nameless.resolve("", "a1", None), Refusal)


def test_no_name_names_no_deployment() -> None:
    nameless = directory(replace(S1, deployments=(Deployment("d1", "one"), Deployment("d2", ""))))
    assert isinstance(nameless.resolve(None, "a1", ""), Refusal)


@pytest.mark.parametrize(
    ("binding", "asset", "deployment", "code"),
    [
        (None, "nobody", None, "unknown-asset"),
        ("b1", "nobody", None, "unknown-asset"),
        ("nobody", "a1", None, "unknown-binding"),
        ("b2", "a1", None, "unknown-asset"),
        (None, "a1", "nobody", "unknown-deployment"),
    ],
)
def test_what_is_unknown_is_told_apart(binding: str | None, asset: str, deployment: str | None, code: str) -> None:
    found = refused(directory().resolve(binding, asset, deployment))
    assert (found.disposition, found.code) == ("unknown-asset", code)


def test_what_is_ambiguous_names_every_place() -> None:
    twice = directory(S1, replace(S2, asset_id="a1"))
    found = refused(twice.resolve(None, "a1", None))
    assert found.code == "ambiguous-asset"
    assert "s1 (binding b1), s2 (binding b2)" in found.detail
    for binding in ("b1", "cards"):
        assert isinstance(twice.resolve(binding, "a1", None), Target)
    assert isinstance(twice.resolve(None, "a1", "d2"), Target), "a deployment that one of them has decides"


def test_a_binding_name_that_two_bindings_have_is_both_of_them() -> None:
    same = directory(bindings=(B1, replace(B2, name="loans")))
    for asset in ("a1", "a2"):
        assert isinstance(same.resolve("loans", asset, None), Target)


def test_disabled_logging_is_a_code_of_its_own_and_names_the_subscription() -> None:
    found = refused(directory(replace(S1, logging_enabled=False)).resolve(None, "a1", None))
    assert (found.disposition, found.code) == ("logging-disabled", "logging-disabled")
    assert "s1" in found.detail


def test_a_subscription_of_an_unknown_binding_is_not_there() -> None:
    lost = directory(replace(S1, binding_id="gone"))
    assert lost.subscriptions == 0
    assert refused(lost.resolve(None, "a1", None)).code == "unknown-asset"


def test_no_refusal_tells_what_the_event_said() -> None:
    for binding, asset, deployment in [("4711", "a1", None), (None, "4711", None), (None, "a1", "4711")]:
        assert "4711" not in refused(directory().resolve(binding, asset, deployment)).detail


NAMES = st.sampled_from(["p", "q", "r", "s"])
BINDINGS = st.lists(st.builds(Binding, NAMES, NAMES, st.just("e")), max_size=3, unique_by=lambda each: each.id)
DEPLOYMENTS = st.lists(st.builds(Deployment, NAMES, NAMES), max_size=2).map(
    lambda found: tuple(found) if len({(each.id, each.name) for each in found}) == len(found) else ()
)
SUBSCRIPTIONS = st.lists(
    st.builds(Subscription, NAMES, NAMES, NAMES, NAMES, DEPLOYMENTS, st.just(()), st.booleans()), max_size=5
)


def searched(
    bindings: list[Binding],
    subscriptions: list[Subscription],
    wanted: tuple[str | None, str, str | None],
    *,
    binding_first: bool,
) -> str | tuple[str, str]:
    """The same by going through lists: a subscription and deployment id, or the code of a refusal."""
    binding, asset, deployment = wanted
    ids = [each.id for each in bindings if each.id == binding] or [each.id for each in bindings if each.name == binding]
    known = [each for each in subscriptions if each.binding_id in [each.id for each in bindings]]
    within = [each for each in known if binding is None or each.binding_id in ids]
    field = next(
        (
            field
            for field in ("id", "asset_id", "asset_name")
            if any(getattr(each, field) == asset for each in (within if binding_first else known))
        ),
        None,
    )
    if field is None:
        return "unknown"
    found = [
        (each, deployment_id)
        for each in within
        if getattr(each, field) == asset and (deployment_id := _deployment(each, deployment)) is not None
    ]
    if len(found) != 1:
        return "unknown" if not found else "ambiguous-asset"
    return (found[0][0].id, found[0][1]) if found[0][0].logging_enabled else "logging-disabled"


def _deployment(subscription: Subscription, wanted: str | None) -> str | None:
    if wanted is None:
        return subscription.deployments[0].id if subscription.deployments else "generic_deployment"
    by_id = [each.id for each in subscription.deployments if each.id == wanted]
    by_name = [each.id for each in subscription.deployments if each.name == wanted]
    return next(iter(by_id + by_name), None)


def outcome(found: Target | Refusal) -> str | tuple[str, str]:
    if isinstance(found, Target):
        return found.subscription_id, found.deployment_id
    return "unknown" if found.code.startswith("unknown-") else found.code


@given(BINDINGS, SUBSCRIPTIONS, st.lists(st.tuples(NAMES, st.none() | NAMES), min_size=1, max_size=8))
def test_the_lookup_agrees_with_a_plain_search(
    bindings: list[Binding], subscriptions: list[Subscription], events: list[tuple[str, str | None]]
) -> None:
    tested = Directory(bindings, subscriptions, 0)
    for asset, deployment in [*events, *events]:
        wanted = (None, asset, deployment)
        expected = searched(bindings, subscriptions, wanted, binding_first=False)
        assert outcome(tested.resolve(*wanted)) == expected


@example([B1, B2], [S1, replace(S2, asset_id="credit")], ("b1", "credit", None))
@given(BINDINGS, SUBSCRIPTIONS, st.tuples(NAMES, NAMES, st.none() | NAMES))
def test_a_binding_that_is_named_bounds_the_lookup(
    bindings: list[Binding], subscriptions: list[Subscription], wanted: tuple[str, str, str | None]
) -> None:
    """Else a new asset in one binding takes the events of another, whose asset has that name, though they name it."""
    expected = searched(bindings, subscriptions, wanted, binding_first=True)
    assert outcome(Directory(bindings, subscriptions, 0).resolve(*wanted)) == expected
