import pytest
from tests.treatment.safety.knowing import knowing


@pytest.fixture(scope="session")
def knowledge():
    return knowing()
