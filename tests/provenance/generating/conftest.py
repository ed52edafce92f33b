"""A loopback provider for every test that wants one."""

import pytest
from provider_wire import Wire
from pytest_httpserver import HTTPServer


@pytest.fixture
def wire(httpserver: HTTPServer) -> Wire:
    return Wire(httpserver, [])
