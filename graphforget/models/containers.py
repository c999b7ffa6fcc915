"""Torch's lists and dictionaries of modules, which say here what they hold."""

from __future__ import annotations

from collections.abc import ItemsView, Iterable, Iterator, Mapping, ValuesView
from typing import TYPE_CHECKING, Generic, TypeVar, overload

from torch import nn

M = TypeVar("M", bound=nn.Module)

if TYPE_CHECKING:

    class ModuleList(nn.ModuleList, Generic[M]):
        """A list of modules of one kind."""

        def __init__(self, modules: Iterable[M] | None = None) -> None: ...
        @overload
        def __getitem__(self, idx: slice) -> ModuleList[M]: ...
        @overload
        def __getitem__(self, idx: int) -> M: ...
        def __getitem__(self, idx: slice | int) -> ModuleList[M] | M: ...
        def __iter__(self) -> Iterator[M]: ...

    class ModuleDict(nn.ModuleDict, Generic[M]):
        """Modules of one kind by name."""

        def __init__(self, modules: Mapping[str, M] | None = None) -> None: ...
        def __getitem__(self, key: str) -> M: ...
        def items(self) -> ItemsView[str, M]: ...
        def values(self) -> ValuesView[M]: ...

else:
    ModuleList, ModuleDict = nn.ModuleList, nn.ModuleDict
