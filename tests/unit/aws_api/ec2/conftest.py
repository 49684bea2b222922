from collections.abc import Iterator
from pathlib import Path

import pytest

from penstock.aws_api.ec2 import Ec2Service
from penstock.aws_api.store import Store
from support.aws_calls import Calls
from support.clock import VirtualClock


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path)
    yield store
    store.close()


@pytest.fixture
def ec2(store: Store) -> Calls:
    return Calls(Ec2Service(store, VirtualClock()))
