"""Secrets that were pasted into a chat: what has a known form is on no disk, and everything else is left as it was."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenroom import HostedChat, Policy, Supervisor, Turn
from greenroom.supervisor.redacting import FORMS, redact

KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\n-----END RSA PRIVATE KEY-----"


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@given(st.data())
def test_whatever_has_the_form_is_taken_out(form: str, data: st.DataObject) -> None:
    secret = data.draw(st.from_regex(form, fullmatch=True).filter(str.isascii))
    said = redact(f"look: {secret} :that")
    assert secret not in said
    assert said.startswith("look: [")
    assert redact(said) == said


@given(st.text(st.characters(codec="utf-8"), max_size=200))
def test_what_is_left_over_is_not_touched_again(text: str) -> None:
    once = redact(text)
    assert redact(once) == once


@pytest.mark.parametrize(
    "text",
    [
        "sk-8 is a road, and skis are not keys",
        "ask-me-anything-about-it-whenever-you-like-to",
        "call 12345678:30 or 2026-11-22T04:35:46",
        "see https://example.org/eyJ/abc.def.ghi and AKIA",
        "-----BEGIN CERTIFICATE-----",
    ],
)
def test_words_that_only_look_alike_stay(text: str) -> None:
    assert redact(text) == text


def test_a_key_without_an_end_is_taken_out_to_the_end_of_the_text() -> None:
    assert redact("here: " + KEY[:-30] + "\nAAAA") == "here: [private key taken out]"


def test_many_beginnings_cost_no_more_than_their_length() -> None:
    assert redact("-----BEGIN PRIVATE KEY-----" * 20_000) == "[private key taken out]"
    beginnings = "eyJ-" * 300_000  # Of a token: read to the end for each of them it would take minutes.
    assert redact(beginnings) == beginnings


def test_with_the_knob_no_file_beside_the_database_holds_it_and_without_it_is_as_it_was_said(tmp_path: Path) -> None:
    def agent(turn: Turn) -> str:
        return f"re: {turn.new[0].text}"

    async def answer(turn: Turn) -> str:
        return agent(turn)

    for pasted, kept in (("redact", False), ("keep", True)):
        folder = tmp_path / pasted
        folder.mkdir()
        with Supervisor(folder / "bot.db", agent=answer, policy=Policy(pasted_secrets=pasted)) as room:
            room.attach(HostedChat("hosted", "me"))
            receipt = room.accept(chat="hosted:me:1", id="1", text=f"use {KEY}, please")
            told = room.answer(receipt, timeout_s=20)
        assert told == (f"re: use {KEY}, please" if kept else "re: use [private key taken out], please")
        assert any(b"MIIEpAIBAAKCAQEA" in file.read_bytes() for file in folder.iterdir()) is kept
