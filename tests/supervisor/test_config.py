"""The configuration: every mistake in one pass, with its place and remedy; every value with its origin."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from greenroom.supervisor.daemon.composing import load_agent, load_summariser
from greenroom.supervisor.daemon.config import LOCAL_CHATS, Config, load_config
from greenroom.supervisor.daemon.config_judge import is_local
from greenroom.supervisor.daemon.config_problems import ConfigError
from greenroom.supervisor.daemon.reloading import Reloader, describe_changes
from greenroom.supervisor.daemon.settings import Settings
from greenroom.supervisor.daemon.toml_lines import read_lines
from greenroom.supervisor.policy import Policy

Load = Callable[..., Config]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user of their own: no configuration, no variables, an empty working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path


@pytest.fixture
def load(home: Path) -> Load:
    def write_and_load(text: str) -> Config:
        (home / "greenroom.toml").write_text(text)
        return load_config()

    return write_and_load


def problems(load: Load, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(text)
    return "\n".join(caught.value.problems).replace(str(Path.cwd()) + "/", "")


def test_no_file_at_all_is_fine(home: Path) -> None:
    config = load_config()
    assert config.file is None
    assert config.database == home / "data/greenroom/greenroom.db"
    assert (config.web.host, config.web.port, config.agent.kind) == ("127.0.0.1", 8765, "demo")
    assert config.policy == Policy(allow=LOCAL_CHATS, strangers="pair")


def test_the_nearest_file_wins(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places = {
        "user": home / "config/greenroom/greenroom.toml",
        "folder": home / "greenroom.toml",
        "variable": home / "v.toml",
        "option": home / "o.toml",
    }
    for port, (place, path) in enumerate(places.items(), start=9000):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"[web]\nport = {port}\n")
        if place == "variable":
            monkeypatch.setenv("GREENROOM_CONFIG", str(path))
        found = load_config(path if place == "option" else None)
        assert (found.file, found.web.port) == (path, port)


def test_a_layer_above_wins_and_says_so(load: Load, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GREENROOM_WEB_PORT", "9100")
    monkeypatch.setenv("GREENROOM_POLICY_FRESH_S", "60")
    monkeypatch.setenv("GREENROOM_POLICY_ALLOW", "web:*, telegram:me:*")
    config = load("[web]\nport = 9000\n[policy]\nattempts_max = 7\n")
    assert (config.web.port, config.origin("web", "port")) == (9100, "GREENROOM_WEB_PORT")
    assert (config.policy.fresh_s, config.policy.attempts_max) == (60, 7)
    assert config.policy.allow == ("web:*", "telegram:me:*")
    assert config.origin("policy", "attempts_max") == f"{home}/greenroom.toml:4"
    assert config.origin("web", "host") == "default"
    assert load_config(database=home / "x.db").origin("store", "path") == "--db"


def test_a_relative_database_in_a_file_lies_beside_the_file(home: Path) -> None:
    (home / "sub").mkdir()
    (home / "sub/my.toml").write_text('[store]\npath = "room.db"\n')
    assert load_config(home / "sub/my.toml").database == home / "sub/room.db"
    assert load_config(home / "sub/my.toml", database=Path("here.db")).database == home / "here.db"


def test_a_relative_token_of_the_view_in_a_file_lies_beside_the_file(home: Path) -> None:
    (home / "sub").mkdir()
    (home / "sub/token").write_text("0123456789abcdef\n")
    (home / "sub/my.toml").write_text('[view]\ntoken = "file:token"\n')
    token = load_config(home / "sub/my.toml").view.token
    assert token is not None
    assert token.get_secret_value() == "0123456789abcdef"


WRONG = {
    "[web]\nprot = 1": "greenroom.toml:2: web.prot: unknown key; did you mean port?",
    "[wep]\nport = 1": "greenroom.toml:1: wep: unknown key; did you mean web?",
    "zzz = 1": "greenroom.toml:1: zzz: unknown key; the file knows agent, log, mcp, platforms, policy, store, tools, view, web",
    "web = 3": "greenroom.toml:1: web: must be a table: write [web]",
    '[web]\nport = "80"': (
        "greenroom.toml:2: web.port: must be a whole number, got '80'; remove it to use the default 8765"
    ),
    "[web]\nport = 70000": (
        "greenroom.toml:2: web.port: must be 65535 or less, got 70000; remove it to use the default 8765"
    ),
    "[web]\nport = true": (
        "greenroom.toml:2: web.port: must be a whole number, got True; remove it to use the default 8765"
    ),
    "[web]\n\nenabled = 1": (
        "greenroom.toml:3: web.enabled: must be true or false, got 1; remove it to use the default True"
    ),
    "[web]\nhosts = 'a'": (
        "greenroom.toml:2: web.hosts: must be a list, such as ['one', 'two'], got 'a'; remove it to use the default ()"
    ),
    "web.port = -1": "greenroom.toml:1: web.port: must be 0 or more, got -1; remove it to use the default 8765",
    "[agent]\nkind = 3": "greenroom.toml:2: agent.kind: must be a text in quotes, got 3; remove it to use the default demo",
    "[agent.one]\n[agent.two]": ("greenroom.toml:2: agent.two: there are several kinds; write kind = 'one' in [agent]"),
    "[agent]\nkind = 'python'": (
        "greenroom.toml:2: agent.target: missing; write target = 'module:function', such as 'mybot.agent:answer'"
    ),
    "[agent]\ntarget = 'a:b'": (
        "greenroom.toml:2: agent.target: the demo agent has no target; write kind = 'python' beside it"
    ),
    "[agent]\nsummariser = 'a.b'": (
        "greenroom.toml:2: agent.summariser: must be 'module:function', such as 'mybot.agent:answer', got 'a.b'"
    ),
    "[agent]\ntarget = 'a.b'": (
        "greenroom.toml:2: agent.target: must be 'module:function', such as 'mybot.agent:answer', got 'a.b'"
    ),
    "[policy]\nfresh_s = 'soon'": (
        "greenroom.toml:2: policy.fresh_s: must be a number of seconds, got 'soon'; remove it to use the default 3600"
    ),
    "[policy]\nfresh = 1": "greenroom.toml:2: policy.fresh: unknown key; did you mean fresh_s?",
    "[policy]\nallow = 'web:*'": (
        "greenroom.toml:2: policy.allow: must be a list of session keys such as 'telegram:me:*', got 'web:*'; "
        "remove it to use the default (whoever the host lets in)"
    ),
    "[web]\nhost = '0.0.0.0'": (
        "greenroom.toml:2: web.host: 0.0.0.0 lets others reach the chat, and no one said who may write; "
        "set allow = ['web:*'] in [policy] to let everyone in"
    ),
    "[store]\npath = 3": "greenroom.toml:2: store.path: must be a text in quotes, got 3",
    "[platforms]\nx = 3": "greenroom.toml:2: platforms.x: must be a table of the platform's settings",
}


@pytest.mark.parametrize("text", WRONG, ids=repr)
def test_each_mistake_is_told_with_its_place_and_its_remedy(load: Load, text: str) -> None:
    told = problems(load, text)
    assert told.startswith(WRONG[text])
    assert "\n" not in told


def test_two_knobs_are_judged_by_each_other_and_not_by_defaults(load: Load) -> None:
    policy = load("[policy]\nrestart_backoff_max_s = 0.1\nrestart_backoff_s = 0.1\n").policy
    assert (policy.restart_backoff_s, policy.restart_backoff_max_s) == (0.1, 0.1)
    told = problems(load, "[policy]\nrestart_backoff_max_s = 0.1\n")
    assert told.startswith("greenroom.toml: policy.restart_backoff_s: must be at most restart_backoff_max_s (0.1)")


def test_all_mistakes_are_told_together(load: Load) -> None:
    text = "[web]\nprot = 1\nport = 'a'\n[policy]\nfresch = 1\n[wep]\n"
    assert re.findall(r"toml:(\d+)", problems(load, text)) == ["2", "3", "5", "6"]


@pytest.mark.parametrize("text, word", [("[web", "not TOML"), ("port = ", "not TOML"), ("a = 1\na = 2", "not TOML")])
def test_what_is_no_toml_is_refused_with_its_line(load: Load, text: str, word: str) -> None:
    assert re.search(rf"{word}.*line \d+", problems(load, text)) or word in problems(load, text)


def test_a_file_that_is_no_text_is_refused(home: Path) -> None:
    (home / "greenroom.toml").write_bytes(b"\xff\xfe[web]")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_config()


def test_a_named_file_that_is_missing_is_refused(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"named by --config is not there"):
        load_config(home / "none.toml")
    with pytest.raises(ConfigError, match=r"named by --config is a folder"):
        load_config(home)
    monkeypatch.setenv("GREENROOM_CONFIG", "none.toml")
    with pytest.raises(ConfigError, match=r"named by GREENROOM_CONFIG is not there"):
        load_config()


WRONG_VARIABLES = {
    "GREENROOM_WEB_PORT=nine": "GREENROOM_WEB_PORT: web.port: must be a whole number, got 'nine'",
    "GREENROOM_WEB_PROT=9": "GREENROOM_WEB_PROT: web.prot: unknown key; did you mean port?",
    "GREENROOM_WUB=9": "GREENROOM_WUB: unknown variable",
    "GREENROOM_WEB=9": "GREENROOM_WEB: web: must be a table",
    "GREENROOM_POLICY_ATTEMPTS_MAX=0": "GREENROOM_POLICY_ATTEMPTS_MAX: policy.attempts_max: must be a whole number",
    "GREENROOM_POLICY_AUTO_RESUME=never": "GREENROOM_POLICY_AUTO_RESUME: policy.auto_resume: must be a list out of",
}


@pytest.mark.parametrize("assignment", WRONG_VARIABLES)
def test_a_wrong_variable_is_told_by_its_name(monkeypatch: pytest.MonkeyPatch, assignment: str) -> None:
    monkeypatch.setenv(*assignment.split("=", 1))
    with pytest.raises(ConfigError) as caught:
        load_config()
    assert str(caught.value).startswith(WRONG_VARIABLES[assignment])


def test_lines_are_found_for_tables_dotted_keys_and_quoted_keys() -> None:
    text = '[web]\nport = 1\n"a b" = """\nport = 3\n"""\n[platforms.x]\ntoken = 1\nlog.level = 2\n'
    assert read_lines(text) == {
        ("web",): 1,
        ("web", "port"): 2,
        ("web", "a b"): 3,
        ("platforms", "x"): 6,
        ("platforms", "x", "token"): 7,
        ("platforms", "x", "log", "level"): 8,
    }


@pytest.mark.parametrize("host, local", [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False)])
def test_who_can_reach_an_address_is_known(host: str, local: bool) -> None:
    assert is_local(host) is local


AGENT = "[agent]\nkind = 'python'\ntarget = '{}'\n"


def test_an_agent_beside_the_file_is_found(load: Load, home: Path) -> None:
    (home / "beside_the_file.py").write_text("class Bot:\n    @staticmethod\n    def answer(messages): return 'hi'\n")
    agent = load_agent(load(AGENT.format("beside_the_file:Bot.answer")))
    assert agent([]) == "hi"


WRONG_AGENTS = {
    "no_such_module_at_all:answer": "no module 'no_such_module_at_all'",
    "json:answer": "module 'json' has no 'answer'",
    "json:__name__": "json:__name__ is not a function but a str",
    "raises_at_import:answer": "importing 'raises_at_import' failed with ZeroDivisionError: division by zero",
    "exits_at_import:answer": "importing 'exits_at_import' failed with SystemExit: 3",
    "imports_missing:answer": "importing 'imports_missing' failed with ModuleNotFoundError",
}


@pytest.mark.parametrize("target", WRONG_AGENTS)
def test_an_agent_that_cannot_be_loaded_is_told_with_its_place(load: Load, home: Path, target: str) -> None:
    (home / "raises_at_import.py").write_text("1 / 0\n")
    (home / "exits_at_import.py").write_text("import sys\nsys.exit(3)\n")
    (home / "imports_missing.py").write_text("import not_there_at_all\n")
    with pytest.raises(ConfigError) as caught:
        load_agent(load(AGENT.format(target)))
    assert f"greenroom.toml:3: agent.target: {WRONG_AGENTS[target]}" in str(caught.value)


SUMMARISER = "[agent]\nsummariser = '{}'\n"


async def test_a_summariser_beside_the_file_is_found_and_none_is_wanted_by_default(load: Load, home: Path) -> None:
    (home / "short.py").write_text(
        "async def brief(messages): return f'{len(messages)} rows'\n"
        "class Brief:\n    async def __call__(self, messages): return 'few words'\nbrief_too = Brief()\n"
    )
    assert load_summariser(load("")) is None
    for name, said in {"brief": "0 rows", "brief_too": "few words"}.items():
        summarise = load_summariser(load(SUMMARISER.format(f"short:{name}")))
        assert summarise is not None
        assert await summarise([]) == said


@pytest.mark.parametrize(
    "target, problem",
    [
        ("json:dumps", "json:dumps must be `async def summarise(messages) -> str`"),
        ("json:nothing", "module 'json' has no 'nothing'; write the name of your summariser"),
    ],
)
def test_a_summariser_that_cannot_be_one_is_told_with_its_place(load: Load, target: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_summariser(load(SUMMARISER.format(target)))
    assert f"greenroom.toml:2: agent.summariser: {problem}" in str(caught.value)


def test_the_window_of_a_transcript_is_a_knob_of_the_file(load: Load) -> None:
    policy = load("[policy]\ntranscript_window = 12\nsummary_every = 3\nkeep_sessions_days = 30\n").policy
    assert (policy.transcript_window, policy.summary_every, policy.retention().sessions_s) == (12, 3, 30 * 86_400)


def test_a_changed_file_says_what_is_in_force_now_and_what_needs_a_restart(load: Load, home: Path) -> None:
    old = load("[web]\nport = 9000\n")
    new = load("[web]\nport = 9001\n[log]\nlevel = 'debug'\n")
    assert list(describe_changes(old, new)) == [
        "log.level: info -> debug (in force now)",
        "web.port: 9000 -> 9001 (needs a restart)",
    ]


CHANGES = {
    "store": ("[store]\npath = 'other.db'\n", "store.path: {home}/data/greenroom/greenroom.db -> {home}/other.db"),
    "web": ("[web]\nenabled = false\n", "web.enabled: True -> False"),
    "view": ("[view]\nport = 8222\n", "view.port: 8764 -> 8222"),
    "agent": ("[agent]\nsummariser = 'a:b'\n", "agent.summariser: None -> a:b"),
    "policy": ("[policy]\ndrain_s = 5\n", "policy.drain_s: 30.0 -> 5"),
    "log": ("[log]\nformat = 'json'\n", "log.format: auto -> json"),
    "platforms": ("[platforms.pigeon]\ntoken = 'sesame'\n", "platforms.pigeon: changed"),
    "tools": ("[tools.clock]\n", "tools.clock: changed"),
    "mcp": ("[mcp.files]\ncommand = ['x']\n", "mcp.files: changed"),
}
"""Of each section something that was written since the start, and what is said of it."""


@pytest.mark.parametrize("section", Settings.model_fields)
def test_what_changed_in_any_section_is_told_when_the_file_is_read_again(load: Load, home: Path, section: str) -> None:
    reloader = Reloader(load(""), None)
    text, told = CHANGES[section]
    (home / "greenroom.toml").write_text(text)
    assert reloader.reload(lambda _: None) == [f"{told.format(home=home)} (needs a restart)"]


def test_a_secret_that_changed_is_told_by_name_alone(load: Load) -> None:
    texts = ("", "[view]\ntoken = 'a password that is long'\n", "[view]\ntoken = 'another one, as long'\n")
    none, one, other = (load(text) for text in texts)
    for before, after in ((none, one), (one, other), (other, none)):
        assert list(describe_changes(before, after)) == ["view.token: changed (needs a restart)"]


def test_a_database_that_the_command_line_named_stays_when_the_file_names_another(load: Load, home: Path) -> None:
    load("")
    reloader = Reloader(load_config(database=home / "mine.db"), None)
    (home / "greenroom.toml").write_text("[store]\npath = 'other.db'\n")
    assert reloader.reload(lambda _: None) == ["the configuration was read again: nothing has changed"]


def test_a_wrong_file_changes_nothing_when_it_is_read_again(load: Load, home: Path) -> None:
    reloader = Reloader(load("[web]\nport = 9000\n"), None)
    (home / "greenroom.toml").write_text("[web]\nprot = 1\n")
    admitted: list[Policy] = []
    told = reloader.reload(admitted.append)
    assert told[0] == "the configuration was not changed, it cannot be used:"
    assert "web.prot" in told[1]
    (home / "greenroom.toml").write_text("[web]\nport = 9000\n")
    assert reloader.reload(admitted.append) == ["the configuration was read again: nothing has changed"]
    assert admitted == []


def test_who_may_write_is_in_force_at_once_and_told_once(load: Load, home: Path) -> None:
    reloader = Reloader(load("[policy]\nallow = ['web:*']\n"), None)
    (home / "greenroom.toml").write_text("[policy]\nallow = ['web:*', 'x:*']\nstrangers = 'ignore'\nfresh_s = 5\n")
    admitted: list[Policy] = []
    told = reloader.reload(admitted.append)
    assert told[0].endswith("(in force now)")
    assert "policy.allow" in told[0]
    assert [line.rpartition(" (")[2] for line in told[1:]] == ["needs a restart)", "in force now)"]
    ((policy),) = admitted
    assert (policy.allow, policy.strangers, policy.fresh_s) == (("web:*", "x:*"), "ignore", 3600.0)
    told = reloader.reload(admitted.append)
    assert [line.partition(":")[0] for line in told] == ["policy.fresh_s"]
    assert len(admitted) == 1
