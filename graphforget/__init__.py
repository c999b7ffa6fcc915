"""Unlearning for graph networks: make a trained model forget, and show it beside the model retrained without.

import graphforget as gf

graph  = gf.load("sample-citations")
task   = gf.LinkPrediction(graph, seed=0)
model  = gf.train(gf.GCN(hidden=128, out=64), task, seed=0)
gone   = gf.sample_deletion(task, edges=0.025, where="in", seed=0)
result = gf.unlearn(model, task, gone, method="d2dgn")
report = gf.evaluate(result, gold="retrain")

Recommenders go the same way: gf.Recommendation(gf.load("sample-shop")), gf.LightGCN(), gf.Deletion(users=[...]).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from graphforget._core.errors import DataError as DataError
    from graphforget._core.errors import DivergedError as DivergedError
    from graphforget._core.errors import GraphforgetError as GraphforgetError
    from graphforget._core.errors import NoForgettingError as NoForgettingError
    from graphforget._core.errors import UnsupportedError as UnsupportedError
    from graphforget._core.errors import UsageError as UsageError
    from graphforget.data.deletion import Deletion as Deletion
    from graphforget.data.graph import Graph as Graph
    from graphforget.data.interactions import Interactions as Interactions
    from graphforget.data.load import load as load
    from graphforget.data.triples import TripleGraph as TripleGraph
    from graphforget.evaluation.report import Report as Report
    from graphforget.evaluation.report import evaluate as evaluate
    from graphforget.experiments.own_saving import load_task as load_task
    from graphforget.experiments.own_saving import save_model as save_model
    from graphforget.models.adapter import Adapter as Adapter
    from graphforget.models.gat import GAT as GAT
    from graphforget.models.gcn import GCN as GCN
    from graphforget.models.gin import GIN as GIN
    from graphforget.models.kgat import KGAT as KGAT
    from graphforget.models.lightgcn import LightGCN as LightGCN
    from graphforget.models.mf import MF as MF
    from graphforget.models.mgcn import MGCN as MGCN
    from graphforget.models.ngcf import NGCF as NGCF
    from graphforget.models.pinsage import PinSage as PinSage
    from graphforget.models.sage import SAGE as SAGE
    from graphforget.models.vbpr import VBPR as VBPR
    from graphforget.tasks.link import LinkPrediction as LinkPrediction
    from graphforget.tasks.node import NodeClassification as NodeClassification
    from graphforget.tasks.recommend import Recommendation as Recommendation
    from graphforget.training.model_folder import load_model as load_model
    from graphforget.training.recipe import Recipe as Recipe
    from graphforget.training.train import Provenance as Provenance
    from graphforget.training.train import train as train
    from graphforget.unlearning.known_layers import KnownLayers as KnownLayers
    from graphforget.unlearning.run import Result as Result
    from graphforget.unlearning.run import methods as methods
    from graphforget.unlearning.run import unlearn as unlearn
    from graphforget.unlearning.sampling import sample_deletion as sample_deletion
    from graphforget.unlearning.sampling_recommend import flip_labels as flip_labels

_HOMES = {
    "Adapter": "models.adapter",
    "DataError": "_core.errors",
    "Deletion": "data.deletion",
    "DivergedError": "_core.errors",
    "GAT": "models.gat",
    "GCN": "models.gcn",
    "GIN": "models.gin",
    "Graph": "data.graph",
    "GraphforgetError": "_core.errors",
    "Interactions": "data.interactions",
    "KGAT": "models.kgat",
    "KnownLayers": "unlearning.known_layers",
    "LightGCN": "models.lightgcn",
    "LinkPrediction": "tasks.link",
    "MF": "models.mf",
    "MGCN": "models.mgcn",
    "NGCF": "models.ngcf",
    "NoForgettingError": "_core.errors",
    "NodeClassification": "tasks.node",
    "PinSage": "models.pinsage",
    "Provenance": "training.train",
    "Recipe": "training.recipe",
    "Recommendation": "tasks.recommend",
    "Report": "evaluation.report",
    "Result": "unlearning.run",
    "SAGE": "models.sage",
    "TripleGraph": "data.triples",
    "UnsupportedError": "_core.errors",
    "UsageError": "_core.errors",
    "VBPR": "models.vbpr",
    "evaluate": "evaluation.report",
    "flip_labels": "unlearning.sampling_recommend",
    "load": "data.load",
    "load_model": "training.model_folder",
    "load_task": "experiments.own_saving",
    "methods": "unlearning.run",
    "sample_deletion": "unlearning.sampling",
    "save_model": "experiments.own_saving",
    "train": "training.train",
    "unlearn": "unlearning.run",
}

__all__ = list(_HOMES)
__version__ = "0.1.0"


if not TYPE_CHECKING:  # or no misspelt name would be found by a type checker

    def __getattr__(name: str) -> Any:
        """Import a public name at its first use, so that `import graphforget` does not wait for torch."""
        if name not in _HOMES:
            raise AttributeError(f"module 'graphforget' has no attribute '{name}'")
        return getattr(import_module(f"graphforget.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
