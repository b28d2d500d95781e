import pytest

from greenroom.actors.model import ToolCall, ToolPolicy, ToolRecord
from greenroom.actors.tools import AskFirst, Call, InDoubt, Replay, decide_tool

CALL = ToolCall("1.1.tool.x.0", "pay", "{}", ToolPolicy.ONCE)
IN_DOUBT = {
    ToolPolicy.PURE: Call(),
    ToolPolicy.KEYED: Call(),
    ToolPolicy.ONCE: InDoubt(),
    ToolPolicy.ASK: AskFirst(),
}


@pytest.mark.parametrize("policy", ToolPolicy)
def test_what_was_never_called_is_called_and_what_has_an_outcome_never_again(policy: ToolPolicy) -> None:
    assert decide_tool(None, policy) == Call()
    assert decide_tool(ToolRecord(CALL, "1"), policy) == Replay("1", failed=False)
    assert decide_tool(ToolRecord(CALL, "no", failed=True), policy) == Replay("no", failed=True)


@pytest.mark.parametrize("policy", ToolPolicy)
def test_without_an_outcome_the_policy_under_which_it_is_called_now_decides(policy: ToolPolicy) -> None:
    assert decide_tool(ToolRecord(CALL), policy) == IN_DOUBT[policy]
