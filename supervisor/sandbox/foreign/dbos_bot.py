"""DBOS on SQLite: a workflow a message, whose id is the update's, and a step each for model, tool and delivery.

Restarted as its documentation says: `DBOS.launch` recovers the workflows that were pending. The update is acknowledged
as soon as the workflow is durably started; starting it again under the same id finds the first one.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from greenroom.supervisor.sandbox.foreign.room import Room

PACKAGES = ("dbos",)

dbos: Any = import_module("dbos")


def live(room: Room) -> None:
    """Serve what there is, then return."""
    DBOS = dbos.DBOS  # noqa: N806 - a class, under its own name
    url = f"sqlite:///{room.folder}/dbos.sqlite"
    DBOS(config={"name": "room", "system_database_url": url, "log_level": "ERROR", "application_version": "1"})

    def ask_model(_text: str) -> str:
        return room.call_model(None)

    def call_tool(call: str) -> str:
        return room.pay(call)

    def conclude(result: str) -> str:
        return room.call_model(result)

    def deliver(key: str, answer: str) -> None:
        room.show(key, answer)

    model, tool, conclusion, delivery = (
        DBOS.step(name=step.__name__)(step) for step in (ask_model, call_tool, conclude, deliver)
    )

    def turn(update: str, text: str) -> None:
        delivery(f"{update}-answer", conclusion(tool(model(text))))
        room.reach("I")

    workflow = DBOS.workflow(name="turn")(turn)
    DBOS.launch()
    for update, text in room.poll():
        with dbos.SetWorkflowID(update):
            DBOS.start_workflow(workflow, update, text)
        room.reach("B")
        room.acknowledge(update)
    for started in DBOS.list_workflows():
        DBOS.retrieve_workflow(started.workflow_id).get_result()
    DBOS.destroy()
