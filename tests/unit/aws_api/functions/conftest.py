from collections.abc import Iterator
from pathlib import Path

import pytest

from penstock.aws_api.store import Store
from support.lambda_rig import LambdaRig


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[LambdaRig]:
    store = Store(tmp_path)
    yield LambdaRig(store)
    store.close()
