"""The code that protoc has made from the tests' .proto files, in the folder that PYTHONPATH names.

Two of its packages have names that other packages have, too: they are looked for beside, or in the place of, these.
"""

import os
import test

import grpc

_folder = os.environ["PYTHONPATH"]
grpc.__path__.append(os.path.join(_folder, "grpc"))
test.__path__ = [os.path.join(_folder, "test")]

# The paths come first.
from google.rpc import status_pb2
from grpc.testing import empty_pb2, messages_pb2, test_pb2_grpc
from test.v1 import probe_pb2, probe_pb2_grpc

__all__ = (
    "empty_pb2",
    "messages_pb2",
    "probe_pb2",
    "probe_pb2_grpc",
    "status_pb2",
    "test_pb2_grpc",
)
