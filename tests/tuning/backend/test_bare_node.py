"""What a cluster of one machine is started without."""

from types import SimpleNamespace

import pytest
from ray._private.node import Node

from skin_tune.tuning.backend.bare_node import _SERVICES, bare_node


@pytest.mark.parametrize("name", _SERVICES)
def test_each_service_is_ray_s_own_before_and_after_the_block(name: str):
    own = getattr(Node, name)
    with bare_node():
        assert getattr(Node, name)(SimpleNamespace()) is None, "nothing is started: there is no node"
    assert getattr(Node, name) is own
