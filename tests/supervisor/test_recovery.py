from greenroom.actors.model import Epoch, Generation, OpenRun, RunCause, Seq, SessionId, SessionKey, Tail, TailKind
from greenroom.actors.store import Unfinished
from greenroom.supervisor.policy import Policy
from greenroom.supervisor.recovery import Circumstances, Recovery
from greenroom.supervisor.resume import Quarantine, Resume, Wait

NOW = 1_000.0


def left(number: int, platform: str = "web") -> Unfinished:
    run = OpenRun(Generation(1), Epoch(1), Generation(1), RunCause.INBOUND, 1, 900.0, 900.0)
    tail = Tail(TailKind.USER, 900.0, Seq(1), Seq(1))
    key = SessionKey(platform, "bot", f"chat{number}")
    return Unfinished(SessionId(number), key, Generation(1), run, tail, waiting=0, routed=True)


def around(*platforms: str) -> Circumstances:
    return Circumstances(Epoch(2), 0, lambda key: key.platform in platforms)


def test_nothing_comes_of_a_decision_before_it_is_remembered() -> None:
    recovery = Recovery(Policy())
    (decided,) = recovery.decide([left(1)], NOW, around("web"))
    assert isinstance(decided.decision, Resume)
    assert recovery.next() is None
    recovery.remember(decided)
    assert recovery.next() is not None


def test_no_more_than_the_limit_are_resumed_at_once_in_the_order_they_were_decided() -> None:
    recovery = Recovery(Policy(resume_concurrency=2))
    for decided in recovery.decide(map(left, (3, 1, 2)), NOW, around("web")):
        recovery.remember(decided)
    taken = [recovery.next(), recovery.next()]
    assert [it.session_id for it in taken if it is not None] == [3, 1]
    assert recovery.next() is None
    recovery.ended(SessionId(1))
    last = recovery.next()
    assert last is not None
    assert last.session_id == 2


def test_who_is_overtaken_is_not_resumed() -> None:
    recovery = Recovery(Policy())
    for decided in recovery.decide([left(1), left(2, "telegram")], NOW, around("web")):
        recovery.remember(decided)
    recovery.overtaken(SessionId(1))
    recovery.overtaken(SessionId(2))
    assert recovery.next() is None
    assert recovery.release(("telegram", "bot")) == {}


def test_a_conversation_that_another_one_has_followed_is_not_resumed() -> None:
    """Found by seed 1733023657: it was woken when retention had taken it away."""
    recovery = Recovery(Policy())
    for decided in recovery.decide([left(1), left(2)], NOW, around("web")):
        recovery.remember(decided)
    recovery.followed(left(1).key)
    taken = [recovery.next(), recovery.next()]
    assert [it and it.session_id for it in taken] == [2, None]


def test_a_platform_that_connects_gives_back_its_own_sessions_once() -> None:
    recovery = Recovery(Policy())
    for decided in recovery.decide([left(1, "telegram"), left(2, "matrix")], NOW, around("web")):
        assert isinstance(decided.decision, Wait)
        recovery.remember(decided)
    assert recovery.release(("telegram", "bot")) == {1: 1}
    assert recovery.release(("telegram", "bot")) == {}
    assert recovery.release(("matrix", "bot")) == {2: 1}


def test_of_two_decisions_about_one_session_the_later_stands() -> None:
    recovery = Recovery(Policy())
    (waits,) = recovery.decide([left(1)], NOW, around())
    (goes_on,) = recovery.decide([left(1)], NOW, around("web"))
    recovery.remember(goes_on)
    recovery.remember(waits)
    assert recovery.next() is None
    assert recovery.release(("web", "bot")) == {1: 1}


def test_giving_up_sets_aside_with_a_line() -> None:
    (decided,) = Recovery(Policy()).give_up([left(1)], NOW, around("web"))
    assert decided.decision == Quarantine(Policy().restarts_max, crashing=True)
    assert decided.speaks
    assert not decided.serves_inbound
