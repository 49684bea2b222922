from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.s3_rig import BUCKET, S3Rig


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[S3Rig]:
    """With one bucket."""
    rig = S3Rig(tmp_path)
    await rig.service.start()
    await rig.calls("CreateBucket", Bucket=BUCKET)
    yield rig
    await rig.close()
