"""`greenroom audit` as it is typed."""

from tests.supervisor.cli.shell import CONFIG, Shell


def test_what_is_wrong_is_told_first_and_by_the_exit_code(shell: Shell) -> None:
    shell.home.chmod(0o700)
    config = shell.home / "greenroom.toml"
    config.chmod(0o600)
    assert shell.json("audit")["wrong"] == 0
    assert "fine   database-mode: " in shell.run("audit").stdout
    config.write_text(CONFIG + "[platforms.telegram]\ntoken = '123:sesame'\n")
    config.chmod(0o644)
    told = shell.run("audit", code=1)
    first, fix = told.stdout.splitlines()[:2]
    assert first.startswith("wrong  config-mode: ")
    assert "fix: chmod 600 " in fix
    assert "1 thing wrong" in told.stderr
    assert "sesame" not in told.stdout + told.stderr
    findings = {each["check"]: each["verdict"] for each in shell.json("audit", code=1)["findings"]}
    assert (findings["config-mode"], findings["secrets-written-out"]) == ("wrong", "note")
