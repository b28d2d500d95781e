"""An agent of the Agent Client Protocol keeps its conversations apart and through restarts, and asks before it acts."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from acp import schema
from pydantic import BaseModel
from tests.platforms.agents.acp_stage import PATIENT, alive, answered, counterpart, pids, until_asked, until_sent
from tests.platforms.agents.conformance.acp import PROGRAM, AcpCounterpart
from tests.platforms.agents.conformance.stage import CHAT, staging
from tests.platforms.conformance.counterpart import Attached
from tests.tidy.source import ROOT

from greenroom.platforms.agents.acp import AcpSettings, make
from greenroom.platforms.agents.tools.tool import Toolset
from greenroom.supervisor.daemon.composing import load_agent
from greenroom.supervisor.daemon.config_problems import ConfigError
from greenroom.supervisor.daemon.offering import load_checked
from greenroom.supervisor.policy import Policy
from greenroom.supervisor.supervisor import Supervisor

OTHER = "2"
ASK = ("ask", ("Write a.txt", [["Allow", "allow_once"], ["Always", "allow_always"], ["Reject", "reject_once"]]))


async def test_one_session_of_it_is_one_conversation(tmp_path: Path) -> None:
    other = counterpart(tmp_path)
    async with staging(other, tmp_path) as stage:
        await stage.says("one")
        await stage.until_concluded("re: one")
        await stage.says("two")
        await stage.until_concluded("re: two")
        await stage.person.says(OTHER, "three")
        await stage.until_visible(OTHER, "re: three")
        assert other.prompts() == ["one", "two", "three"]
        first, second, third = (each["params"]["sessionId"] for each in other.messages("session/prompt"))
        assert first == second != third
        assert len(pids(other)) == 1
        await stage.says("/new")
        await stage.says("four")
        await stage.until_concluded("re: four")
        assert other.prompts()[-1] == "four"
        assert other.messages("session/prompt")[-1]["params"]["sessionId"] not in {first, third}
    assert not alive(*pids(other))


@pytest.mark.parametrize("ability", ["load", "resume"])
async def test_after_a_restart_it_goes_on_with_its_session(tmp_path: Path, ability: str) -> None:
    other = counterpart(tmp_path, ability)
    async with staging(other, tmp_path) as stage:
        await stage.says("one")
        await stage.until_concluded("re: one")
        await stage.kill_and_start()
        await stage.says("two")
        await stage.until_concluded("re: two")
        assert other.prompts() == ["one", "two"]
        (again,) = other.messages(f"session/{ability}")
        assert {each["params"]["sessionId"] for each in other.messages("session/prompt")} == {
            again["params"]["sessionId"]
        }
        assert "as I said" not in "".join(await stage.texts(CHAT))


@pytest.mark.parametrize("ability", ["load", "resume"])
async def test_a_session_that_goes_on_is_in_the_chosen_mode_again(tmp_path: Path, ability: str) -> None:
    other = counterpart(tmp_path, ability, mode="plan")
    async with staging(other, tmp_path) as stage:
        await stage.says("one")
        await stage.until_concluded("re: one")
        await stage.kill_and_start()
        await stage.says("two")
        await stage.until_concluded("re: two")
    methods = [each["method"] for each in other.messages() if "method" in each]
    assert methods[-3:] == [f"session/{ability}", "session/set_mode", "session/prompt"]
    first, again = (each["params"] for each in other.messages("session/set_mode"))
    assert first == again
    assert again["modeId"] == "plan"


async def test_a_mode_that_the_agent_does_not_know_is_told_and_nothing_is_prompted_in_another(tmp_path: Path) -> None:
    other = counterpart(tmp_path, mode="plan")
    async with staging(other, tmp_path) as stage:
        await stage.says("one")
        await stage.until_concluded("re: one")
        other.settings["mode"] = "unknown"
        await stage.kill_and_start()
        await stage.says("two")
        await stage.until_shown("(The agent failed: RequestError")
        assert (len(other.messages("session/load")), len(other.messages("session/new"))) == (1, 1)
        assert other.prompts() == ["one"]


async def test_one_that_cannot_or_has_forgotten_is_told_what_was_said(tmp_path: Path) -> None:
    other = counterpart(tmp_path, "")
    async with staging(other, tmp_path) as stage:
        await stage.says("one")
        await stage.until_concluded("re: one")
        await stage.kill_and_start()
        other.ability = "load"
        await stage.says("two")
        await stage.until_shown("two")
        await stage.until(stage.rests)
        assert other.prompts()[-1].endswith("user: one\nyou: re: one\ntwo")
        await stage.kill()
        for session in (other.folder / "sessions").iterdir():
            session.unlink()
        await stage.start()
        await stage.says("three")
        await stage.until_shown("three")
        assert "user: two" in other.prompts()[-1]


async def test_what_is_allowed_rejected_and_said_instead(tmp_path: Path) -> None:
    other = counterpart(tmp_path)
    async with staging(other, tmp_path) as stage:
        other.script(("say", "Look: "), ASK, ("say", "The end."))
        for answer, chosen in {"Allow": "Allow", "yes": "Allow", "always": "Always", "Reject": "Reject"}.items():
            before = len(other.messages("session/prompt"))
            await stage.says("go")
            await until_sent(stage, other, "session/prompt", before + 1)
            await until_asked(stage)
            await stage.says(answer)
            await stage.until(stage.rests)
            assert answered(other)[-1] == f"id of {chosen}"
        await stage.says("go")
        await until_asked(stage)
        other.script(("say", "As you like."))
        await stage.says("no, in b.txt")
        await stage.until_shown("As you like.")
        assert answered(other)[-1] == "id of Reject"
        assert other.prompts()[-1] == "no, in b.txt"


async def test_silence_and_a_setting_decide_without_anybody(tmp_path: Path) -> None:
    other = counterpart(tmp_path, question_timeout_s=0.05)
    other.script(ASK, ("say", "The end."))
    async with staging(other, tmp_path) as stage:
        await stage.says("go")
        await stage.until_shown("The end.")
        assert answered(other) == ["cancelled"]
        await stage.kill()
        other.settings = {"auto_approve": True}
        await stage.start()
        await stage.says("again")
        await stage.until_true(lambda: answered(other)[1:] == ["id of Allow"])


async def test_a_yes_that_was_used_allows_nothing_again(tmp_path: Path) -> None:
    other = counterpart(tmp_path)
    other.script(ASK, ("die once", 1), ("say", "The end."))
    async with staging(other, tmp_path, PATIENT) as stage:
        await stage.says("go")
        await until_asked(stage)
        await stage.says("Allow")
        await until_sent(stage, other, "session/prompt", 2)
        await until_asked(stage)
        await stage.says("Reject")
        await stage.until_concluded("The end.")
        assert answered(other) == ["id of Allow", "id of Reject"]
        assert "interrupted" in other.prompts()[-1]


async def test_several_people_have_names_and_what_they_send_is_pointed_to(tmp_path: Path) -> None:
    other = counterpart(tmp_path)
    other.script(("hang", None))
    async with staging(other, tmp_path) as stage:
        await stage.says("wait")
        await until_sent(stage, other, "session/prompt")
        await stage.person.says(CHAT, "one", author="Ann")
        await stage.person.says(CHAT, "two", author="Bob", attached=Attached(tmp_path / "a b.txt"))
        await stage.until_accepted(3)
        other.script(("say", "Both."))
        await stage.says("/stop")
        await stage.until_shown("Both.")
        assert other.prompts()[-1] == f"Ann: one\nBob: two\nfile://{tmp_path}/a%20b.txt"


async def test_what_it_costs_is_counted_once_and_its_home_and_place_are_its_own(tmp_path: Path) -> None:
    other = counterpart(tmp_path, home="own", auth_method="key", mode="plan")
    other.script(("cost", 0.25), ("cost", 0.75), ("think", "hm"), ("tool", "look"), ("say", "The end."))
    async with staging(other, tmp_path) as stage:
        await stage.says("go")
        await stage.until_concluded("The end.")
        await stage.says("again")
        await until_sent(stage, other, "session/prompt", 2)
        await stage.until(stage.rests)
        assert stage.count("SELECT sum(cost) * 100 FROM runs") == 75
    beside = other.folder / "beside" / "acp"
    assert other.messages("initialize")[0]["home"] == str(beside / "home")
    assert other.messages("session/new")[0]["params"]["cwd"] == str(beside / "work")
    assert [each["params"] for each in other.messages("authenticate")] == [{"methodId": "key"}]
    assert [each["params"]["modeId"] for each in other.messages("session/set_mode")] == ["plan"]


REQUESTS: dict[str, type[BaseModel]] = {
    "initialize": schema.InitializeRequest,
    "session/new": schema.NewSessionRequest,
    "session/load": schema.LoadSessionRequest,
    "session/prompt": schema.PromptRequest,
    "session/cancel": schema.CancelNotification,
}


async def test_what_is_sent_is_the_protocol(tmp_path: Path) -> None:
    other = counterpart(tmp_path)
    async with staging(other, tmp_path) as stage:
        await stage.person.says(CHAT, "one", attached=Attached(tmp_path))
        await stage.until_shown("re: one")
        await stage.kill_and_start()
        other.script(("hang", None))
        await stage.says("two")
        await until_sent(stage, other, "session/prompt", 2)
        await stage.says("/stop")
        await until_sent(stage, other, "session/cancel")
    sent = [each for each in other.messages() if "method" in each]
    assert {each["method"] for each in sent} == set(REQUESTS)
    for each in sent:
        REQUESTS[each["method"]].model_validate(each["params"])


class LibraryEcho(AcpCounterpart):
    """The other side is the library's own."""

    def agent(self, tools: Toolset | None = None) -> Any:
        program = ROOT / "tests" / "platforms" / "agents" / "acp_echo.py"
        return make(AcpSettings(command=(sys.executable, str(program))), self.folder / "beside")


async def test_the_librarys_own_server_side_is_understood(tmp_path: Path) -> None:
    counterpart(tmp_path)
    async with staging(LibraryEcho(tmp_path / "acp"), tmp_path) as stage:
        await stage.says("one")
        await until_asked(stage)
        await stage.until_shown('May I? write a.txt\n{"path": "a.txt"}')
        await stage.says("Allow")
        await stage.until_concluded("y: one")


def test_a_table_of_the_configuration_makes_it_and_it_takes_no_tools(tmp_path: Path) -> None:
    table = f"[store]\npath = 'bot.db'\n[agent.acp]\ncommand = ['{sys.executable}', '{PROGRAM}', '{tmp_path}']\n"
    file = tmp_path / "greenroom.toml"
    file.write_text(table)
    config = load_checked(file)
    with Supervisor(config.database, agent=load_agent(config), policy=Policy(allow=("*",))) as room:
        assert room.answer(room.accept(chat="web:me:1", id="1", text="hello"), timeout_s=30) == "re: hello"
    file.write_text(f"{table}[tools.clock]\n")
    with pytest.raises(ConfigError, match="acp takes no tools"):
        load_agent(load_checked(file))
