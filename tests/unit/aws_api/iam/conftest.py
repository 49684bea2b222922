from collections.abc import Iterator
from pathlib import Path

import pytest

from penstock.aws_api.iam import IamService
from penstock.aws_api.store import Store
from support.aws_calls import Calls
from support.clock import VirtualClock


@pytest.fixture
def iam(tmp_path: Path) -> Iterator[Calls]:
    store = Store(tmp_path)
    yield Calls(IamService(store, VirtualClock()))
    store.close()
