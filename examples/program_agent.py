"""An agent that is a program of its own, as docs/agent-protocol.md has it: it keeps notes, and no note twice."""

import json
import sys
from pathlib import Path


def tell(kind: str, **fields: object) -> None:
    print(json.dumps({"type": kind} | fields), flush=True)


turn = json.loads(sys.stdin.readline())
tell("effect", name="note", args={"line": turn["text"]}, policy="once")
word = json.loads(sys.stdin.readline())
if word["type"] == "do":
    with Path("notes.txt").open("a") as notes:
        print(turn["text"], file=notes)
    tell("did", result="noted")
answers = {"do": "Noted.", "done": "It was noted, before I was interrupted."}
tell("answer", text=answers.get(word["type"], "I was interrupted then: look whether it is there."))
