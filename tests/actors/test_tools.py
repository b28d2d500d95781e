import pytest

from greenroom.actors.model import ToolCall, ToolPolicy, ToolRecord
from greenroom.actors.store import Ledger
from greenroom.actors.tools import AskFirst, Call, InDoubt, Replay, decide_tool

KEY, OLD = "1.2.tool.x.0", "1.1.tool.x.0"
IN_DOUBT = {
    ToolPolicy.PURE: Call(),
    ToolPolicy.KEYED: Call(),
    ToolPolicy.ONCE: InDoubt((OLD,)),
    ToolPolicy.ASK: AskFirst((OLD,), 0),
}


def call(policy: ToolPolicy, *, key: str = KEY, name: str = "pay", args: str = "{}") -> ToolCall:
    return ToolCall(key, name, args, policy)


@pytest.mark.parametrize("policy", ToolPolicy)
def test_what_was_never_called_is_called_and_what_has_an_outcome_never_again(policy: ToolPolicy) -> None:
    this = call(policy)
    assert decide_tool(this, Ledger()) == Call()
    assert decide_tool(this, Ledger((ToolRecord(this, "1"),))) == Replay("1", failed=False)
    assert decide_tool(this, Ledger((ToolRecord(this, "no", failed=True),))) == Replay("no", failed=True)


@pytest.mark.parametrize("policy", ToolPolicy)
def test_without_an_outcome_the_policy_under_which_it_is_called_now_decides(policy: ToolPolicy) -> None:
    own = ToolRecord(call(ToolPolicy.PURE), attempts=2)
    expected = {ToolPolicy.ONCE: InDoubt((KEY,)), ToolPolicy.ASK: AskFirst((KEY,), 2)}
    assert decide_tool(call(policy), Ledger((own,))) == expected.get(policy, Call())


@pytest.mark.parametrize("policy", ToolPolicy)
def test_a_like_call_of_other_work_is_as_doubtful_as_ones_own(policy: ToolPolicy) -> None:
    old = ToolRecord(call(ToolPolicy.ONCE, key=OLD))
    assert decide_tool(call(policy), Ledger(doubts=(old,))) == IN_DOUBT[policy]


def test_a_second_call_beside_one_in_doubt_is_in_doubt_too_and_another_call_is_not() -> None:
    ledger = Ledger((ToolRecord(call(ToolPolicy.ONCE, key=OLD)),))
    assert decide_tool(call(ToolPolicy.ONCE), ledger) == InDoubt((OLD,))
    assert decide_tool(call(ToolPolicy.ONCE, args='{"a":1}'), ledger) == Call()
    assert decide_tool(call(ToolPolicy.ONCE, name="ask"), ledger) == Call()
    harmless = Ledger((ToolRecord(call(ToolPolicy.PURE, key=OLD)),))
    assert decide_tool(call(ToolPolicy.ONCE), harmless) == Call()
