"""What models and tasks are written for: graphs of nodes and edges, or interactions of users and items."""

from __future__ import annotations

from typing import TypeVar

from graphforget.data.graph import Graph
from graphforget.data.interactions import Interactions

G = TypeVar("G", bound=Graph | Interactions)
"""The one of both that a model or a task is for; `Model` and `Task` alone mean either."""
