"""LangGraph with its SQLite checkpointer: a node each for the model, the tool and the delivery, one thread a chat.

Restarted as its documentation says: the same thread id and no input, if the thread has the update and not its delivery.
The update is acknowledged when the graph is done; the delivery is kept in the state, so that there is not a second.
"""

from __future__ import annotations

import sqlite3
from importlib import import_module
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    from greenroom.supervisor.sandbox.foreign.room import Room

PACKAGES = ("langgraph", "langgraph-checkpoint-sqlite")
CHAT: dict[str, Any] = {"configurable": {"thread_id": "chat1"}}

graphs: Any = import_module("langgraph.graph")
savers: Any = import_module("langgraph.checkpoint.sqlite")


class State(TypedDict, total=False):
    """What the checkpointer keeps of a chat."""

    update: str
    text: str
    call: str
    result: str
    answer: str
    delivered: str


def live(room: Room, durability: str) -> None:
    """Serve what there is, then return. `durability` is sync, async or exit."""
    db = sqlite3.connect(room.folder / "checkpoints.sqlite", check_same_thread=False)
    graph = _build(room).compile(checkpointer=savers.SqliteSaver(db))
    for update, text in room.poll():
        state = graph.get_state(CHAT)
        if state.values.get("update") != update:
            graph.invoke({"update": update, "text": text}, CHAT, durability=durability)
        elif state.values.get("delivered") != update:
            graph.invoke(None, CHAT, durability=durability)
        room.reach("I")
        room.acknowledge(update)
    db.close()


def _build(room: Room) -> Any:
    def ask_model(_: State) -> State:
        room.reach("B")
        return {"call": room.call_model(None)}

    def call_tool(state: State) -> State:
        return {"result": room.pay(state["call"])}

    def conclude(state: State) -> State:
        return {"answer": room.call_model(state["result"])}

    def deliver(state: State) -> State:
        room.show(f"{state['update']}-answer", state["answer"])
        return {"delivered": state["update"]}

    graph = graphs.StateGraph(State)
    nodes = {"ask_model": ask_model, "call_tool": call_tool, "conclude": conclude, "deliver": deliver}
    for name, node in nodes.items():
        graph.add_node(name, node)
    stops = [graphs.START, *nodes, graphs.END]
    for before, after in pairwise(stops):
        graph.add_edge(before, after)
    return graph
