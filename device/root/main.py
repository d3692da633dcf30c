"""Second file a board runs after a reset: starts the agent."""

from agent.main import start

start()
